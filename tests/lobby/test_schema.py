import jsonschema
import pytest
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


def test_it_names_every_endpoint(document):
    named = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert named == {
        ("/api/rooms", "post"),
        ("/api/rooms/{room_id}", "get"),
        ("/api/rooms/{room_id}/join", "post"),
        ("/healthz", "get"),
        ("/readyz", "get"),
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
