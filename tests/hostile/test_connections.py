"""Lists of connections as Xero never sent one, through `connect` and `disconnect`; the sandbox signs in."""

import json
import re

import pytest
from hostile_world import say
from servers import HostileServer, head, wrap

from xpmsync.config import change_config, read_config
from xpmsync.home import load_home_id
from xpmsync.sandbox import App, Practice, Sandbox
from xpmsync.system.clock import Clock

ID, SECOND_ID, OTHER_ID = (f"5a97a3a1-b0de-4c49-82b5-e75e1ebc035{number}" for number in range(3))
OTHER = {
    "id": OTHER_ID,
    "tenantId": "0f1e2d3c-0914-4429-9b76-fceaba2004b2",
    "tenantType": "ORGANISATION",
    "tenantName": "Other & Sons\x1b[2J",
}
ODD = [
    "a text",
    None,
    7,
    [],
    {},
    {"id": "0", "tenantId": None, "tenantType": "PRACTICEMANAGER", "tenantName": "A"},
    {"id": SECOND_ID, "tenantId": 7, "tenantType": "PRACTICEMANAGER"},
    {"id": SECOND_ID, "tenantId": "../x", "tenantType": ["PRACTICEMANAGER"], "tenantName": {}},
]


@pytest.fixture
def desk(tmp_path, free_port, furnish, monkeypatch, allow_access):  # noqa: ARG001 - the browser
    """A firm that has signed in, whose API is a server of the test's own; a browser that allows access."""

    with Sandbox(Practice(), apps=(App(redirect_ports=(free_port,)),)) as sandbox, HostileServer() as server:
        firm = furnish(sandbox, tmp_path / "home", monkeypatch)
        redirect = f"http://localhost:{free_port}/callback"
        change_config(firm.home, {"xero.api_url": server.url, "xero.redirect_uri": redirect})
        server.answers["staff.api/list"] = head() + wrap("", "StaffList")
        for each in (ID, SECOND_ID, OTHER_ID):
            server.answers[f"/connections/{each}"] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
        yield Desk(firm, server)


class Desk:
    def __init__(self, firm, server):
        self.firm, self.server = firm, server

    def list(self, *entries):
        self.server.answers["/connections"] = head(kind="application/json") + json.dumps(entries).encode()

    def own(self, **values):
        tenant_id = self.firm.sandbox.tenant_id
        return {"id": ID, "tenantId": tenant_id, "tenantType": "PRACTICEMANAGER", "tenantName": "Firm"} | values

    @property
    def deleted(self):
        return [request.split()[1].rpartition("/")[2] for request in self.server.requests if request[:6] == "DELETE"]

    @property
    def is_revoked(self):
        return any(request.path == "/connect/revocation" for request in self.firm.sandbox.requests)

    @property
    def is_forgotten(self):
        return ("xpmsync", f"{load_home_id(self.firm.home)}/sign-in") not in self.firm.sandbox.keychain.passwords


def disconnect():
    return say("disconnect", "--yes", clock=Clock(sleep=lambda _: None))


def test_connect_skips_entries_that_name_no_practice_and_takes_one_that_comes_twice_for_one(desk):
    change_config(desk.firm.home, {"sync.tenant_id": None})
    own = desk.own(id="0", tenantName=None)
    desk.list(*ODD, own, OTHER, desk.own(tenantId=own["tenantId"].upper()))
    exit_code, output, errors = say("connect")
    assert (exit_code, errors) == (0, "")
    assert "Connected to “Firm”" in output
    assert read_config(desk.firm.home).sync.tenant_id == own["tenantId"]


def test_connect_says_that_there_is_no_practice_where_all_entries_are_odd(desk):
    desk.list(*ODD, OTHER)
    exit_code, _, errors = say("connect")
    assert exit_code == 7
    assert "offers no practice" in errors


@pytest.mark.parametrize(
    ("ids", "deleted"),
    [((ID,), [ID]), ((ID, SECOND_ID, ID), [ID, SECOND_ID]), (("0",), []), ((None, 7), []), ((), [])],
    ids=["once", "twice", "no ID", "no texts", "not listed"],
)
def test_disconnect_ends_every_connection_to_the_practice_and_the_grant(desk, ids, deleted):
    desk.list(*ODD, *(desk.own(id=each) for each in ids))
    exit_code, output, errors = disconnect()
    assert (exit_code, errors) == (0, "")
    assert ("ended at Xero" if ids else "lists no connection to this practice any more") in output
    assert "The refresh token has been revoked." in output
    assert desk.deleted == deleted
    assert (desk.is_revoked, desk.is_forgotten) == (True, True)


def test_disconnect_does_not_revoke_what_others_need_and_names_them(desk):
    desk.list(*ODD, OTHER, desk.own(), OTHER)
    exit_code, output, errors = disconnect()
    assert (exit_code, errors) == (0, "")
    assert desk.deleted == [ID]
    assert (desk.is_revoked, desk.is_forgotten) == (False, True)
    assert re.findall("^  (Other.*)$", output, re.MULTILINE) == ["Other & Sons\ufffd[2J"]
    assert "xpmsync connect, then: xpmsync disconnect --revoke" in " ".join(output.split())


REFUSED = head("403 Forbidden", kind="application/json") + b'{"Detail": "AuthenticationUnsuccessful"}'


@pytest.mark.parametrize("answer", [REFUSED, head("404 Not Found")])
def test_disconnect_revokes_where_the_connection_cannot_be_deleted_or_is_gone(desk, answer):
    desk.list(desk.own())
    desk.server.answers[f"/connections/{ID}"] = answer
    assert disconnect()[0] == 0
    assert (desk.is_revoked, desk.is_forgotten) == (True, True)


@pytest.mark.parametrize(
    ("answers", "faults", "code"),
    [
        ({f"/connections/{ID}": REFUSED}, (), 7),
        ({"/connections": head(kind="application/json") + b'{"a": "list"}'}, (), 7),
        ({"/connections": head("503 Service Unavailable")}, (), 6),
        ({}, ("invalid-client",), 5),
    ],
    ids=["not deleted", "unreadable", "out of order", "no token"],
)
def test_disconnect_says_what_could_not_be_ended(desk, answers, faults, code):
    desk.list(desk.own(), OTHER)
    desk.server.answers |= answers
    for fault in faults:
        desk.firm.sandbox.faults.start(fault)
    check_nothing_was_ended(desk, code)


def test_disconnect_says_so_where_xero_gives_no_id_and_others_are_connected(desk):
    desk.list(desk.own(id="0"), OTHER)
    check_nothing_was_ended(desk, 7)


def check_nothing_was_ended(desk, code):
    exit_code, output, errors = disconnect()
    assert exit_code == code
    assert "ended at Xero" not in output
    assert "could not be ended at Xero, and its refresh token was not revoked" in errors
    assert "Settings > Connected apps" in errors
    assert (desk.is_revoked, desk.is_forgotten) == (False, True)


def test_disconnect_says_that_the_connection_is_ended_where_only_revoking_fails(desk):
    desk.list(desk.own())
    with desk.firm.sandbox.faults.active("html-page", path="/connect/revocation"):
        exit_code, output, errors = disconnect()
    assert exit_code == 6
    assert "The connection has been ended at Xero." in output
    assert "The refresh token could not be revoked." in errors
    assert "xpmsync connect, then: xpmsync disconnect" in errors
    assert desk.is_forgotten
