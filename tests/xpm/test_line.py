"""What keeps this computer from Xero that a person can act on: a proxy, a certificate, a file of authorities."""

import errno
import json
import ssl
import webbrowser

import pytest
import requests
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, SSLError

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.credentials.refresh_marker import find_mark, set_mark
from xpmsync.home import load_home_id
from xpmsync.sandbox import Practice
from xpmsync.xpm.connection_errors import AUTHORITIES_VARIABLES, explain_connection_error

API = "https://api.xero.com"
CONFIGURE = "configure --office MAIN --notify ann@example.com --default-partner ann@example.com --later"


def test_a_proxy_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(requests.exceptions.ProxyError) as caught:
        requests.get(API, timeout=5)
    explained = explain_connection_error(caught.value, API)
    assert explained.happened == (
        "The proxy 127.0.0.1:1 does not connect this computer to api.xero.com: Connection refused."
    )
    assert "HTTPS_PROXY" in explained.remedy
    assert explained.details.startswith("ProxyError")
    assert explain_connection_error(caught.value, API, uses_proxy=False).happened.startswith("The proxy does not")


def test_a_certificate_that_nobody_vouches_for_is_named():
    reason = ssl.SSLCertVerificationError()
    reason.verify_message = "unable to get local issuer certificate"
    explained = explain_connection_error(
        requests.exceptions.SSLError(MaxRetryError(HTTPSConnectionPool("api.xero.com"), API, SSLError(reason))), API
    )
    assert explained.happened == (
        "The certificate that this computer was shown for api.xero.com cannot be trusted: unable to get local issuer "
        "certificate."
    )
    assert "REQUESTS_CA_BUNDLE" in explained.remedy


@pytest.mark.parametrize(
    ("cause", "happened"),
    [
        (
            OSError(errno.ENETUNREACH, "Network is unreachable"),
            "api.xero.com cannot be reached: Network is unreachable.",
        ),
        (OSError("Tunnel connection failed: 503 Say secret"), "broke: it answers with status 503."),
        (OSError(), "The connection to api.xero.com broke: it was closed before the answer was complete."),
        (ValueError("secret"), "The connection to api.xero.com broke: it was closed before the answer was complete."),
    ],
)
def test_of_the_rest_the_reason_is_the_system_s_own_word_and_no_server_s(cause, happened):
    error = requests.exceptions.ConnectionError("secret")
    error.__context__ = error.__cause__ = cause
    error.__cause__.__context__ = error  # whatever goes round in a circle is looked at once
    explained = explain_connection_error(error, f"{API}/secret?secret")
    assert explained.happened.endswith(happened)
    assert "secret" not in f"{explained.happened} {explained.remedy} {explained.details}"


@pytest.fixture
def firm(make_firm, monkeypatch):
    """A firm whose settings name Xero's own addresses; none of them is asked, as the file is looked at first."""
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("the browser is opened"))
    for variable in AUTHORITIES_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    firm = make_firm(Practice())
    change_config(firm.home, dict.fromkeys(("xero.login_url", "xero.identity_url", "xero.api_url")))
    return firm


def load_sign_in(firm):
    return json.loads(firm.sandbox.keychain.passwords["xpmsync", f"{load_home_id(firm.home)}/sign-in"])


@pytest.mark.parametrize(
    "command",
    [
        "sync",
        "sync --dry-run",
        "doctor",
        "connect",
        CONFIGURE,
        "disconnect --yes",
        "disconnect --revoke --yes",
        "notify",
    ],
)
def test_every_command_names_the_variable_and_the_file_and_keeps_the_sign_in(
    firm, command, monkeypatch, capsys, tmp_path
):
    before = load_sign_in(firm)
    file = tmp_path / "missing.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    if command == "notify":
        leave_pending(firm)
    assert run(command.split()) == 5
    output, errors = capsys.readouterr()
    shown = " ".join((output + errors + firm.home.log_file.read_text()).split())
    assert (
        f"The variable REQUESTS_CA_BUNDLE names a file of certificate authorities that cannot be used: {file}." in shown
    )
    assert "No such file or directory." in shown
    assert load_sign_in(firm)["refresh_token"] == before["refresh_token"]
    assert find_mark(firm.home.sign_in_lock).exists() == (command == "notify")


def leave_pending(firm):
    """A refresh of the token was cut off in the middle."""
    key = "xpmsync", f"{load_home_id(firm.home)}/sign-in"
    value = load_sign_in(firm)
    firm.sandbox.keychain.passwords[key] = json.dumps(value | {"intent_at": value["refreshed_at"]})
    set_mark(find_mark(firm.home.sign_in_lock))


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize(
    ("content", "reason"), [("", "no certificate"), ("not a certificate", "no certificate"), (None, "No such file")]
)
@pytest.mark.parametrize("variable", AUTHORITIES_VARIABLES)
def test_a_file_without_a_certificate_is_named_too(variable, content, reason, monkeypatch, capsys, tmp_path):
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv(variable, str(file))
    assert run(["sync"]) == 5
    shown = " ".join(capsys.readouterr().err.split())
    assert f"The variable {variable} names" in shown
    assert f"{file}. " in shown
    assert reason in shown


@pytest.mark.usefixtures("firm")
def test_a_file_that_may_not_be_read_is_named_too(run_shut_out, monkeypatch, tmp_path):
    file = tmp_path / "authorities.pem"
    file.touch(mode=0)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    process = run_shut_out("sync")
    assert process.returncode == 5
    assert f"{file}. Permission denied." in process.stderr


def test_a_sandbox_on_this_computer_needs_no_authorities(make_firm, monkeypatch):
    make_firm(Practice())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/missing.pem")
    assert run(["sync"]) == 0
