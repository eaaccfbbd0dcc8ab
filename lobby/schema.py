"""The OpenAPI document, made from the models in contracts/ and the views' own descriptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, get_args

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiParameter, OpenApiResponse, extend_schema

from contracts import http
from contracts.errors import CATALOGUE, Code, ErrorBody
from contracts.limits import LISTED_MAX
from contracts.parties import SETTINGS
from contracts.queries import ListedStatus
from lobby.bodies import KEY_PATTERN

REFS = "#/components/schemas/{name}"
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
    OpenApiParameter.HEADER,
    description="Random, one per wish: the same key gives the same answer again, for 24 h.",
)
PARTY = OpenApiParameter("party", str, default="leet99", description="The room's type.")
STATUS = OpenApiParameter(
    "status", str, enum=get_args(ListedStatus), description="Only rooms of this status."
)
HAS_SPACE = OpenApiParameter(
    "hasSpace", bool, description="Only rooms that do, or do not, take another player now."
)
CURSOR = OpenApiParameter(
    "cursor", str, description="`nextCursor` of the page before; without it the newest rooms."
)
WINDOW = OpenApiParameter(
    "window",
    str,
    enum=get_args(http.Window),
    default="all",
    description="Matches that ended ever, in the last 24 hours, or in the last 7 days.",
)
ALWAYS = (Code.BAD_REQUEST, Code.RATE_LIMITED, Code.INTERNAL_ERROR)
ASKING = (
    Code.REALTIME_UNAVAILABLE,
    Code.STORAGE_UNAVAILABLE,
    Code.ROOM_BUSY,
    Code.ROOM_UNREADABLE,
    Code.REALTIME_TIMEOUT,
)
READING = (Code.REALTIME_UNAVAILABLE, Code.STORAGE_UNAVAILABLE, Code.REALTIME_TIMEOUT)
ADMITTING = (
    *ASKING,
    Code.USERNAME_TAKEN,
    Code.IDEMPOTENCY_KEY_REUSED,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
)


def limit(default: int) -> OpenApiParameter:
    """How many to list."""
    return OpenApiParameter(
        "limit",
        int,
        default=default,
        description=f"What is below 1 counts as 1, what is above {LISTED_MAX} as {LISTED_MAX}.",
    )


class JsonSchema(AutoSchema):
    """A view's part of the document: everything is JSON, and each path is grouped by its noun."""

    def map_parsers(self) -> list[str]:
        """What bodies may be."""
        return ["application/json"]

    def map_renderers(self, attribute: str) -> list[str]:
        """What answers are."""
        return ["application/json"]

    def get_tags(self) -> list[str]:
        """`rooms` for /api/rooms/…, `healthz` for /healthz."""
        return [self.path.removeprefix("/api").split("/")[1]]


class StructSchema(OpenApiSerializerExtension):
    """Lets drf-spectacular take a msgspec Struct where it expects a serializer."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        """The model's own name."""
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        """The model's JSON Schema; what it refers to becomes components too."""
        schemas = _schemas(self.target, *SETTINGS.values())
        own = schemas.pop(self.target.__name__)
        for name, schema in schemas.items():
            model = vars(http).get(name, name)  # the same that a view may name itself
            component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, model)
            auto_schema.registry.register_on_missing(component)
        return own


def described(
    operation_id: str, status: int, model: type[msgspec.Struct], *codes: Code, **more: Any
) -> Callable[[Any], Any]:
    """Describes a view's method: what a success holds, and which errors there may be."""
    by_status: defaultdict[int, list[Code]] = defaultdict(list)
    for code in (*ALWAYS, *codes):
        by_status[CATALOGUE[code].status].append(code)
    if set(READING) <= set(codes):
        by_status[502].append(Code.INTERNAL_ERROR)
    responses: dict[int, Any] = {status: model}
    for error_status, found in sorted(by_status.items()):
        responses[error_status] = OpenApiResponse(ErrorBody, ", ".join(found))
    return extend_schema(operation_id=operation_id, responses=responses, **more)


def _schemas(*models: type[msgspec.Struct]) -> dict[str, Any]:
    """Each model's schema by name. A room's settings are those of some party."""
    _, schemas = msgspec.json.schema_components(models, ref_template=REFS)
    settings = {"anyOf": [{"$ref": REFS.format(name=one.__name__)} for one in SETTINGS.values()]}
    for schema in schemas.values():
        if schema.get("properties", {}).get("settings") == {}:
            schema["properties"]["settings"] = settings
    return schemas
