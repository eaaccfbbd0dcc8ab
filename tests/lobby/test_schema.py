import jsonschema
import pytest
from django.core.checks import run_checks
from drf_spectacular.validation import validate_schema

from contracts.errors import Code

pytestmark = pytest.mark.django_db  # a page of Django's, which looks after its connections


@pytest.fixture
def document(browser, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = browser.get("/api/schema", params={"format": "json"})
    assert response.status_code == 200
    return response.json()


def schema_of(document, path, method, status=None):
    operation = document["paths"][path][method]
    part = operation["responses"][status] if status else operation["requestBody"]
    schema = part["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


def test_it_is_valid_openapi(document):
    validate_schema(document)


def test_no_two_models_share_a_name(document):
    problems = [problem.msg for problem in run_checks(include_deployment_checks=True)]
    assert not [message for message in problems if "components with identical names" in message]


def test_it_names_every_endpoint(document):
    named = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert named == {
        ("/api/rooms", "get"),
        ("/api/rooms", "post"),
        ("/api/rooms/{room_id}", "get"),
        ("/api/rooms/{room_id}/join", "post"),
        ("/api/rooms/{room_id}/matches", "get"),
        ("/api/matches/{match_id}", "get"),
        ("/api/leaderboard", "get"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/status", "get"),
    }


def test_it_describes_what_create_takes_and_gives(document, browser):
    body = {"username": "alice", "settings": {"playerCap": 8}}
    answer = browser.post("/api/rooms", json=body).json()
    jsonschema.validate(body, schema_of(document, "/api/rooms", "post"))
    jsonschema.validate(answer, schema_of(document, "/api/rooms", "post", "201"))


@pytest.mark.parametrize("body", [{}, {"username": 5}, {"username": "a", "visibility": "secret"}])
def test_it_refuses_what_create_refuses(document, body):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, schema_of(document, "/api/rooms", "post"))


def test_it_describes_a_room(document, browser):
    summary = schema_of(document, "/api/rooms/{room_id}", "get", "200")
    jsonschema.validate(browser.get("/api/rooms/ROOM23").json(), summary)


@pytest.mark.parametrize(
    "path",
    ["/api/rooms", "/api/rooms/{room_id}/matches", "/api/matches/{match_id}", "/api/leaderboard"],
)
def test_it_describes_what_is_listed(document, browser, path):
    listed = browser.get(path.format(room_id="ROOM23", match_id="m_1"))
    assert listed.status_code == 200
    jsonschema.validate(listed.json(), schema_of(document, path, "get", "200"))


def test_it_describes_what_a_list_takes(document):
    parameters = {
        (one["name"], one.get("required", False))
        for one in document["paths"]["/api/rooms"]["get"]["parameters"]
    }
    names = ("party", "status", "hasSpace", "cursor")
    assert parameters == {(name, False) for name in names}
    responses = document["paths"]["/api/rooms"]["get"]["responses"]
    assert set(responses) == {"200", "400", "429", "500", "502", "503", "504"}


def test_it_describes_errors(document, browser, realtime):
    realtime.refuses(Code.ROOM_FULL)
    answer = browser.post("/api/rooms/ROOM23/join", json={"username": "a"})
    assert answer.status_code == 409
    jsonschema.validate(
        answer.json(), schema_of(document, "/api/rooms/{room_id}/join", "post", "409")
    )
    described = document["paths"]["/api/rooms/{room_id}/join"]["post"]["responses"]["409"]
    assert "ROOM_FULL" in described["description"]


def test_the_documentation_needs_no_other_server(browser):
    page = browser.get("/api/docs")
    assert page.status_code == 200
    assert "https://" not in page.text.replace("https://rt.example", "")
    assert "/static/drf_spectacular_sidecar/" in page.text
