"""Faults by name, with a start and an end.

Responsible for the catalogue of what can go wrong, for which running fault meets which request, and for the answers
and bodies that a fault puts in place of the right ones. Refuses to know sockets: how an answer is lost or cut, it
only orders.
"""

import difflib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Literal

from xpmsync.sandbox.answers import (
    CACHE_CONTROL,
    HTML,
    JSON,
    XML,
    Answer,
    bad_token,
    forbidden,
    html_answer,
    json_answer,
    missing_scope,
    too_many_requests,
    xml_answer,
)
from xpmsync.sandbox.limits import Problem, Remaining
from xpmsync.sandbox.practice import TAX_ELEMENTS
from xpmsync.sandbox.server import Manner, Request
from xpmsync.sandbox.switches import Switches
from xpmsync.sandbox.wire import Document, render_error

Options = Mapping[str, Any]
Where = Literal["everything", "api", "token", "keyring"]


@dataclass(frozen=True)
class FaultKind:
    """An entry of the catalogue: what happens, where by itself, which options it has, and how it is done."""

    meaning: str
    where: Where = "everything"
    options: Options = field(default_factory=dict)
    instead: Callable[[Options, "Situation"], Answer] | None = None  # an answer in place of acting
    change: Callable[[Options, Answer], Answer] | None = None  # an answer changed after acting
    manner: Callable[[Options, Manner], Manner] | None = None  # a sending spoilt after acting
    reset: bool = False  # the connection is reset before acting
    ends_token: bool = False  # the presented access token ends, then the request goes its way


@dataclass(frozen=True)
class Situation:
    """What an answer that stands in for the right one can tell."""

    remaining: Remaining | None
    switches: Switches


@dataclass
class Fault:
    """A running fault: what, where, how often still, and after how many requests that go well."""

    name: str
    path: str | None = None
    times: int | None = None
    after: int = 0
    options: Options = field(default_factory=dict)
    stopped: bool = False  # by hand, not because its number of answers is used up

    @property
    def kind(self) -> FaultKind:
        """The entry of the catalogue."""
        return FAULTS[self.name]

    def meets(self, request: Request) -> bool:
        """Whether a request is one of those this fault is for."""
        if self.path is not None:
            return self.path in f"{request.path}?{request.query}"
        match self.kind.where:
            case "api":
                return request.path.startswith("/practicemanager/")
            case "token":
                return request.path == "/connect/token"
            case "keyring":
                return request.path == "/sandbox/keyring"
            case "everything":
                return not request.path.startswith(("/identity/", "/sandbox"))


class Faults:
    """The faults that are running now."""

    def __init__(self) -> None:
        self._running: list[Fault] = []
        self._lock = threading.Lock()

    def start(
        self,
        name: str,
        *,
        path: str | None = None,
        times: int | None = None,
        after: int = 0,
        **options: Any,
    ) -> Fault:
        """Start a fault.

        `path`: only for requests whose path and query contain this. `times`: for so many answers, then it ends by
        itself. `after`: this many matching requests go well first.
        """
        known = name.replace("_", "-")
        if known not in FAULTS:
            close = difflib.get_close_matches(known, FAULTS, n=1)
            raise ValueError(f"There is no fault {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        kind = FAULTS[known]
        _check_course(path, times, after)
        for option, value in options.items():
            _check_option(known, kind, option, value)
        if times is None and kind.ends_token:
            times = 1
        fault = Fault(known, path, times, after, {**kind.options, **options})
        with self._lock:
            self._running.append(fault)
        return fault

    def stop(self, fault: Fault | str | None = None) -> None:
        """End a fault, all of a name, or all of them."""
        name = fault.replace("_", "-") if isinstance(fault, str) else None
        with self._lock:
            ended = [each for each in self._running if fault is None or each is fault or each.name == name]
            ended += [fault] if isinstance(fault, Fault) else []
            for each in ended:
                each.stopped = True
            self._running = [each for each in self._running if not each.stopped]

    @contextmanager
    def active(self, name: str, **course_and_options: Any) -> Iterator[Fault]:
        """Run a fault for the length of a `with` block; takes what `start` takes."""
        fault = self.start(name, **course_and_options)
        try:
            yield fault
        finally:
            self.stop(fault)

    def running(self) -> list[Fault]:
        """The faults that are running now."""
        with self._lock:
            return list(self._running)

    def meet(self, request: Request) -> list[Fault]:
        """The faults that this request meets; each is counted."""
        met: list[Fault] = []
        with self._lock:
            for fault in self._running:
                if not fault.meets(request):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                met.append(fault)
                if fault.times is not None:
                    fault.times -= 1
            self._running = [fault for fault in self._running if fault.times is None or fault.times > 0]
        return met


def _check_course(path: object, times: object, after: object) -> None:
    if path is not None and not isinstance(path, str):
        raise ValueError(f"'path' is a text, not {path!r}.")
    if times is not None and (type(times) is not int or times < 1):
        raise ValueError(f"'times' is a whole number of at least 1, not {times!r}.")
    if type(after) is not int or after < 0:
        raise ValueError(f"'after' is a whole number of at least 0, not {after!r}.")


def _check_option(name: str, kind: FaultKind, option: str, value: object) -> None:
    if option not in kind.options:
        has = ", ".join(kind.options) or "none"
        raise ValueError(f"The fault {name!r} has no option {option!r} (it has: {has}).")
    default = kind.options[option]
    if option == "form":
        fits = value in _ERROR_FORMS
        wanted = f"one of {', '.join(_ERROR_FORMS)}"
    elif option == "retry_after":
        fits = value is None or type(value) is int
        wanted = "a whole number or null"
    elif isinstance(default, str):
        fits, wanted = isinstance(value, str), "a text"
    else:
        fits, wanted = type(value) in (int, type(default)), "a number"
    if not fits:
        raise ValueError(f"{option!r} is {wanted}, not {value!r}.")


# Answers in place of the right one

_ERROR_FORMS: Final = ("json", "html", "xml", "empty")

_FIREWALL_PAGE: Final = (
    "<html><head><title>Access Denied</title></head><body><h1>Access Denied</h1>You don't have permission "
    "to access this server."
    "<p>Reference #18.2d351ab8.1557333295.a4e16ab</body></html>"
)
_HTML_PAGE: Final = (
    "<!DOCTYPE html><html><head><title>Xero | Down for maintenance</title></head><body><p>Back soon.<br></body></html>"
)


def _limit(problem: Problem) -> Callable[[Options, Situation], Answer]:
    used_up = {"minute": {"minute": 0}, "day": {"day": 0}, "appminute": {"app_minute": 0}, "concurrent": {}}

    def answer(options: Options, situation: Situation) -> Answer:
        remaining = situation.remaining and replace(situation.remaining, **used_up[problem])
        return too_many_requests(problem, remaining, options["retry_after"])

    return answer


def _server_error(status: HTTPStatus) -> Callable[[Options, Situation], Answer]:
    bodies = {
        "json": (
            JSON,
            f'{{"Type":null,"Title":"{status.phrase}","Status":{status.value},"Detail":"An error occurred"}}',
        ),
        "html": (HTML, f"<html><head><title>{status.value}</title></head><body><h1>{status.phrase}</h1></body></html>"),
        "xml": (
            XML,
            f"<Response><Status>ERROR</Status><ErrorDescription>{status.phrase}</ErrorDescription></Response>",
        ),
    }

    def answer(options: Options, _: Situation) -> Answer:
        form = options["form"]
        if form == "empty":
            return Answer(status, (("server", "nginx"), CACHE_CONTROL))
        content_type, body = bodies[form]
        return Answer(status, (("content-type", content_type), ("server", "nginx"), CACHE_CONTROL), body.encode())

    return answer


def _token_error(code: str) -> Callable[[Options, Situation], Answer]:
    return lambda _, situation: json_answer({"error": code}, situation.switches.token_error_status)


# Changes of the right answer


def _records(change: Callable[[Options, list[bytes]], list[bytes]]) -> Callable[[Options, Answer], Answer]:
    """A change of the records of a list; other answers stay as they are."""

    def changed(options: Options, answer: Answer) -> Answer:
        if not isinstance(answer.body, Document) or not answer.body.container:
            return answer
        return answer.with_body(answer.body.with_records(change(options, list(answer.body.records))))

    return changed


def _content(change: Callable[[Options, bytes], bytes]) -> Callable[[Options, Answer], Answer]:
    """A change of the bytes of an XML answer; refusals stay as they are."""

    def changed(options: Options, answer: Answer) -> Answer:
        if not isinstance(answer.body, Document):
            return answer
        return answer.with_body(change(options, answer.content()))

    return changed


_TAX_BLOCK: Final = re.compile(
    r"<({0})>[^<]*</\1>|<(?:{0}) />".format("|".join(TAX_ELEMENTS)).encode(),
)


_CLIENT_GROUPS: Final = re.compile(rb"<Groups>.*?</Groups>", re.DOTALL)
_UUID: Final = re.compile(rb"<UUID>[^<]*</UUID>")


def _drop_group_ids(groups: re.Match[bytes]) -> bytes:
    return _UUID.sub(b"", groups[0])


def _into_name(options: Options, content: bytes, inserted: bytes) -> bytes:
    """Put something into the name at the part `at` of an answer, or into its status where it holds no name."""
    tag = b"<Name>" if b"<Name>" in content else b"<Status>"
    places = [match.end() for match in re.finditer(tag, content)]
    place = places[min(int(len(places) * options["at"]), len(places) - 1)]
    return content[:place] + inserted + content[place:]


def _truncate(options: Options, content: bytes) -> bytes:
    return content[: int(len(content) * options["at"])]


def _misnest(options: Options, content: bytes) -> bytes:
    return _into_name(options, content, b"</Misnested>")


def _mis_encode(options: Options, content: bytes) -> bytes:
    return _into_name(options, content, "Café ".encode()).decode().encode("latin-1", "replace")


def _add_control_character(options: Options, content: bytes) -> bytes:
    return _into_name(options, content, b"\x0b")


def _add_external_entity(options: Options, content: bytes) -> bytes:
    declaration = f'<!DOCTYPE Response [<!ENTITY outside SYSTEM "{options["target"]}">]>'.encode()
    return declaration + _into_name(options, content, b"&outside;")


def _add_laughs(options: Options, content: bytes) -> bytes:
    entities = ['<!ENTITY lol0 "lol">']
    entities += [f'<!ENTITY lol{level} "{f"&lol{level - 1};" * 10}">' for level in range(1, 10)]
    declaration = f"<!DOCTYPE Response [{''.join(entities)}]>".encode()
    return declaration + _into_name(options, content, b"&lol9;")


def _point_elsewhere(options: Options, content: bytes) -> bytes:
    return re.sub(rb"<Next>https?://[^/]+", b"<Next>" + str(options["host"]).encode(), content)


FAULTS: Final[Mapping[str, FaultKind]] = {
    # Connections
    "connection-reset": FaultKind("The connection is reset before the server acts.", reset=True),
    "answer-lost": FaultKind(
        "The server acts, then the connection is reset instead of the answer.",
        manner=lambda _, manner: replace(manner, lost=True),
    ),
    "slow": FaultKind(
        "The answer comes late (`delay_seconds`), or in drops (`drip_bytes` at a time, `drip_seconds` apart).",
        options={"delay_seconds": 2.0, "drip_bytes": 0, "drip_seconds": 0.1},
        manner=lambda options, manner: replace(manner, **options),
    ),
    "cut": FaultKind(
        "The answer ends after the part `at` of its body, short of the length it announced.",
        options={"at": 0.5},
        manner=lambda options, manner: replace(manner, cut="length", cut_at=options["at"]),
    ),
    "cut-without-length": FaultKind(
        "The same without an announced length: to the program the answer looks complete.",
        options={"at": 0.5},
        manner=lambda options, manner: replace(manner, cut="close", cut_at=options["at"]),
    ),
    "cut-chunked": FaultKind(
        "The same of a chunked answer, whose last chunk never comes.",
        options={"at": 0.5},
        manner=lambda options, manner: replace(manner, cut="chunked", cut_at=options["at"]),
    ),
    # Limits
    "rate-limit-minute": FaultKind(
        "429 as recorded: the minute is used up. `retry_after`: seconds, or null for no header.",
        "api",
        {"retry_after": 22},
        instead=_limit("minute"),
    ),
    "rate-limit-day": FaultKind(
        "429: the day is used up, with a `retry_after` nobody should sleep on.",
        "api",
        {"retry_after": 66975},
        instead=_limit("day"),
    ),
    "rate-limit-concurrent": FaultKind(
        "429: too many calls at once; no `retry_after` by itself.",
        "api",
        {"retry_after": None},
        instead=_limit("concurrent"),
    ),
    "rate-limit-appminute": FaultKind(
        "429: the app's minute is used up; no `retry_after` by itself.",
        "api",
        {"retry_after": None},
        instead=_limit("appminute"),
    ),
    # Trouble at Xero
    "error-500": FaultKind(
        "500 with a body in the `form` json, html, xml or empty.",
        options={"form": "json"},
        instead=_server_error(HTTPStatus.INTERNAL_SERVER_ERROR),
    ),
    "error-502": FaultKind(
        "502, likewise.",
        options={"form": "html"},
        instead=_server_error(HTTPStatus.BAD_GATEWAY),
    ),
    "error-503": FaultKind(
        "503, likewise.",
        options={"form": "html"},
        instead=_server_error(HTTPStatus.SERVICE_UNAVAILABLE),
    ),
    "error-504": FaultKind(
        "504, likewise.",
        options={"form": "empty"},
        instead=_server_error(HTTPStatus.GATEWAY_TIMEOUT),
    ),
    "firewall": FaultKind(
        "403 with an HTML page, from a firewall in front.",
        instead=lambda _options, _situation: html_answer(_FIREWALL_PAGE, HTTPStatus.FORBIDDEN),
    ),
    "html-page": FaultKind(
        "An HTML page under the `status` 200, or another one.",
        options={"status": 200},
        instead=lambda options, _situation: html_answer(_HTML_PAGE, options["status"]),
    ),
    "status-error": FaultKind(
        "200 with `<Status>ERROR</Status>` and a `description`.",
        "api",
        {"description": "An error occurred while processing your request"},
        instead=lambda options, situation: xml_answer(render_error(options["description"]), situation.remaining),
    ),
    # Access
    "token-rejected": FaultKind(
        "401 as for a bad access token; a new one does not help while the fault runs.",
        "api",
        instead=lambda _, situation: bad_token(situation.switches),
    ),
    "token-expired": FaultKind(
        "The access token dies in the middle of a run (use `after`); a refresh cures it. Once, if `times` "
        "does not say otherwise.",
        "api",
        ends_token=True,
    ),
    "insufficient-scope": FaultKind(
        "401 for a scope that was not granted: a refresh does not cure it.",
        "api",
        instead=lambda _, situation: missing_scope(situation.switches),
    ),
    "user-revoked": FaultKind(
        "403 as recorded: the user lost the right, or was revoked.",
        "api",
        instead=lambda _, situation: forbidden(situation.switches, situation.remaining),
    ),
    "invalid-grant": FaultKind(
        "The token endpoint says `invalid_grant`.", "token", instead=_token_error("invalid_grant")
    ),
    "invalid-client": FaultKind(
        "The token endpoint says `invalid_client`.", "token", instead=_token_error("invalid_client")
    ),
    "unauthorized-client": FaultKind(
        "The token endpoint says `unauthorized_client`.",
        "token",
        instead=_token_error("unauthorized_client"),
    ),
    "unsupported-grant-type": FaultKind(
        "The token endpoint says `unsupported_grant_type`.",
        "token",
        instead=_token_error("unsupported_grant_type"),
    ),
    "invalid-scope": FaultKind(
        "The token endpoint says `invalid_scope`.", "token", instead=_token_error("invalid_scope")
    ),
    # Content
    "empty-list": FaultKind(
        "Lists hold nothing.",
        "api",
        change=_records(lambda _options, _records: []),
    ),
    "thin-list": FaultKind(
        "Lists hold only their first `keep` records.",
        "api",
        {"keep": 10},
        change=_records(lambda options, records: records[: options["keep"]]),
    ),
    "no-tax-block": FaultKind(
        "No client has its tax elements (BusinessNumber, BusinessStructure, …).",
        "api",
        change=_records(lambda _, records: [_TAX_BLOCK.sub(b"", record) for record in records]),
    ),
    "no-group-ids": FaultKind(
        "The client groups of clients have no UUID.",
        "api",
        change=_records(lambda _, records: [_CLIENT_GROUPS.sub(_drop_group_ids, record) for record in records]),
    ),
    "malformed-xml": FaultKind("The XML is not well-formed.", "api", {"at": 0.0}, change=_content(_misnest)),
    "truncated-xml": FaultKind(
        "The XML stops at the part `at`, in a well-ended HTTP answer.", "api", {"at": 0.5}, change=_content(_truncate)
    ),
    "wrong-encoding": FaultKind("Latin-1 bytes, announced as UTF-8.", "api", {"at": 0.0}, change=_content(_mis_encode)),
    "control-character": FaultKind(
        "A character that XML does not allow.", "api", {"at": 0.0}, change=_content(_add_control_character)
    ),
    "external-entity": FaultKind(
        "An XML entity that points to a file or address (`target`).",
        "api",
        {"target": "file:///etc/hostname", "at": 0.0},
        change=_content(_add_external_entity),
    ),
    "billion-laughs": FaultKind(
        "XML entities that grow to three gigabytes.", "api", {"at": 0.0}, change=_content(_add_laughs)
    ),
    "foreign-next-page": FaultKind(
        "The paged list's `Next` points to another `host`.",
        "api",
        {"host": "https://xero.example.com"},
        change=_content(_point_elsewhere),
    ),
    # The sandbox's keyring
    "keyring-locked": FaultKind("The keyring is locked.", "keyring"),
    "keyring-missing": FaultKind("There is no keyring.", "keyring"),
    "keyring-init-error": FaultKind("The keyring cannot be started.", "keyring"),
    "keyring-runtime-error": FaultKind("The keyring fails with a plain RuntimeError.", "keyring"),
    "keyring-full": FaultKind("The keyring takes no password; reading works.", "keyring"),
    "keyring-hangs": FaultKind("The keyring never answers.", "keyring"),
    "keyring-forgets": FaultKind("The keyring says yes to a write and keeps nothing.", "keyring"),
}
