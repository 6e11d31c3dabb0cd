"""What Xero's API means by an answer that is not the one hoped for, by the recorded answers where there are any.

Pure: an answer's status, headers and words in, an exception out that says what to do next. Sends nothing, waits for
nothing. Of an answer's words only known ones go into the details, as any other may be a client's data; with them the
correlation ID, as Xero's support asks for it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from requests import codes

from xpmsync.errors import PermanentError, SignInNeeded, TransientError
from xpmsync.home import connect_command
from xpmsync.xpm.connection_errors import explain_interception

LONGEST_WAIT_SECONDS: Final = 120.0
"""A minute's limit is over sooner (22 s recorded); a longer wish is the day's limit by another name."""
BELIEVABLE_YEARS: Final = range(2000, 2200)
LIMITS: Final = re.compile("minute|day|concurrent|appminute")
"""`x-rate-limit-problem`, by the recorded answers."""
DETAILS: Final = re.compile(
    "AuthenticationUnsuccessful|AuthorizationUnsuccessful"
    "|TokenExpired(: token expired at [0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2})?"
)
"""`Detail` of Xero's JSON errors, as recorded or told by developers."""
ID: Final = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}")
"""A UUID. A shorter number could be a business or tax file number."""
ACCESS: Final = (
    "XPM administration privileges and the permission “Connect third-party add-ons” (in older practices: “Authorise "
    "3rd Party Full Access”)"
)
"""What the person who connects needs in Practice Manager."""
XML_ANSWER: Final = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?<(\w+:)?Response[\s>/]")
"""How an answer of Practice Manager begins."""


class DayLimitReached(TransientError):
    """The day's calls are used up; waiting within a run is pointless."""


class NotFound(PermanentError):
    """Xero says itself that it has nothing under this address; a proxy or a firewall on the way does not count."""


class TokenRejected(Exception):
    """The access token is not accepted; another one may be."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details


def explain(answer: requests.Response, words: Mapping[str, Any], now: datetime) -> Exception:
    """What `answer` means; `words` is the JSON object in its body with keys in lower case, empty if there is none.

    Of a 404 in Practice Manager's own XML, `words` has the status.
    """
    details = describe(answer, words)
    match answer.status_code:
        case codes.unauthorized:
            return _explain_unauthorised(answer, words, details)
        case codes.forbidden:
            return _explain_forbidden(words, details)
        case codes.too_many_requests:
            return _explain_limit(answer, details, read_retry_after(answer, now))
        case codes.not_found:
            is_said_by_xero = str(words.get("status")) == str(codes.not_found)
            return (NotFound if is_said_by_xero else PermanentError)(
                "Xero knows nothing under the address that was asked for.",
                "Remove api_url from config.toml if it is there; if not, please report this.",
                details=details,
            )
        case _:
            return _explain_other(answer, details, read_retry_after(answer, now))


def make_trouble(happened: str, details: str | None = None, retry_after_seconds: float | None = None) -> TransientError:
    """Trouble at Xero or on the way to it."""
    remedy = "Nothing needs to be done: the next run tries again. If it lasts, look at https://status.xero.com."
    return TransientError(happened, remedy, details=details, retry_after_seconds=retry_after_seconds)


def describe(answer: requests.Response, words: Mapping[str, Any] | None = None) -> str:
    """An answer in a line for the log and for Xero's support: status, correlation ID, limit, Xero's own detail."""
    words = words or {}
    parts = {
        "status": answer.status_code,
        "correlation ID": redact(answer.headers.get("xero-correlation-id") or words.get("instance"), ID),
        "limit": redact(answer.headers.get("x-rate-limit-problem"), LIMITS),
        "detail": redact(words.get("detail"), DETAILS),
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


def redact(value: object, known: re.Pattern[str]) -> str | None:
    """`value` where `known` matches the whole of it, otherwise its length; None where there is nothing."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return "[not a text]"
    return value if known.fullmatch(value) else f"[{len(value):,} characters]"


def read_retry_after(answer: requests.Response, now: datetime) -> float | None:
    """How long Xero wants us to wait: seconds, or a date as HTTP allows."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    moment = read_date(text)
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def read_date(text: str | None) -> datetime | None:
    """A date as HTTP writes it; None for one of another age, which nobody could count with."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    if moment.year not in BELIEVABLE_YEARS:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _explain_unauthorised(answer: requests.Response, words: Mapping[str, Any], details: str) -> Exception:
    # A missing scope looks like this, and no refresh cures it (said by developers).
    challenge = answer.headers.get("www-authenticate", "")
    if "insufficient_scope" in challenge or words.get("detail") == "AuthorizationUnsuccessful":
        return SignInNeeded(
            "Xero has not granted this sign-in what the sync needs (a scope is missing).",
            f"Remove scopes from config.toml if it is there, then run: {connect_command()}",
            details=details,
        )
    return TokenRejected(details)


def _explain_forbidden(words: Mapping[str, Any], details: str) -> Exception:
    # Xero's own 403 is JSON (recorded); a firewall in front of it answers with a page (said by developers).
    if not words:
        return make_trouble("A firewall in front of Xero has turned the call away.", details)
    return PermanentError(
        "Xero refuses access to this practice: the connection was ended, or the person who connected has left or has"
        " lost a permission.",
        f"In Practice Manager, under Business > Settings > Staff > that person > Permissions, give them {ACCESS}; or"
        f" let somebody who has both run: {connect_command()}",
        details=details,
    )


def _explain_limit(answer: requests.Response, details: str, retry_after_seconds: float | None) -> TransientError:
    is_day = answer.headers.get("x-rate-limit-problem", "").lower() == "day"
    if is_day or (retry_after_seconds or 0) > LONGEST_WAIT_SECONDS:
        return DayLimitReached(
            "Xero's limit of calls a day is used up, by all programs that are connected to this practice together.",
            "Nothing needs to be done: the sync goes on when Xero counts a new day. If it happens often, look for"
            " another program that calls Xero.",
            details=details,
            retry_after_seconds=retry_after_seconds,
        )
    return make_trouble("Xero asks to call less often.", details, retry_after_seconds)


def _explain_other(answer: requests.Response, details: str, retry_after_seconds: float | None) -> Exception:
    status = answer.status_code
    if status >= codes.internal_server_error or status == codes.request_timeout:
        return make_trouble(f"Xero has a problem of its own (status {status}).", details, retry_after_seconds)
    if status < codes.bad_request:
        return explain_interception(answer.url or "", "sends the call elsewhere", details)
    return PermanentError(
        f"Xero does not accept what xpmsync asks (status {status}).",
        "This is for the makers of xpmsync to put right: please report it together with the log.",
        details=details,
    )
