"""The line to Xero's own addresses: TLS whose certificates are verified, through a proxy where the machine has one.

Xero's hosts are played by a proxy on loopback: what a program sends through it to ``api.xero.com`` ends at a TLS server
with a certificate of the test's own authority, and behind that at the sandbox.
"""

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from xpmsync.config import change_config
from xpmsync.errors import TransientError
from xpmsync.sandbox import Practice
from xpmsync.system.clock import Clock

pytestmark = pytest.mark.slow

HOSTS = ("login.xero.com", "identity.xero.com", "api.xero.com")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A maker of certificates, and the file of the authority that vouches for them."""
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))

    def make(hosts, days):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        not_after = datetime.now(UTC) + timedelta(days=days)
        authority.issue_cert(*hosts, not_before=not_after - timedelta(days=30), not_after=not_after).configure_cert(
            context
        )
        return context

    make.file = file
    return make


class Proxy:
    """A proxy that leads every host to the sandbox, behind TLS; it notes the hosts, and all that it could read."""

    def __init__(self, context, sandbox):
        self.context = context
        self.sandbox = (urlsplit(sandbox.url).hostname, urlsplit(sandbox.url).port)
        self.hosts = []
        self.seen = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.lead, args=self.listener.accept()[:1], daemon=True).start()

    def lead(self, line):
        with contextlib.suppress(OSError), line:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += line.recv(1)
            self.seen += head
            self.hosts.append(head.split()[1].decode())
            line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self.context.wrap_socket(line, server_side=True) as inside:
                assert inside.version() in ("TLSv1.2", "TLSv1.3")
                with socket.create_connection(self.sandbox) as onward:
                    threading.Thread(target=self.pump, args=(onward, inside), daemon=True).start()
                    self.pump(inside, onward)

    @staticmethod
    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def firm(make_firm):
    """A firm whose settings name Xero's own addresses."""
    practice = Practice()
    practice.add_client("Ngata Ltd", account_manager=practice.add_staff("Ann Lee", "ann@firm.example"))
    firm = make_firm(practice)
    change_config(firm.home, dict.fromkeys(("xero.login_url", "xero.identity_url", "xero.api_url")))
    return firm


@pytest.fixture
def through(firm, monkeypatch):
    """Runs a sync through a proxy; gives the proxy, and what a person is told if the run fails."""

    def call(context, **environment):
        proxy = Proxy(context, firm.sandbox)
        for name, value in {"HTTPS_PROXY": proxy.address, "NO_PROXY": "", **environment}.items():
            monkeypatch.setenv(name, value)
        told = ""
        try:
            firm.sync(clock=Clock(sleep=lambda _: None))
        except TransientError as error:
            told = f"{error.in_full} {error.remedy}"
        proxy.listener.close()
        return proxy, told

    return call


def test_a_run_goes_through_the_machine_s_proxy_to_xero_s_own_hosts_and_only_them(firm, through, authority):
    proxy, told = through(authority(HOSTS, 2), REQUESTS_CA_BUNDLE=str(authority.file))
    assert told == ""
    assert {*proxy.hosts} == {"identity.xero.com:443", "api.xero.com:443"}
    assert b"Bearer" not in proxy.seen  # all that the proxy could read says where the line goes
    assert firm.rows("SELECT legal_name FROM clients") == [{"legal_name": "Ngata Ltd"}]


@pytest.mark.parametrize(
    ("hosts", "days", "is_known", "reason"),
    [
        (HOSTS, 2, False, "unable to get local issuer certificate"),
        (("evil.example",), 2, True, "Hostname mismatch"),
        (HOSTS, 0, True, "certificate has expired"),
    ],
    ids=["nobody vouches", "another host's", "expired"],
)
def test_a_certificate_that_cannot_be_trusted_gets_no_token_and_is_explained(
    firm, through, authority, hosts, days, is_known, reason
):
    stored = dict(firm.sandbox.keychain.passwords)
    asked = len(firm.sandbox.requests)
    environment = {"REQUESTS_CA_BUNDLE": str(authority.file)} if is_known else {}
    _, told = through(authority(hosts, days), **environment)
    assert "The certificate that this computer was shown for identity.xero.com cannot be trusted" in told
    assert reason.lower() in told.lower()
    assert "REQUESTS_CA_BUNDLE" in told
    assert len(firm.sandbox.requests) == asked
    assert stored.keys() == firm.sandbox.keychain.passwords.keys()


def test_a_proxy_that_is_down_is_named(through, authority):
    _, told = through(authority(HOSTS, 2), HTTPS_PROXY="http://ann:secret@127.0.0.1:1")
    assert "The proxy 127.0.0.1:1 does not connect this computer to identity.xero.com: Connection refused." in told
    assert "HTTPS_PROXY" in told
    assert "secret" not in told


def test_no_setting_and_no_option_switches_the_verification_off():
    sources = [path.read_text("utf-8") for path in Path(__file__).parents[2].glob("xpmsync/**/*.py")]
    assert len(sources) > 50
    for word in ("verify=False", "verify = False", "CERT_NONE", "check_hostname = False", "_create_unverified"):
        assert not any(word in source for source in sources)
