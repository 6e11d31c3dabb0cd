"""HTTP answers as recorded: the set of headers, their order and case, and the bodies of refusals.

Responsible for what an answer looks like. Refuses to know when it is given, and how its bytes travel.
"""

import json
import uuid as uuids
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

from xpmsync.sandbox.limits import Problem, Remaining
from xpmsync.sandbox.switches import Switches
from xpmsync.sandbox.wire import Document

Headers = tuple[tuple[str, str], ...]

XML: Final = "text/xml; charset=utf-8"  # recorded
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
CACHE_CONTROL: Final = ("cache-control", "max-age=0, no-cache, no-store")  # recorded, on every answer
_LIMIT_HEADERS: Final = {
    "app_minute": "x-appminlimit-remaining",
    "minute": "x-minlimit-remaining",
    "day": "x-daylimit-remaining",
}


@dataclass(frozen=True)
class Answer:
    """A status, headers without length and date (which belong to the sending), and a body."""

    status: int
    headers: Headers = ()
    body: bytes | Document = b""

    def content(self) -> bytes:
        """The whole body."""
        return self.body if isinstance(self.body, bytes) else self.body.content()

    def with_body(self, body: bytes | Document) -> "Answer":
        """The same answer with another body."""
        return replace(self, body=body)


def http_date(now: float) -> str:
    """A moment as the `date` header has it."""
    return format_datetime(datetime.fromtimestamp(now, UTC), usegmt=True)


def xml_answer(document: Document, remaining: Remaining | None) -> Answer:
    """A 200 of the Practice Manager API."""
    counts = _limit_headers(remaining, "app_minute", "day", "minute")
    headers = (("content-type", XML), ("server", "Kestrel"), *counts, _correlation(), CACHE_CONTROL)
    return Answer(HTTPStatus.OK, headers, document)


def json_answer(value: object, status: int = HTTPStatus.OK) -> Answer:
    """A JSON answer of the identity server or of `/connections`."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Answer(status, (("content-type", JSON + "; charset=utf-8"), ("server", "Kestrel"), CACHE_CONTROL), body)


def empty_answer(status: int) -> Answer:
    """An answer without a body."""
    return Answer(status, (("server", "Kestrel"), _correlation(), CACHE_CONTROL))


def html_answer(page: str, status: int = HTTPStatus.OK) -> Answer:
    """A page for a browser."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return Answer(status, (("content-type", HTML), ("content-security-policy", policy), CACHE_CONTROL), page.encode())


def redirect_answer(address: str) -> Answer:
    """A 302 to another address."""
    return Answer(HTTPStatus.FOUND, (("location", address), CACHE_CONTROL))


def bad_token(switches: Switches, expired_at: float | None = None) -> Answer:
    """The 401 for a token that nobody gave out, or (recorded) that is past its time; there, the month comes first."""
    detail = "AuthenticationUnsuccessful"
    if expired_at is not None:
        detail = f"TokenExpired: token expired at {datetime.fromtimestamp(expired_at, UTC):%m/%d/%Y %H:%M:%S}"
    return _unauthorized("Bearer error=invalid_token", detail, switches)


def missing_scope(switches: Switches) -> Answer:
    """The 401 for a scope that was not granted."""
    return _unauthorized("insufficient_scope", "AuthorizationUnsuccessful", switches)


def forbidden(switches: Switches, remaining: Remaining | None) -> Answer:
    """A 403 (recorded): the wrong tenant, or a user who lost the right; only the app's limit is told."""
    correlation = _correlation()
    counts = _limit_headers(remaining, "app_minute")
    headers = (("content-type", JSON), ("server", "Kestrel"), *counts, correlation, CACHE_CONTROL)
    body = _problem(HTTPStatus.FORBIDDEN, "AuthenticationUnsuccessful", correlation[1], switches)
    return Answer(HTTPStatus.FORBIDDEN, headers, body)


def too_many_requests(problem: Problem, remaining: Remaining | None, retry_after: int | None) -> Answer:
    """A 429 (recorded): no body, no content type, from the proxy in front."""
    retry = (("retry-after", str(retry_after)),) if retry_after is not None else ()
    counts = _limit_headers(remaining, "app_minute", "minute", "day")
    headers = (("server", "nginx"), *retry, _correlation(), *counts, ("x-rate-limit-problem", problem), CACHE_CONTROL)
    return Answer(HTTPStatus.TOO_MANY_REQUESTS, headers)


def _correlation() -> tuple[str, str]:
    return "xero-correlation-id", str(uuids.uuid4())


def _limit_headers(remaining: Remaining | None, *windows: str) -> Headers:
    """What is left of these windows; their recorded order is not the same in every answer."""
    return tuple((_LIMIT_HEADERS[window], str(getattr(remaining, window))) for window in windows if remaining)


def _unauthorized(challenge: str, detail: str, switches: Switches) -> Answer:
    """A 401 (recorded): JSON although the API is XML, and no limit headers."""
    correlation = _correlation()
    announced = (("content-type", JSON),) if switches.unauthorized_content_type else ()
    headers = (*announced, ("server", "Kestrel"), ("www-authenticate", challenge), correlation, CACHE_CONTROL)
    body = _problem(HTTPStatus.UNAUTHORIZED, detail, correlation[1], switches)
    return Answer(HTTPStatus.UNAUTHORIZED, headers, body)


def _problem(status: HTTPStatus, detail: str, instance: str, switches: Switches) -> bytes:
    """The JSON of a refusal, keys in either of the two cases that have been seen."""
    problem: dict[str, object] = {
        "Type": None,
        "Title": status.phrase,
        "Status": status.value,
        "Detail": detail,
        "Instance": instance,
        "Extensions": {},
    }
    if switches.error_keys_lower_case:
        problem = {key.lower(): value for key, value in problem.items()}
    return json.dumps(problem, separators=(",", ":")).encode()
