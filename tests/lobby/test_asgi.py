import pytest


@pytest.mark.django_db
class TestWhatIsDjangos:
    def test_the_admin_has_its_sessions_and_forms(self, browser):
        page = browser.get("/admin/login/")
        assert page.status_code == 200
        assert "csrfmiddlewaretoken" in page.text
        assert page.headers["x-frame-options"] == "DENY"

    def test_the_admin_sends_strangers_to_its_door(self, browser):
        response = browser.get("/admin/realtime/")
        assert response.status_code == 302
        assert response.headers["location"].startswith("/admin/login/")

    def test_forms_without_their_token_are_refused(self, browser):
        assert browser.post("/admin/login/", data={"username": "root"}).status_code == 403

    def test_the_documentations_files_are_served(self, browser):
        path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
        assert browser.get(path).status_code == 200


def test_the_api_sets_no_cookie_and_needs_no_form_token(browser):
    response = browser.post("/api/rooms", json={"username": "a"})
    assert response.status_code == 201
    assert "set-cookie" not in response.headers
