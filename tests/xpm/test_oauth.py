import base64
import hashlib
import logging
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from xpmsync.config import XeroSettings
from xpmsync.errors import ConfigurationError, PermanentError, SignInNeeded, TransientError
from xpmsync.sandbox.browser import press
from xpmsync.xpm.oauth import IdentityClient, InvalidGrant, read_claims

XERO = IdentityClient(XeroSettings(client_id="an-id"))
TOKEN_URL = "https://identity.xero.com/connect/token"


def test_the_person_is_sent_to_xero_with_all_that_it_wants_to_know():
    consent = XERO.ask_for_consent()
    address, query = consent.address.split("?")
    assert address == "https://login.xero.com/identity/connect/authorize"
    values = parse_qs(query)
    assert len(values.pop("state")[0]) >= 30
    assert len(values.pop("code_challenge")[0]) == 43
    assert values == {
        "response_type": ["code"],
        "client_id": ["an-id"],
        "redirect_uri": ["http://localhost:8742/callback"],
        "scope": ["offline_access practicemanager.staff.read practicemanager.client.read"],
        "code_challenge_method": ["S256"],
    }


def test_no_two_sign_ins_have_the_same_state_or_challenge():
    queries = [parse_qs(urlsplit(XERO.ask_for_consent().address).query) for _ in range(5)]
    assert len({query["state"][0] for query in queries}) == 5
    assert len({query["code_challenge"][0] for query in queries}) == 5


def test_a_pkce_app_proves_itself_with_its_verifier_alone(requests_mock):
    requests_mock.post(TOKEN_URL, json={"access_token": "a", "refresh_token": "r", "expires_in": 1800, "scope": "x y"})
    consent = XERO.ask_for_consent()
    grant = consent.redeem("the-code")
    assert (grant.access_token, grant.refresh_token, grant.scopes) == ("a", "r", ("x", "y"))
    sent = requests_mock.last_request
    form = parse_qs(sent.text)
    assert "Authorization" not in sent.headers
    assert (form["grant_type"], form["client_id"], form["code"]) == (["authorization_code"], ["an-id"], ["the-code"])
    digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"][0].encode()).digest()).rstrip(b"=").decode()
    assert parse_qs(urlsplit(consent.address).query)["code_challenge"] == [digest]

    XERO.refresh("r")
    sent = requests_mock.last_request
    assert "Authorization" not in sent.headers
    assert parse_qs(sent.text) == {"grant_type": ["refresh_token"], "refresh_token": ["r"], "client_id": ["an-id"]}


def test_a_web_app_proves_itself_with_its_secret_in_the_header_alone(requests_mock):
    requests_mock.post(TOKEN_URL, json={"access_token": "a", "refresh_token": "r", "expires_in": 1800})
    IdentityClient(XeroSettings(client_id="an-id"), "a-secret").refresh("r")
    sent = requests_mock.last_request
    assert sent.headers["Authorization"] == "Basic " + base64.b64encode(b"an-id:a-secret").decode()
    assert parse_qs(sent.text) == {"grant_type": ["refresh_token"], "refresh_token": ["r"]}


@pytest.mark.parametrize(("client_id", "secret"), [("sandbox-app", None), ("web-app", "a-secret-of-the-web-app")])
def test_both_kinds_of_app_sign_in_and_refresh(office, client_id, secret):
    office.client_id, office.client_secret = client_id, secret
    grant = office.consent()
    assert grant.scopes == ("offline_access", "practicemanager.staff.read", "practicemanager.client.read")
    assert grant.lifetime_seconds == 1800
    again = office.client.refresh(grant.refresh_token)
    assert again.refresh_token != grant.refresh_token
    assert read_claims(again.access_token)["client_id"] == client_id


def test_more_scopes_than_asked_for_are_fine(office):
    office.sandbox.set_switches(extra_scopes="practicemanager.job.read")
    assert "practicemanager.job.read" in office.consent().scopes


def test_a_code_serves_once(office):
    consent = office.client.ask_for_consent()
    code = parse_qs(urlsplit(press(consent.address)).query)["code"][0]
    consent.redeem(code)
    with pytest.raises(SignInNeeded, match="five minutes"):
        consent.redeem(code)


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("invalid_grant", InvalidGrant),
        ("invalid_client", ConfigurationError),
        ("unauthorized_client", ConfigurationError),
        ("unsupported_grant_type", PermanentError),
        ("invalid_scope", PermanentError),
        ("invalid_request", PermanentError),
        ("temporarily_unavailable", TransientError),
    ],
)
def test_the_word_decides_and_not_the_status(requests_mock, status, word, kind):
    requests_mock.post(TOKEN_URL, json={"error": word}, status_code=status)
    with pytest.raises(kind):
        XERO.refresh("r")


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 403, "text": "<html>Access Denied</html>"},
        {"status_code": 429, "headers": {"Retry-After": "7"}},
        {"status_code": 500, "json": {"message": "oops"}},
        {"status_code": 503, "text": ""},
        {"status_code": 200, "text": "<html>Log in to the hotel's network</html>"},
        {"status_code": 200, "text": ""},
        {"status_code": 200, "json": []},
        {"status_code": 200, "json": {"token_type": "Bearer"}},
        {"status_code": 200, "json": {"access_token": "a", "refresh_token": "r", "expires_in": "soon"}},
        {"status_code": 200, "json": {"access_token": None, "refresh_token": "r", "expires_in": 1800}},
        {"status_code": 302, "headers": {"Location": "https://elsewhere.example.com/"}},
        {"status_code": 307, "headers": {"Location": "https://elsewhere.example.com/"}},
        {"exc": requests.ConnectTimeout},
        {"exc": requests.exceptions.SSLError},
    ],
)
def test_whatever_is_neither_a_token_nor_a_known_word_is_passing_trouble(requests_mock, answer):
    requests_mock.post(TOKEN_URL, **answer)
    elsewhere = requests_mock.register_uri("GET", "https://elsewhere.example.com/", text="")
    with pytest.raises(TransientError) as caught:
        XERO.refresh("r")
    assert not elsewhere.called
    assert caught.value.retry_after_seconds == (7 if answer.get("status_code") == 429 else None)


def test_a_server_that_is_not_there_is_passing_trouble(office):
    grant = office.consent()
    office.sandbox.stop()
    with pytest.raises(TransientError, match="refuses the connection"):
        office.client.refresh(grant.refresh_token)


def test_a_server_that_drips_is_given_up(office, monkeypatch):
    monkeypatch.setattr("xpmsync.xpm.oauth.ANSWER_SECONDS", 0.3)
    grant = office.consent()
    with (
        office.sandbox.faults.active("slow", path="/connect/token", delay_seconds=0, drip_bytes=1, drip_seconds=0.2),
        pytest.raises(TransientError, match="in time"),
    ):
        office.client.refresh(grant.refresh_token)


def test_plain_http_is_spoken_to_this_machine_alone():
    elsewhere = IdentityClient(XeroSettings(client_id="an-id", identity_url="http://identity.example.com"))
    with pytest.raises(Exception, match="OAuth 2 MUST utilize https"):
        elsewhere.refresh("r")


def test_after_a_revocation_the_grant_is_dead(office):
    grant = office.consent()
    office.client.revoke(grant.refresh_token)
    with pytest.raises(InvalidGrant):
        office.client.refresh(grant.refresh_token)


def test_the_libraries_write_no_secret_at_the_most_talkative_level(office, caplog):
    office.client_id, office.client_secret = "web-app", "a-secret-of-the-web-app"
    for name in ("", "requests_oauthlib", "requests_oauthlib.oauth2_session", "oauthlib", "urllib3"):
        caplog.set_level(logging.DEBUG, name)
    grant = office.consent()
    again = office.client.refresh(grant.refresh_token)
    office.client.revoke(again.refresh_token)
    written = caplog.text + repr(grant)
    assert "urllib3" in caplog.text
    for secret in (
        grant.access_token,
        grant.refresh_token,
        again.access_token,
        again.refresh_token,
        office.client_secret,
    ):
        assert secret not in written
