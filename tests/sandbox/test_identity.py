# ruff: noqa: S113 - the sandbox is in this process; a test that waits for it shall be seen to wait
import base64
import hashlib
import json
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from xpmsync.sandbox import App, Practice, Switches
from xpmsync.sandbox.browser import NoWayOnError, press

DAY = 86400


def decode_part(token: str, part: int) -> bytes:
    text = token.split(".")[part]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# The consent page


def test_the_consent_page_names_the_app_the_practice_and_what_is_asked(sandbox, new_program):
    page = requests.get(new_program(sandbox).authorise_url())
    assert page.status_code == 200
    for words in ("Practice sync", "Fern &amp; Co", "View staff", "Allow access", "Cancel", 'lang="en"'):
        assert words in page.text


def test_allow_access_leads_back_with_code_scope_state_and_session_state(sandbox, new_program):
    redirect = urlsplit(press(new_program(sandbox).authorise_url()))
    assert f"{redirect.scheme}://{redirect.netloc}{redirect.path}" == "http://localhost:8742/callback"
    query = parse_qs(redirect.query)
    assert query.keys() == {"code", "scope", "state", "session_state"}
    assert query["state"] == ["s-1"]


def test_cancel_leads_back_with_access_denied(sandbox, new_program):
    redirect = urlsplit(press(new_program(sandbox).authorise_url(), "Cancel"))
    assert parse_qs(redirect.query) == {"error": ["access_denied"], "state": ["s-1"]}


def test_a_consent_page_can_be_sent_once(sandbox, new_program):
    page = requests.get(new_program(sandbox).authorise_url()).text
    consent = page.split('name="consent" value="')[1].split('"')[0]
    form = {"consent": consent, "tenant": "", "button": "allow"}
    url = f"{sandbox.url}/identity/connect/consent"
    assert requests.post(url, data=form, allow_redirects=False).status_code == 302
    assert requests.post(url, data=form, allow_redirects=False).status_code == 400


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redirect_uri": "http://localhost:8742/callback/"}, "unauthorized_client : Invalid redirect_uri"),
        ({"redirect_uri": "http://localhost:9999/callback"}, "unauthorized_client : Invalid redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1:8742/callback"}, "unauthorized_client : Invalid redirect_uri"),
        ({"client_id": "nobody"}, "unauthorized_client : Unknown client"),
        ({"scope": "practicemanager.nonsense"}, "Invalid scope for client"),
        ({"scope": None}, "Invalid scope for client"),
        ({"scope": "practicemanager accounting.contacts"}, "cannot be asked for together"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "code challenge required"),
        ({"code_challenge_method": "plain"}, "Transform algorithm not supported"),
        ({"code_challenge": "short"}, "Transform algorithm not supported"),
    ],
)
def test_a_wrong_request_ends_at_a_page_and_nothing_comes_back(sandbox, new_program, changes, words):
    page = requests.get(new_program(sandbox).authorise_url(**changes), allow_redirects=False)
    assert page.headers["content-type"].startswith("text/html")
    assert "location" not in page.headers
    assert words in page.text


def test_what_a_program_sends_is_escaped_in_the_page(sandbox, new_program):
    page = requests.get(new_program(sandbox).authorise_url(scope="<script>alert(1)</script>"))
    assert "<script>" not in page.text


def test_further_redirect_ports_can_be_registered(serve, new_program):
    sandbox = serve(apps=[App(redirect_ports=(50123,))])
    assert press(new_program(sandbox).authorise_url(redirect_uri="http://localhost:50123/callback"))


def test_several_practices_are_offered_and_one_is_chosen_by_name(sandbox, new_program):
    second = sandbox.add_practice(Practice("Second & Sons"))
    assert "<select" in requests.get(new_program(sandbox).authorise_url()).text
    program = new_program(sandbox).connect(practice="Second & Sons")
    assert [each["tenantId"] for each in program.connections()] == [second]


def test_without_a_choice_all_practices_are_connected(sandbox, new_program):
    sandbox.add_practice(Practice("Second"))
    sandbox.add_practice(Practice("A company"), tenant_type="ORGANISATION")
    types = [each["tenantType"] for each in new_program(sandbox).connect().connections()]
    assert types == ["PRACTICEMANAGER", "PRACTICEMANAGER", "ORGANISATION"]


# Codes


def test_a_code_is_exchanged_once(sandbox, new_program):
    program = new_program(sandbox)
    code = program.code()
    assert program.exchange(code).status_code == 200
    answer = program.exchange(code)
    assert (answer.status_code, answer.text) == (400, '{"error":"invalid_grant"}')


def test_a_code_lives_five_minutes(sandbox, new_program):
    program = new_program(sandbox)
    code, late_code = program.code(), program.code()
    sandbox.clock.advance(299)
    assert program.exchange(code).status_code == 200
    sandbox.clock.advance(2)
    assert program.exchange(late_code).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": None},
        {"code_verifier": "short"},
        {"redirect_uri": "http://localhost/callback"},
    ],
)
def test_a_code_needs_its_own_verifier_and_redirect_address(sandbox, new_program, changes):
    program = new_program(sandbox)
    assert program.exchange(program.code(), **changes).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(("length", "works"), [(42, False), (43, True), (128, True), (129, False)])
def test_a_verifier_has_43_to_128_characters(sandbox, new_program, length, works):
    program = new_program(sandbox)
    verifier = "v" * length
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    answer = program.exchange(program.code(code_challenge=challenge), code_verifier=verifier)
    assert (answer.status_code == 200) is works


# Apps


def test_an_app_without_a_secret_may_not_send_one(sandbox, new_program):
    program = new_program(sandbox)
    code = program.code()
    assert program.exchange(code, client_secret="guess").json() == {"error": "invalid_client"}
    program.auth = ("sandbox-app", "guess")
    assert program.exchange(code).json() == {"error": "invalid_client"}


def test_an_app_with_a_secret_needs_it_by_basic_authorization(web_program):
    code = web_program.code()
    web_program.auth = None
    assert web_program.exchange(code).json() == {"error": "invalid_client"}
    assert web_program.exchange(code, client_secret="sandbox-secret").json() == {"error": "invalid_client"}
    web_program.auth = ("sandbox-app", "wrong")
    assert web_program.exchange(code).json() == {"error": "invalid_client"}
    web_program.auth = ("sandbox-app", "sandbox-secret")
    assert web_program.exchange(code).status_code == 200
    web_program.auth = ("nobody", "sandbox-secret")
    assert web_program.exchange(code).json() == {"error": "invalid_client"}


def test_an_app_with_a_secret_may_leave_out_the_challenge(web_program):
    code = web_program.code(code_challenge=None, code_challenge_method=None)
    assert web_program.exchange(code, code_verifier=None).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "made-up"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "scope": "practicemanager"}, "invalid_scope"),
    ],
    ids=["an unknown grant type", "an unknown refresh token", "more than was granted"],
)
def test_what_is_refused_is_named(program, form, error):
    assert program.token(**{"refresh_token": program.tokens["refresh_token"]} | form).json() == {"error": error}


# Tokens


def test_the_access_token_is_a_signed_jwt_with_xeros_claims(sandbox, program):
    token = program.tokens["access_token"]
    assert 900 < len(token) < 1300
    claims = json.loads(decode_part(token, 1))
    assert claims.keys() == {
        *("nbf", "exp", "iss", "aud", "client_id", "sub", "auth_time", "xero_userid", "global_session_id", "jti"),
        *("scope", "authentication_event_id", "amr"),
    }
    assert claims["exp"] - claims["nbf"] == 1800
    assert claims["authentication_event_id"] == program.connections()[0]["authEventId"]
    discovery = requests.get(f"{sandbox.url}/.well-known/openid-configuration").json()
    assert discovery["token_endpoint"] == f"{sandbox.url}/connect/token"
    keys = requests.get(f"{sandbox.url}/.well-known/openid-configuration/jwks").json()["keys"]
    modulus = int.from_bytes(decode_part(f".{keys[0]['n']}", 1))
    assert modulus.bit_length() == 2048
    opened = pow(int.from_bytes(decode_part(token, 2)), 65537, modulus).to_bytes(256)
    assert opened.endswith(hashlib.sha256(token.rpartition(".")[0].encode()).digest())
    assert opened.startswith(b"\x00\x01\xff\xff")


def test_the_token_answer_has_xeros_fields(program):
    assert program.tokens.keys() == {"access_token", "expires_in", "token_type", "refresh_token", "scope"}
    assert (program.tokens["expires_in"], program.tokens["token_type"]) == (1800, "Bearer")


def test_without_offline_access_there_is_no_refresh_token_and_openid_adds_an_identity(sandbox, new_program):
    program = new_program(sandbox).connect(scope="openid practicemanager.staff.read")
    assert "refresh_token" not in program.tokens
    assert json.loads(decode_part(program.tokens["id_token"], 1))["aud"] == "sandbox-app"


def test_a_refresh_replaces_the_token_and_the_replaced_one_works_for_thirty_minutes_after_its_first_use(
    sandbox,
    program,
):
    old = program.tokens["refresh_token"]
    sandbox.clock.advance(59 * DAY)
    new = program.refresh(old).json()["refresh_token"]
    assert new != old
    sandbox.clock.advance(29 * 60)
    for _ in range(3):
        assert program.refresh(old).status_code == 200
    sandbox.clock.advance(2 * 60)
    assert program.refresh(old).json() == {"error": "invalid_grant"}
    assert program.refresh(new).status_code == 200


def test_a_refresh_token_dies_after_sixty_days_without_use(sandbox, program):
    sandbox.clock.advance(60 * DAY + 1)
    assert program.refresh().json() == {"error": "invalid_grant"}


def test_scopes_add_up_over_consents(sandbox, new_program):
    new_program(sandbox).connect(scope="offline_access practicemanager.job.read")
    assert "practicemanager.job.read" in new_program(sandbox).connect().tokens["scope"]


# Revocation and connections


def revoke(program, token: str) -> requests.Response:
    form = {"client_id": "sandbox-app", "token": token}
    return requests.post(f"{program.sandbox.url}/connect/revocation", data=form)


def test_revoking_removes_all_connections_and_every_grant_of_the_user(sandbox, new_program):
    sandbox.add_practice(Practice("Second"))
    first, second = new_program(sandbox).connect(), new_program(sandbox).connect()
    assert len(second.connections()) == 2
    answer = revoke(first, first.tokens["refresh_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert second.connections() == []
    assert second.refresh().json() == {"error": "invalid_grant"}
    assert second.get("staff.api/list").status_code == 403


def test_revoking_an_unknown_token_is_no_error_and_changes_nothing(program):
    assert revoke(program, "made-up").status_code == 200
    assert len(program.connections()) == 1


def test_connections_have_xeros_fields_and_dates(program):
    connection = program.connections()[0]
    assert list(connection) == [
        *("id", "authEventId", "tenantId", "tenantType", "tenantName", "createdDateUtc", "updatedDateUtc"),
    ]
    assert (connection["tenantType"], connection["tenantName"]) == ("PRACTICEMANAGER", "Fern & Co")
    assert len(connection["createdDateUtc"].partition(".")[2]) == 7
    assert datetime.fromisoformat(connection["createdDateUtc"]).tzinfo is None


def test_connections_can_be_filtered_by_the_sign_in(sandbox, new_program):
    first = new_program(sandbox).connect()
    event = first.connections()[0]["authEventId"]
    assert len(first.connections(f"?authEventId={event}")) == 1
    assert first.connections("?authEventId=00000000-0000-4000-8000-000000000000") == []


def test_one_connection_is_deleted_by_its_own_id_and_not_by_the_tenants(sandbox, program):
    connection = program.connections()[0]
    url = f"{sandbox.url}/connections/"
    assert requests.delete(url + connection["tenantId"], headers=program.bearer()).status_code == 403
    assert requests.delete(url + connection["id"], headers=program.bearer()).status_code == 204
    assert program.connections() == []
    assert program.get("staff.api/list").status_code == 403
    assert program.refresh().status_code == 200


def test_connections_need_a_token(sandbox):
    assert requests.get(f"{sandbox.url}/connections").status_code == 401


# Switches


@pytest.mark.parametrize(("value", "same"), [("same", True), ("new", False)])
def test_a_replayed_refresh_token_gives_the_same_or_a_new_one(serve, new_program, value, same):
    program = new_program(serve(switches=Switches(replayed_refresh=value))).connect()
    old = program.tokens["refresh_token"]
    first, second = (program.refresh(old).json()["refresh_token"] for _ in range(2))
    assert (first == second) is same
    assert program.refresh(second).status_code == 200


def test_an_app_without_a_secret_can_be_kept_from_practice_scopes(serve, new_program):
    sandbox = serve(switches=Switches(pkce_practice_scopes=False), apps=[App(), App("web", secret="s")])
    with pytest.raises(NoWayOnError, match="Invalid scope for client"):
        press(new_program(sandbox).authorise_url())
    assert press(new_program(sandbox).authorise_url(client_id="web"))


def test_token_errors_can_come_as_401(serve, new_program):
    program = new_program(serve(switches=Switches(token_error_status=401)))
    answer = program.refresh("made-up")
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_grant"})


def test_the_lifetimes_can_be_set(serve, new_program):
    switches = Switches(access_token_seconds=720, replay_grace_seconds=10, refresh_token_seconds=100, code_seconds=5)
    sandbox = serve(switches=switches)
    program = new_program(sandbox).connect()
    assert program.tokens["expires_in"] == 720
    old = program.tokens["refresh_token"]
    new = program.refresh(old).json()["refresh_token"]
    sandbox.clock.advance(11)
    assert program.refresh(old).json() == {"error": "invalid_grant"}
    sandbox.clock.advance(90)
    assert program.refresh(new).json() == {"error": "invalid_grant"}
    code = program.code()
    sandbox.clock.advance(6)
    assert program.exchange(code).json() == {"error": "invalid_grant"}


def test_more_or_fewer_scopes_can_be_granted_than_asked(serve, new_program):
    switches = Switches(extra_scopes="practicemanager.job.read", withheld_scopes="practicemanager.client.read")
    granted = new_program(serve(switches=switches)).connect().tokens["scope"].split()
    assert granted == ["offline_access", "practicemanager.staff.read", "practicemanager.job.read"]


def test_scopes_can_be_kept_from_adding_up(serve, new_program):
    sandbox = serve(switches=Switches(scopes_add_up=False))
    new_program(sandbox).connect(scope="offline_access practicemanager.job.read")
    assert "practicemanager.job.read" not in new_program(sandbox).connect().tokens["scope"]


def test_a_user_without_the_permission_sees_no_practice_and_has_no_connection(serve, new_program):
    sandbox = serve(switches=Switches(user_may_connect=False))
    program = new_program(sandbox)
    assert "No Practice Manager account" in requests.get(program.authorise_url()).text
    assert program.connect().connections() == []


def test_the_tenant_name_can_be_null(serve, new_program):
    program = new_program(serve(switches=Switches(tenant_name_null=True))).connect()
    assert program.connections()[0]["tenantName"] is None
