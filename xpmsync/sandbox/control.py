"""The controls under `/sandbox`: change the practice, switches, faults and clock with curl while the sandbox runs.

Responsible for JSON in and out, for clear words about bad input, and for keeping other web pages out: a page that a
person happens to visit must not reach these controls through the browser. Refuses to know what an order does.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from xpmsync.sandbox.answers import Answer, html_answer, json_answer
from xpmsync.sandbox.pages import render_index
from xpmsync.sandbox.practice import Client, Practice, Staff
from xpmsync.sandbox.server import Request
from xpmsync.sandbox.switches import describe_switches

if TYPE_CHECKING:
    from xpmsync.sandbox.sandbox import Sandbox

Values = dict[str, Any]
_LOOPBACK: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


@dataclass(frozen=True)
class _Order:
    """An order that came in: the sandbox, the practice it is for, the part of the path in braces, and the JSON."""

    sandbox: "Sandbox"
    practice: Practice
    identifier: str
    values: Values
    query: Mapping[str, str]


def refuse_outsider(request: Request) -> Answer | None:
    """Refuse what another web page could make a browser send; None for an order that may pass."""
    if not _LOOPBACK.fullmatch(request.headers.get("host", "")):  # a foreign name that was bent to point here
        return _refuse(HTTPStatus.FORBIDDEN, "The controls answer to localhost and 127.0.0.1 alone.")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return _refuse(HTTPStatus.FORBIDDEN, "The controls are not for other web pages.")
    # A browser asks before it sends this type across sites, and nobody answers that it may.
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "GET" and content_type != "application/json":
        return _refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send 'content-type: application/json'.")
    return None


def answer_control(sandbox: "Sandbox", request: Request) -> Answer:
    """Answer a request under `/sandbox`."""
    if request.path in ("/sandbox", "/sandbox/"):
        return html_answer(render_index(sandbox.url, [(route.method, route.path, route.meaning) for route in ROUTES]))
    found = [
        (route, match[1] if match.groups() else "")
        for route in ROUTES
        if (match := _pattern(route.path).fullmatch(request.path))
    ]
    for route, identifier in found:
        if route.method == request.method:
            return _carry_out(sandbox, request, route, identifier)
    if found:
        return _refuse(
            HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} takes {', '.join(route.method for route, _ in found)}."
        )
    return _refuse(HTTPStatus.NOT_FOUND, f"There is no {request.path}; see {sandbox.url}/sandbox.")


def _carry_out(sandbox: "Sandbox", request: Request, route: "_Route", identifier: str) -> Answer:
    values: Any = {}
    if request.method != "GET":
        try:
            values = json.loads(request.body or b"{}")
        except ValueError as error:
            return _refuse(HTTPStatus.BAD_REQUEST, f"This is not JSON: {error}.")
        if not isinstance(values, dict):
            return _refuse(HTTPStatus.BAD_REQUEST, "Send a JSON object.")
    query = request.parameters()
    try:
        order = _Order(sandbox, sandbox.practice_of(query.get("tenant")), identifier, values, query)
        result = route.act(order)
    except (ValueError, TypeError) as error:
        return _refuse(HTTPStatus.BAD_REQUEST, str(error))
    return _answer(result, HTTPStatus.CREATED if route.creates else HTTPStatus.OK)


def _refuse(status: HTTPStatus, message: str) -> Answer:
    return _answer({"error": message}, status)


def _answer(value: object, status: HTTPStatus) -> Answer:
    """JSON that ends its line: people read it in a terminal."""
    answer = json_answer(value, status)
    return answer.with_body(answer.content() + b"\n")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "([^/]+)", path))


# Showing


def _show_client(client: Client) -> Values:
    return {"UUID": client.uuid, **client.elements, "extra": client.extra, "edited_at": _iso(client.edited_at)}


def _show_staff(staff: Staff) -> Values:
    return {"UUID": staff.uuid, **staff.elements, "disabled": staff.disabled, "deleted": staff.deleted}


def _show(practice: Practice, uuid: str) -> Values:
    """The client, staff member or group of a UUID."""
    with practice.lock:
        if uuid in practice.clients:
            return _show_client(practice.clients[uuid])
        if uuid in practice.staff:
            return _show_staff(practice.staff[uuid])
        return dataclasses.asdict(practice.groups[uuid])


def _iso(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


# Orders


def _state(order: _Order) -> Values:
    sandbox = order.sandbox
    return {
        "url": sandbox.url,
        "now": _iso(sandbox.clock.now()),
        "tenants": [dataclasses.asdict(tenant) for tenant in sandbox.tenants()],
        "staff": len(order.practice.staff),
        "clients": len(order.practice.clients),
        "groups": len(order.practice.groups),
        "switches": dataclasses.asdict(sandbox.switches),
        "faults": _list_faults(order),
        "requests": len(sandbox.requests),
    }


def _list_clients(order: _Order) -> list[Values]:
    """The clients whose name or code holds `?find=`, at most `?limit=` (100)."""
    wanted = order.query.get("find", "").lower()
    limit = int(order.query.get("limit", "100"))
    with order.practice.lock:
        found = (
            client
            for client in order.practice.clients.values()
            if wanted in f"{client.name} {client.elements.get('ClientCode', '')}".lower()
        )
        return [_show_client(client) for client, _ in zip(found, range(limit), strict=False)]


def _add(add: Callable[[_Order], str]) -> Callable[[_Order], Values]:
    """An order that makes a record, and shows it."""
    return lambda order: _show(order.practice, add(order))


def _change(change: Callable[[Practice, str, Values], None]) -> Callable[[_Order], Values]:
    """An order that changes the record that it names, and shows it."""

    def act(order: _Order) -> Values:
        change(order.practice, order.identifier, order.values)
        return _show(order.practice, order.identifier)

    return act


def _vanish_client(order: _Order) -> Values:
    order.practice.vanish_client(order.identifier)
    return {"vanished": order.identifier}


def _text(values: Values, key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is needed, and is a text.")  # noqa: TRY004 - for a person with curl
    return value


def _list_faults(order: _Order) -> list[Values]:
    return [dataclasses.asdict(fault) for fault in order.sandbox.faults.running()]


def _start_fault(order: _Order) -> Values:
    options = {key: value for key, value in order.values.items() if key != "name"}
    return dataclasses.asdict(order.sandbox.faults.start(_text(order.values, "name"), **options))


def _stop_faults(order: _Order) -> list[Values]:
    order.sandbox.faults.stop(order.identifier or None)
    return _list_faults(order)


def _list_switches(order: _Order) -> list[Values]:
    now = dataclasses.asdict(order.sandbox.switches)
    return [
        {"name": name, "value": now[name], "default": default, "meaning": meaning, "unknown": unknown}
        for name, default, meaning, unknown in describe_switches()
    ]


def _set_switches(order: _Order) -> Values:
    order.sandbox.set_switches(**order.values)
    return dataclasses.asdict(order.sandbox.switches)


def _move_clock(order: _Order) -> Values:
    match order.values:
        case {"advance": int() | float() as seconds}:
            order.sandbox.clock.advance(seconds)
        case {"set": str(moment)}:
            order.sandbox.clock.set(datetime.fromisoformat(moment))
        case _:
            raise ValueError('Send {"advance": seconds} or {"set": "2026-07-01T09:00:00Z"}.')
    return _show_clock(order)


def _show_clock(order: _Order) -> Values:
    return {"now": _iso(order.sandbox.clock.now())}


def _list_requests(order: _Order) -> list[Values]:
    return [dataclasses.asdict(each) | {"at": _iso(each.at)} for each in list(order.sandbox.requests)]


def _forget_requests(order: _Order) -> list[Values]:
    order.sandbox.requests.clear()
    return []


def _add_practice(order: _Order) -> Values:
    practice = Practice(_text(order.values, "name"))
    tenant_type = _text({"tenant_type": "PRACTICEMANAGER"} | order.values, "tenant_type")
    return {"tenant_id": order.sandbox.add_practice(practice, tenant_type=tenant_type)}


@dataclass(frozen=True)
class _Route:
    method: str
    path: str
    meaning: str
    act: Callable[[_Order], Any]
    creates: bool = False


_CLIENT: Final = "/sandbox/clients/{uuid}"
_STAFF: Final = "/sandbox/staff/{uuid}"
ROUTES: Final = (
    _Route("GET", "/sandbox/state", "Everything at a glance.", _state),
    _Route("GET", "/sandbox/clients", "The clients; ?find= part of a name or code, ?limit= (100).", _list_clients),
    _Route(
        "POST",
        "/sandbox/clients",
        "Add a client.",
        _add(lambda order: order.practice.add_client(**order.values)),
        creates=True,
    ),
    _Route("GET", _CLIENT, "One client.", lambda order: _show_client(order.practice.client(order.identifier))),
    _Route(
        "PATCH",
        _CLIENT,
        "Edit a client; null leaves an element out.",
        _change(lambda p, u, v: p.edit_client(u, **v)),
    ),
    _Route("POST", _CLIENT + "/archive", "Archive it.", _change(lambda p, u, _: p.archive_client(u))),
    _Route("POST", _CLIENT + "/restore", "Bring it back.", _change(lambda p, u, _: p.restore_client(u))),
    _Route(
        "POST",
        _CLIENT + "/delete",
        "Delete it: flagged, still listed.",
        _change(lambda p, u, _: p.delete_client(u)),
    ),
    _Route("POST", _CLIENT + "/vanish", "Take it out of every list.", _vanish_client),
    _Route(
        "POST",
        _CLIENT + "/recreate",
        'Type it in again; {"former": "deleted", "archived", "vanished" or "kept"}.',
        _add(lambda order: order.practice.recreate_client(order.identifier, **order.values)),
        creates=True,
    ),
    _Route(
        "POST",
        _CLIENT + "/merge",
        'Merge it into another; {"into": uuid}.',
        _change(lambda p, u, v: p.merge_clients(u, _text(v, "into"))),
    ),
    _Route(
        "GET",
        "/sandbox/staff",
        "The staff.",
        lambda order: [_show_staff(each) for each in list(order.practice.staff.values())],
    ),
    _Route(
        "POST",
        "/sandbox/staff",
        "Add a staff member.",
        _add(lambda order: order.practice.add_staff(**order.values)),
        creates=True,
    ),
    _Route("PATCH", _STAFF, "Edit a staff member.", _change(lambda p, u, v: p.edit_staff(u, **v))),
    _Route("POST", _STAFF + "/delete", "Delete.", _change(lambda p, u, _: p.delete_staff(u))),
    _Route("POST", _STAFF + "/disable", "Take the log-in away.", _change(lambda p, u, _: p.disable_staff(u))),
    _Route("POST", _STAFF + "/enable", "Give the log-in back.", _change(lambda p, u, _: p.enable_staff(u))),
    _Route(
        "POST",
        _STAFF + "/recreate",
        "Delete, and type in again.",
        _add(lambda order: order.practice.recreate_staff(order.identifier)),
        creates=True,
    ),
    _Route(
        "GET",
        "/sandbox/groups",
        "The groups.",
        lambda order: [dataclasses.asdict(each) for each in list(order.practice.groups.values())],
    ),
    _Route(
        "POST",
        "/sandbox/groups",
        "Add a group.",
        _add(lambda order: order.practice.add_group(_text(order.values, "name"))),
        creates=True,
    ),
    _Route(
        "PATCH",
        "/sandbox/groups/{uuid}",
        'Rename a group; {"name": "…"}.',
        _change(lambda p, u, v: p.rename_group(u, _text(v, "name"))),
    ),
    _Route(
        "POST", "/sandbox/practices", 'Add a practice; {"name": "…", "tenant_type": "…"}.', _add_practice, creates=True
    ),
    _Route("GET", "/sandbox/faults", "The running faults.", _list_faults),
    _Route(
        "POST",
        "/sandbox/faults",
        'Start a fault; {"name", "path", "times", "after", options}.',
        _start_fault,
        creates=True,
    ),
    _Route("DELETE", "/sandbox/faults", "End all faults.", _stop_faults),
    _Route("DELETE", "/sandbox/faults/{name}", "End the faults of a name.", _stop_faults),
    _Route("GET", "/sandbox/switches", "The switches, with their meaning.", _list_switches),
    _Route("PATCH", "/sandbox/switches", "Set switches; {name: value}.", _set_switches),
    _Route("GET", "/sandbox/clock", "The sandbox's time.", _show_clock),
    _Route("POST", "/sandbox/clock", 'Move the clock; {"advance": seconds} or {"set": time}.', _move_clock),
    _Route("GET", "/sandbox/requests", "The requests received.", _list_requests),
    _Route("DELETE", "/sandbox/requests", "Forget them.", _forget_requests),
)
