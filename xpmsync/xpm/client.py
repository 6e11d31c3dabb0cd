"""The way to Xero's API: one session, and what a run has used of Xero's limits.

Responsible for sending a call, for waiting and trying again within the run's time, and for handing an answer on while
it arrives. What an answer other than the one hoped for means is told by ``answers``. Knows nothing of XML, of staff or
clients, or of how an access token is come by. No token reaches an exception or the log.
"""

import json
import logging
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Thread
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from xpmsync import __version__
from xpmsync.config import is_loopback
from xpmsync.errors import PermanentError, TransientError
from xpmsync.home import connect_command
from xpmsync.system.clock import Clock
from xpmsync.system.timeouts import OutOfTime, call_within
from xpmsync.xpm.connection_errors import (
    check_authorities,
    explain_connection_error,
    explain_interception,
    explain_silence,
)
from xpmsync.xpm.responses import (
    LONGEST_WAIT_SECONDS,
    XML_ANSWER,
    DayLimitReached,
    TokenRejected,
    describe,
    explain,
    make_trouble,
    read_date,
)

Taken = TypeVar("Taken")
Sink = Callable[[Iterator[bytes]], Taken]
"""Takes an answer's bytes while they arrive; called anew, with a new answer, whenever the call is tried again."""

CONNECT_AND_READ_SECONDS: Final = (10.0, 300.0)
"""Xero thinks for minutes before the first byte of a long client list (said by developers)."""
ANSWER_SECONDS: Final = 1200.0
"""For a whole answer: the read time-out begins anew with every byte, so a server that drips would live for ever."""
CHUNK_BYTES: Final = 256 * 1024
LARGEST_ANSWER_BYTES: Final = 1_000_000_000
"""Unpacked. 15,000 clients have 46 MB: what is larger than this is no practice, and must not fill the disk."""
EXPLANATION_BYTES: Final = 64 * 1024
"""As much of an error's body as is read."""
PAUSES_SECONDS: Final = (1.0, 3.0, 10.0, 30.0)
"""Before each new try after passing trouble, unless Xero wishes for a longer one."""

log = logging.getLogger(__name__)


class AccessTokens(Protocol):
    """Where access tokens come from."""

    def access_token(self) -> str:
        """One that Xero accepts."""

    def renew(self, rejected_access_token: str) -> str:
        """Another one in place of one that Xero has rejected."""


@dataclass(frozen=True)
class Call:
    """One question to the API."""

    path: str
    accept: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tenant_id: str | None = None
    method: str = "GET"


@contextmanager
def opened_gateway(api_url: str, tokens: AccessTokens, seconds: float, clock: Clock) -> Iterator["ApiClient"]:
    """Xero's API for the length of a ``with`` block, and for so many `seconds`."""
    deadline = clock.monotonic() + seconds
    gateway = ApiClient(api_url, tokens, now=clock.now, monotonic=clock.monotonic, sleep=clock.sleep, deadline=deadline)
    with closing(gateway):
        yield gateway


class ApiClient:
    """Xero's API for the length of a run. `deadline` is when the run's time is over, on the clock of `monotonic`."""

    def __init__(
        self,
        api_url: str,
        tokens: AccessTokens,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        deadline: float,
    ) -> None:
        check_authorities(api_url)
        self._api_url = api_url
        self._tokens = tokens
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._deadline = deadline
        self._session = requests.Session()
        self._session.trust_env = not is_loopback(urlsplit(api_url).hostname or "")  # no proxy between us and ourselves
        self._session.headers.update({"User-Agent": f"xpmsync/{__version__}", "Accept-Encoding": "gzip"})
        self.api_calls = 0
        self.bytes_received = 0
        """On the wire, compressed where Xero compresses: what is paid for."""
        self.first_answer_at: datetime | None = None
        """Xero's own time (`Date`) of the earliest answer about a practice that was read whole."""
        self.day_calls_remaining: int | None = None
        """What Xero said last about the day's limit; it need not say anything."""

    def fetch(self, call: Call, take: Sink[Taken]) -> Taken:
        """Ask, and let `take` take the answer while it arrives; again from the start where trouble may pass.

        Returns what `take` returned for the answer that was read whole.
        """
        renewed = False
        pauses = iter(PAUSES_SECONDS)
        while True:
            if self._monotonic() >= self._deadline:
                raise make_trouble("The time that a run may take is over.")
            token = self._tokens.access_token()
            try:
                return self._try(call, token, take)
            except TokenRejected as rejected:
                if renewed:
                    raise PermanentError(
                        "Xero does not accept the sign-in although it has just been renewed.",
                        f"Wait for the next run; if it lasts, run: {connect_command()}",
                        details=rejected.details,
                    ) from None
                renewed = True
                self._tokens.renew(token)
            except DayLimitReached:
                self.day_calls_remaining = 0
                raise
            except TransientError as trouble:
                self._wait(trouble, next(pauses, None))

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def _wait(self, trouble: TransientError, pause_seconds: float | None) -> None:
        """Wait before another try, or raise `trouble` where there is to be none."""
        if pause_seconds is None:
            raise trouble
        pause_seconds = max(pause_seconds, trouble.retry_after_seconds or 0)
        if pause_seconds > min(LONGEST_WAIT_SECONDS, self._deadline - self._monotonic()):
            raise trouble
        log.info("trying again in %.0f s: %s", pause_seconds, trouble.for_log)
        self._sleep(pause_seconds)

    def _try(self, call: Call, token: str, take: Sink[Taken]) -> Taken:
        ends_at = min(self._deadline, self._monotonic() + ANSWER_SECONDS)
        answer = self._send(call, token, ends_at)
        try:
            self._note_limit(call, answer)
            if answer.status_code not in (requests.codes.ok, requests.codes.no_content):
                raise explain(answer, self._read_words(answer, ends_at), self._now())
            if "html" in answer.headers.get("content-type", ""):
                raise explain_interception(self._api_url, "has answered with a web page", describe(answer))
            taken = take(self._read(answer, ends_at))
            self._note_date(call, answer)
            return taken
        finally:
            # In a thread: where a read still hangs, closing waits for it.
            Thread(target=answer.close, daemon=True, name="xpmsync-close").start()

    def _send(self, call: Call, token: str, ends_at: float) -> requests.Response:
        self.api_calls += 1
        headers = {"Accept": call.accept} | ({"xero-tenant-id": call.tenant_id} if call.tenant_id else {})

        def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # As `auth`, not as a header: a line in the person's .netrc would take the header's place.
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        return self._within(
            ends_at,
            lambda: self._session.request(
                call.method,
                f"{self._api_url}/{call.path}",
                params=call.parameters,
                headers=headers,
                auth=authorise,
                timeout=CONNECT_AND_READ_SECONDS,
                allow_redirects=False,
                stream=True,
            ),
        )

    def _read(self, answer: requests.Response, ends_at: float) -> Iterator[bytes]:
        """The answer's bytes while they arrive, unpacked."""
        pieces = self._receive(answer, ends_at)
        packed = answer.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip")
        size = 0
        for content in _unpack(pieces) if packed else pieces:
            size += len(content)
            if size > LARGEST_ANSWER_BYTES:
                raise PermanentError(
                    "Xero's answer does not end: it is larger than any practice's could be.",
                    "If the next runs say the same, remove api_url from config.toml if it is there, or ask Xero's"
                    " support.",
                    details=describe(answer),
                )
            yield content

    def _receive(self, answer: requests.Response, ends_at: float) -> Iterator[bytes]:
        """The answer's bytes as they come over the line, counted."""
        # Not `iter_content`: it says nothing of what came over the wire when the answer is in chunks.
        pieces = answer.raw.stream(CHUNK_BYTES, decode_content=False)
        while piece := self._within(ends_at, lambda: next(pieces, b"")):
            self.bytes_received += len(piece)
            yield piece

    def _read_words(self, answer: requests.Response, ends_at: float) -> Mapping[str, Any]:
        """The JSON object in an error's body, its keys in lower case (both have been seen); empty if there is none.

        A 404 in Practice Manager's own XML counts as JSON with this status.
        """
        body = b""
        try:
            for piece in self._read(answer, ends_at):
                body += piece
                if len(body) > EXPLANATION_BYTES:
                    return {}
            if answer.status_code == requests.codes.not_found and XML_ANSWER.match(body):
                return {"status": answer.status_code}
            words = json.loads(body)
        except (TransientError, ValueError, RecursionError):
            return {}
        return {key.lower(): value for key, value in words.items()} if isinstance(words, dict) else {}

    def _within(self, ends_at: float, call: Callable[[], Taken]) -> Taken:
        """What `call` returns; whatever keeps it from coming in time is a connection error."""
        try:
            return call_within(ends_at - self._monotonic(), call)
        except OutOfTime:
            raise explain_silence(self._api_url) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise explain_connection_error(error, self._api_url, uses_proxy=self._session.trust_env) from error
        except ValueError:
            # How the libraries meet a chunk of a negative length; their words may quote a header of ours.
            raise explain_interception(self._api_url, "has answered with what is not HTTP") from None

    def _note_date(self, call: Call, answer: requests.Response) -> None:
        """Keep the earliest time of Xero's own; a page of a firewall on the way has a clock that is nobody's."""
        moment = read_date(answer.headers.get("date"))
        if call.tenant_id and moment:
            self.first_answer_at = min(self.first_answer_at or moment, moment)

    def _note_limit(self, call: Call, answer: requests.Response) -> None:
        """Keep what the headers tell of the limit; all of them are optional."""
        remaining = answer.headers.get("x-daylimit-remaining", "")
        if re.fullmatch(r"[0-9]{1,9}", remaining):
            self.day_calls_remaining = int(remaining)
        log.debug("%s %s: %s", call.method, call.path, describe(answer))


def _unpack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What is packed in `pieces`, a bounded part at a time: a thousandth can become the whole of it."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for piece in pieces:
            packed = piece
            while packed and not unpacker.eof:
                yield unpacker.decompress(packed, CHUNK_BYTES)
                packed = unpacker.unconsumed_tail
            if unpacker.eof:
                return
        yield unpacker.flush()
    except zlib.error as error:
        raise make_trouble("Xero's answer arrived damaged.", str(error)) from error
