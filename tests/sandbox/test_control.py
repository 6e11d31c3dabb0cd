# ruff: noqa: S113 - the sandbox is in this process; a test that waits for it shall be seen to wait
import pytest
import requests

from xpmsync.sandbox import Practice, Switches


@pytest.fixture
def control(sandbox):
    """Calls a control and returns the JSON; a refusal is returned as its status and message."""

    def call(method: str, control_path: str, /, **values):
        sent = {} if method == "GET" else {"json": values}
        answer = requests.request(method, f"{sandbox.url}/sandbox{control_path}", **sent)
        assert answer.headers["content-type"].startswith("application/json")
        return answer.json() if answer.ok else (answer.status_code, answer.json()["error"])

    return call


def test_the_index_lists_every_control(sandbox):
    page = requests.get(f"{sandbox.url}/sandbox")
    assert page.headers["content-type"].startswith("text/html")
    for words in ("/sandbox/clients/{uuid}/archive", "/sandbox/faults", "/sandbox/clock", "curl", sandbox.url):
        assert words in page.text


def test_the_bare_address_leads_to_the_index(sandbox):
    page = requests.get(sandbox.url)
    assert (page.status_code, page.url) == (200, f"{sandbox.url}/sandbox")
    assert sandbox.requests == []


def test_the_state_tells_everything_at_a_glance(control, sandbox):
    state = control("GET", "/state")
    assert (state["url"], state["staff"], state["clients"], state["groups"]) == (sandbox.url, 3, 4, 1)
    assert state["tenants"][0]["name"] == "Fern & Co"
    assert state["faults"] == []


def test_a_client_is_added_edited_archived_restored_deleted_and_taken_away(control, program):
    uuid = control("POST", "/clients", name="Curl & Co", email="a@example.com", groups=["Curl Group"])["UUID"]
    assert b"Curl &amp; Co" in program.get("client.api/list").content
    path = f"/clients/{uuid}"
    edited = control("PATCH", path, email=None, phone="", contacts=[{"name": "Jo", "is_primary": True}])
    assert "Email" not in edited
    assert (edited["Phone"], edited["Contacts"][0]["IsPrimary"]) == ("", "Yes")
    assert control("POST", f"{path}/archive")["IsArchived"] == "Yes"
    assert control("POST", f"{path}/restore")["IsArchived"] == "No"
    assert control("POST", f"{path}/delete")["IsDeleted"] == "Yes"
    assert control("GET", path)["Name"] == "Curl & Co"
    assert control("POST", f"{path}/vanish") == {"vanished": uuid}
    assert control("GET", path) == (400, f"There is no client '{uuid}'.")


def test_clients_are_found_by_name_or_code(control):
    control("POST", "/clients", name="Findable", client_code="XY77")
    assert [each["Name"] for each in control("GET", "/clients?find=xy7")] == ["Findable"]
    assert [each["Name"] for each in control("GET", "/clients?find=ACMER")] == ["Acmer Pty Ltd"]
    assert len(control("GET", "/clients?limit=2")) == 2


def test_a_client_is_typed_in_again_and_merged(control):
    first, second = (each["UUID"] for each in control("GET", "/clients?limit=2"))
    fresh = control("POST", f"/clients/{first}/recreate", former="archived")
    assert fresh["UUID"] != first
    assert control("GET", f"/clients/{first}")["IsArchived"] == "Yes"
    assert control("POST", f"/clients/{second}/merge", into=fresh["UUID"])["IsArchived"] == "Yes"


def test_staff_are_added_edited_disabled_enabled_typed_in_again_and_deleted(control):
    uuid = control("POST", "/staff", name="New Person", email="new@example.com")["UUID"]
    assert control("PATCH", f"/staff/{uuid}", name="Newer Person")["Name"] == "Newer Person"
    assert control("POST", f"/staff/{uuid}/disable")["disabled"] is True
    assert control("POST", f"/staff/{uuid}/enable")["disabled"] is False
    fresh = control("POST", f"/staff/{uuid}/recreate")["UUID"]
    assert control("POST", f"/staff/{fresh}/delete")["deleted"] is True
    assert [each["deleted"] for each in control("GET", "/staff")] == [False, False, False, True, True]


def test_groups_are_added_and_renamed(control):
    uuid = control("POST", "/groups", name="Fresh")["uuid"]
    assert control("PATCH", f"/groups/{uuid}", name="Renamed")["name"] == "Renamed"
    assert [each["name"] for each in control("GET", "/groups")] == ["Acmer Group", "Renamed"]


def test_a_second_practice_is_added_and_addressed_by_its_tenant(control, sandbox):
    tenant = control("POST", "/practices", name="Second")["tenant_id"]
    control("POST", f"/staff?tenant={tenant}", name="Only One")
    assert [each["Name"] for each in control("GET", f"/staff?tenant={tenant}")] == ["Only One"]
    assert sandbox.tenants()[1].name == "Second"
    assert control("GET", "/staff?tenant=nobody")[0] == 400


def test_faults_are_started_listed_and_ended(control, program):
    started = control("POST", "/faults", name="error-503", path="staff.api", times=5, form="html")
    assert (started["name"], started["times"], started["options"]) == ("error-503", 5, {"form": "html"})
    assert program.get("staff.api/list").status_code == 503
    assert control("GET", "/faults")[0]["times"] == 4
    control("POST", "/faults", name="slow")
    assert [each["name"] for each in control("DELETE", "/faults/error-503")] == ["slow"]
    assert control("DELETE", "/faults") == []
    assert program.get("staff.api/list").status_code == 200


def test_switches_are_shown_and_set(control, sandbox):
    shown = {each["name"]: each for each in control("GET", "/switches")}
    assert shown["replayed_refresh"]["value"] == "new"
    assert shown["replayed_refresh"]["unknown"] is True
    assert control("PATCH", "/switches", replayed_refresh="same", limit_minute=7, gzip="false")["limit_minute"] == 7
    assert (sandbox.switches.replayed_refresh, sandbox.switches.gzip) == ("same", False)


def test_switches_cannot_be_changed_by_accident():
    with pytest.raises(AttributeError):
        Switches().gzip = False


def test_the_clock_is_shown_and_moved(control, sandbox):
    before = sandbox.clock.now()
    control("POST", "/clock", advance=3600)
    assert 3600 <= sandbox.clock.now() - before < 3610
    assert control("POST", "/clock", set="2026-07-01T09:00:00Z")["now"].startswith("2026-07-01T09:00:0")
    assert control("GET", "/clock")["now"].startswith("2026-07-01T09:00:0")


def test_the_requests_are_shown_and_forgotten(control, program):
    program.get("staff.api/list")
    assert control("GET", "/requests")[-1]["path"] == "/practicemanager/3.1/staff.api/list"
    assert control("DELETE", "/requests") == []
    assert control("GET", "/requests") == []


@pytest.mark.parametrize(
    ("method", "path", "values", "words"),
    [
        ("POST", "/clients", {"nmae": "x"}, "A client has no 'nmae'. Did you mean 'name'?"),
        ("POST", "/clients", {"email": 7}, "'email' is a text, true, false or null, not 7."),
        ("POST", "/clients", {"contacts": "Jo"}, "'contacts' is a list"),
        ("POST", "/clients", {"extra": 7}, "'extra' is a text"),
        ("POST", "/clients/nobody/archive", {}, "There is no client 'nobody'."),
        ("PATCH", "/staff/nobody", {"name": "x"}, "There is no staff member 'nobody'."),
        ("POST", "/groups", {}, "'name' is needed, and is a text."),
        ("POST", "/faults", {"name": "nothing"}, "There is no fault 'nothing'."),
        ("POST", "/faults", {"name": "slow", "times": "many"}, "'times' is a whole number"),
        ("POST", "/faults", {"name": "slow", "times": 0}, "'times' is a whole number of at least 1, not 0."),
        ("POST", "/faults", {"name": "slow", "after": None}, "'after' is a whole number"),
        ("POST", "/faults", {"name": "slow", "path": 7}, "'path' is a text"),
        ("PATCH", "/switches", {"nothing": 1}, "There is no switch 'nothing'."),
        ("PATCH", "/switches", {"replayed_refresh": "old"}, "replayed_refresh is one of new, same, not 'old'."),
        ("PATCH", "/switches", {"gzip": "perhaps"}, "gzip is one of true, false, not 'perhaps'."),
        ("PATCH", "/switches", {"limit_minute": -1}, "limit_minute is a whole number, not -1."),
        ("PATCH", "/switches", {"limit_minute": "²"}, "limit_minute is a whole number, not '²'."),
        ("PATCH", "/switches", {"extra_scopes": 1}, "extra_scopes is a text, not 1."),
        ("POST", "/clock", {"advance": "an hour"}, "Send"),
        ("POST", "/clock", {"advance": 1e300}, "the calendar has ended"),
        ("POST", "/practices", {"name": "x", "tenant_type": 1}, "'tenant_type' is needed"),
        ("POST", "/staff", {"uuid": 7}, "'uuid' is a text"),
        ("POST", "/clock", {"set": "noon"}, "Invalid isoformat"),
        ("POST", "/clock", {"set": "0001-01-01T00:00:00+14:00"}, "out of range"),
        ("GET", "/clients?limit=many", {}, "invalid literal"),
        ("POST", "/clients/nobody/recreate", {"later": 1}, "unexpected keyword argument 'later'"),
    ],
)
def test_bad_input_is_refused_with_a_clear_message(control, method, path, values, words):
    status, message = control(method, path, **values)
    assert status == 400
    assert words in message


def test_unknown_paths_and_methods_are_named(control):
    assert control("GET", "/nothing")[0] == 404
    assert control("DELETE", "/clock") == (405, "/sandbox/clock takes GET, POST.")


@pytest.mark.parametrize(("body", "words"), [(b"{", "This is not JSON"), (b"[]", "Send a JSON object")])
def test_a_body_is_a_json_object(sandbox, body, words):
    answer = requests.post(f"{sandbox.url}/sandbox/clients", body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert words in answer.text


@pytest.mark.parametrize("path", ["/sandbox", "/sandbox/state", "/sandbox/keyring"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_web_pages_are_kept_out(sandbox, path, headers):
    assert requests.get(sandbox.url + path, headers=headers).status_code == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize("path", ["/sandbox/clients", "/sandbox/keyring"])
def test_what_a_web_page_may_send_unasked_is_refused(sandbox, path, content_type):
    answer = requests.post(sandbox.url + path, b'{"name": "x"}', headers={"content-type": content_type})
    assert answer.status_code == 415
    assert len(sandbox.practice.clients) == 4


def test_localhost_is_as_good_as_127_0_0_1(sandbox):
    assert requests.get(f"{sandbox.url}/sandbox/clock", headers={"Host": "localhost:1"}).status_code == 200


def test_the_second_practice_in_python_is_found_by_its_tenant(sandbox):
    other = Practice("Other")
    assert sandbox.practice_of(sandbox.add_practice(other)) is other
