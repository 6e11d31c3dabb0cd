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
from xpmsync.sandbox.wire import Document

Headers = tuple[tuple[str, str], ...]

XML: Final = "text/xml; charset=utf-8"  # recorded
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
CACHE_CONTROL: Final = ("cache-control", "max-age=0, no-cache, no-store")  # recorded, on every answer


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
    headers = (("content-type", XML), ("server", "Kestrel"), *_limit_headers(remaining), _correlation(), CACHE_CONTROL)
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


def unauthorized(detail: str, challenge: str, *, lower_case: bool, content_type: bool) -> Answer:
    """A 401 (recorded): JSON although the API is XML, and no limit headers."""
    correlation = _correlation()
    announced = (("content-type", JSON),) if content_type else ()
    headers = (*announced, ("server", "Kestrel"), ("www-authenticate", challenge), correlation, CACHE_CONTROL)
    return Answer(
        HTTPStatus.UNAUTHORIZED,
        headers,
        _problem("Unauthorized", HTTPStatus.UNAUTHORIZED, detail, correlation[1], lower_case=lower_case),
    )


def forbidden(remaining: Remaining | None, *, lower_case: bool) -> Answer:
    """A 403 (recorded): the wrong tenant, or a user who lost the right; only the app's limit is told."""
    correlation = _correlation()
    headers = (("content-type", JSON), ("server", "Kestrel"), *_limit_headers(remaining), correlation, CACHE_CONTROL)
    return Answer(
        HTTPStatus.FORBIDDEN,
        headers,
        _problem(
            "Forbidden", HTTPStatus.FORBIDDEN, "AuthenticationUnsuccessful", correlation[1], lower_case=lower_case
        ),
    )


def too_many_requests(problem: Problem, remaining: Remaining | None, retry_after: int | None) -> Answer:
    """A 429 (recorded): no body, no content type, from the proxy in front."""
    retry = (("retry-after", str(retry_after)),) if retry_after is not None else ()
    counts: Headers = ()
    if remaining is not None:
        counts = _numbers(
            ("x-appminlimit-remaining", remaining.app_minute),
            ("x-minlimit-remaining", remaining.minute),
            ("x-daylimit-remaining", remaining.day),
        )
    headers = (("server", "nginx"), *retry, _correlation(), *counts, ("x-rate-limit-problem", problem), CACHE_CONTROL)
    return Answer(HTTPStatus.TOO_MANY_REQUESTS, headers)


def expired_detail(expired_at: float) -> str:
    """The recorded words about a token past its time: the month first."""
    return f"TokenExpired: token expired at {datetime.fromtimestamp(expired_at, UTC):%m/%d/%Y %H:%M:%S}"


def _correlation() -> tuple[str, str]:
    return "xero-correlation-id", str(uuids.uuid4())


def _numbers(*headers: tuple[str, int | None]) -> Headers:
    return tuple((name, str(number)) for name, number in headers if number is not None)


def _limit_headers(remaining: Remaining | None) -> Headers:
    """In the recorded order of a 200, which is not the one of a 429."""
    if remaining is None:
        return ()
    return _numbers(
        ("x-appminlimit-remaining", remaining.app_minute),
        ("x-daylimit-remaining", remaining.day),
        ("x-minlimit-remaining", remaining.minute),
    )


def _problem(title: str, status: int, detail: str, instance: str, *, lower_case: bool) -> bytes:
    """The JSON of a refusal, keys in either of the two cases that have been seen."""
    problem: dict[str, object] = {
        "Type": None,
        "Title": title,
        "Status": int(status),
        "Detail": detail,
        "Instance": instance,
        "Extensions": {},
    }
    if lower_case:
        problem = {key.lower(): value for key, value in problem.items()}
    return json.dumps(problem, separators=(",", ":")).encode()
