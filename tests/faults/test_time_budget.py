"""A run ends in its time whatever the server does. The limits are shortened here; the servers are real ones."""

import time

import pytest
from servers import HostileServer

from xpmsync.config import change_config
from xpmsync.credentials import store
from xpmsync.errors import TransientError
from xpmsync.sandbox import Practice
from xpmsync.sync.fetch import FETCH_SECONDS, RUN_SECONDS
from xpmsync.system.clock import Clock
from xpmsync.xpm import oauth, tokens

pytestmark = pytest.mark.slow

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n"
RUN, ANSWER, SILENCE = 0.5, 0.15, 5.0
"""Seconds, in place of 35 minutes, and of 20 minutes at the API and one at the sign-in server."""


def drip(beginning, drop):
    """An answer that begins well, and goes on by a drop now and then for ever: no read time-out ever ends that."""

    def drip():
        yield beginning
        while True:
            time.sleep(0.02)
            yield drop

    return drip


SERVERS = {
    "accepts and says nothing": lambda: time.sleep(SILENCE) or (),
    "sends a status line that never ends": drip(b"HTTP/1.1 200 ", b"O"),
    "sends headers that never end": drip(HEAD + b"x-header: ", b"x"),
    "says that it goes on for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "drips a body": drip(HEAD + b"content-length: 100000000\r\n\r\n<Response>", b" "),
    "drips a body without an end": drip(HEAD + b"connection: close\r\n\r\n<Response><Status>OK</Status>", b"<x/>"),
    "drips chunks": drip(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "drips an error": drip(b"HTTP/1.1 500 Error\r\ncontent-length: 60000\r\n\r\n", b"{"),
    "hangs up": lambda: (),
}


@pytest.fixture
def firm(make_firm):
    firm = make_firm(Practice.generate(clients=20, staff=12, seed=7))
    firm.sync()
    return firm


def run_against(firm, setting, address):
    """Run against another server, and then against Xero's stand-in again; gives how long the first took."""
    url = firm.sandbox.url
    change_config(firm.home, {setting: address})
    clients = firm.rows("SELECT * FROM clients")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xpmsync.sync.fetch.FETCH_SECONDS", RUN)
        patch.setattr("xpmsync.xpm.client.ANSWER_SECONDS", ANSWER)
        patch.setattr("xpmsync.xpm.oauth.ANSWER_SECONDS", ANSWER)
        started = time.monotonic()
        with pytest.raises(TransientError):
            firm.sync(clock=Clock(sleep=lambda _: None))
    seconds = time.monotonic() - started
    assert firm.rows("SELECT * FROM clients") == clients
    change_config(firm.home, {setting: url})
    firm.sync()
    assert [row["status"] for row in firm.rows("SELECT status FROM sync_runs")] == ["succeeded", "failed", "succeeded"]
    return seconds


@pytest.mark.parametrize("speak", SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize("setting", ["xero.api_url", "xero.identity_url"])
def test_a_run_ends_in_time_where_the_server(firm, setting, speak):
    with HostileServer({"": speak}) as server:
        assert run_against(firm, setting, server.url) < RUN + 3 * ANSWER + 2


@pytest.mark.parametrize("setting", ["xero.api_url", "xero.identity_url"])
def test_a_run_ends_in_time_where_a_handshake_never_ends(firm, setting):
    with HostileServer() as server:
        assert run_against(firm, setting, server.url.replace("http", "https")) < RUN + 3 * ANSWER + 2


@pytest.mark.parametrize("address", ["https://127.0.0.1:1", "https://xero.invalid"], ids=["port", "name"])
@pytest.mark.parametrize("setting", ["xero.api_url", "xero.identity_url"])
def test_a_run_ends_in_time_where_nobody_is_behind_the(firm, setting, address):
    assert run_against(firm, setting, address) < RUN + 3 * ANSWER + 2


def test_the_limits_add_up_to_less_than_a_run_may_take():
    """A renewal that begins in the last moment: lock, keyring, what is asked, and the pauses that Xero may wish for."""
    candidates = 3
    asks = candidates + len(tokens.PAUSES_SECONDS)
    keyring_calls = 8
    renewal_seconds = (
        tokens.LOCK_SECONDS
        + keyring_calls * store.PATIENCE_SECONDS
        + asks * oauth.ANSWER_SECONDS
        + len(tokens.PAUSES_SECONDS) * tokens.LONGEST_PAUSE_SECONDS
    )
    assert FETCH_SECONDS + renewal_seconds <= RUN_SECONDS
