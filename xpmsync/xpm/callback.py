"""The way back from the browser: a listener on this machine for the one redirect that ends a sign-in, and its pages.

Listens on 127.0.0.1 alone, takes the first redirect that carries the right state, and answers it with another one, to a
page without the code in its address. Any page can send the browser here: without the right state nothing ends.
Responsible for reading what came back, from the browser or pasted by hand; what it means for the sign-in, and what the
terminal says, is not known here. Of a request nothing is printed or shown but OAuth's own words for an error.
"""

import errno
import hmac
import io
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from string import Template
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from xpmsync.errors import ConfigurationError

HOST: Final = "127.0.0.1"
LAST_PAGE_SECONDS: Final = 3.0
"""For the browser to fetch the page it was sent on to, once the redirect has been taken."""
IDLE_SECONDS: Final = 10.0
"""Browsers open connections in advance and say nothing on them."""
LONGEST_ADDRESS: Final = 8_192
"""Xero's has some 500 characters."""
LARGEST_REQUEST_BYTES: Final = 64 * 1024
ERRORS: Final = frozenset(
    {
        "access_denied",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
        # OpenID Connect
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "login_required",
    }
)
"""The errors of RFC 6749, section 4.1.2.1, and of OpenID Connect Core, section 3.1.2.6."""
UNKNOWN_ERROR: Final = "an unknown error"


@dataclass(frozen=True)
class Reply:
    """What the browser brought back: a code, or one of `ERRORS` for why there is none, or `UNKNOWN_ERROR`."""

    code: str | None = field(default=None, repr=False)
    error: str | None = None


def read_reply(address: str, state: str) -> Reply | None:
    """What a redirect address says; None where it does not belong to the sign-in that began with `state`."""
    if len(address) > LONGEST_ADDRESS:
        return None
    try:
        values = {name: each[0] for name, each in parse_qs(urlsplit(address.strip()).query).items()}
    except ValueError:  # not an address at all
        return None
    if not hmac.compare_digest(values.get("state", "").encode(errors="replace"), state.encode()):
        return None
    if error := values.get("error"):
        return Reply(error=error if error in ERRORS else UNKNOWN_ERROR)
    code = values.get("code")
    return Reply(code=code) if code else None


class Listener:
    """Waits for the redirect of one sign-in."""

    def __init__(self, path: str, state: str) -> None:
        self.path = path
        self._state = state
        self._replies: SimpleQueue[Reply] = SimpleQueue()
        self._taken: Reply | None = None
        self._last_page_shown = threading.Event()
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> Reply | None:
        """The redirect's reply, or None if it does not come within `seconds`."""
        try:
            return self._replies.get(timeout=seconds)
        except Empty:
            return None

    def take(self, address: str) -> str:
        """Take a redirect and tell the page to go on to; only the first that belongs here counts."""
        reply = read_reply(address, self._state)
        if reply is None:
            return "/mismatch"
        with self._lock:
            if self._taken is None:
                self._taken = reply
                self._replies.put(reply)
        if reply.code:
            return "/signed-in"
        return "/cancelled" if reply.error == "access_denied" else "/refused"

    def note_shown(self, path: str) -> None:
        """A page was shown."""
        if path != "/mismatch":
            self._last_page_shown.set()

    def linger(self) -> None:
        """Stay until the browser has its last page, if it is on the way there."""
        if self._taken is not None:
            self._last_page_shown.wait(LAST_PAGE_SECONDS)


@contextmanager
def listen(redirect_uri: str, state: str) -> Iterator[Listener]:
    """Listen at `redirect_uri` for the length of a ``with`` block.

    Raises ConfigurationError where that address is not one of this machine's, or its port is taken.
    """
    parts = urlsplit(redirect_uri)
    if parts.scheme != "http":
        raise ConfigurationError(
            f"xpmsync cannot listen at {redirect_uri}: the address is not this machine's.",
            "Use http://localhost:8742/callback (in config.toml and on the app's page at Xero), or run:"
            " xpmsync connect --no-browser",
        )
    port = parts.port or 80
    listener = Listener(parts.path or "/", state)
    try:
        server = _Server(listener, port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise ConfigurationError(
            f"Port {port} on this machine, to which Xero sends the browser back, "
            + ("is in use by another program." if taken else f"cannot be used: {error.strerror}."),
            "End the other xpmsync connect, or the program that uses the port, and try again; or run:"
            " xpmsync connect --no-browser",
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="xpmsync-callback")
        thread.start()
        try:
            yield listener
        finally:
            listener.linger()
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    """Not ``HTTPServer``, which asks the name service for this machine's name."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, listener: Listener, port: int) -> None:
        self.listener = listener
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away half-way is its own business."""


class _Bounded(io.BufferedReader):
    """A request up to a limit; what is longer seems to end there."""

    left = LARGEST_REQUEST_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        limit = self.left if size is None or size < 0 else min(size, self.left)
        line = super().readline(limit)
        self.left -= len(line)
        return line


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "xpmsync"
    sys_version = ""
    timeout = IDLE_SECONDS

    def setup(self) -> None:
        super().setup()
        self.rfile = _Bounded(self.rfile.detach())

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == self.server.listener.path:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", self.server.listener.take(self.path))
            self._end(b"")
        elif page := PAGES.get(path):
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self._end(page)
            self.server.listener.note_shown(path)
        else:
            self.send_response(HTTPStatus.NOT_FOUND)
            self._end(b"")

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer without a page: the base class's own quotes the request."""
        self.close_connection = True
        self.send_response(code)
        self._end(b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the request line holds the code."""


_PAGE: Final = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title – xpmsync</title>
<style>
:root { color-scheme: light dark; --paper: #f4f6f8; --card: #fff; --ink: #1c2733; --soft: #51606f; --mark: $mark; }
@media (prefers-color-scheme: dark) { :root { --paper: #12181f; --card: #1b242e; --ink: #eef2f6; --soft: #a9b6c3; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1.0625rem/1.55 system-ui, sans-serif; }
main { max-width: 30rem; padding: clamp(1.5rem, 7vw, 2.5rem); background: var(--card); border-radius: .75rem;
  border-top: .375rem solid var(--mark); box-shadow: 0 .5rem 2rem rgb(0 0 0 / .12); }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 .75rem; }
p:last-child { margin: 1.5rem 0 0; color: var(--soft); font-size: .9375rem; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>$happened</p>
<p>$next</p>
<p>xpmsync · on this computer</p>
</main>
</body>
</html>
""")
_GOOD, _STOPPED, _BAD = "#1a7f4b", "#a86400", "#b3261e"


def _render(mark: str, title: str, happened: str, next_step: str) -> bytes:
    return _PAGE.substitute(mark=mark, title=title, happened=happened, next=next_step).encode()


PAGES: Final = {
    "/signed-in": _render(
        _GOOD,
        "You have signed in",
        "Xero has sent you back to xpmsync, which now checks the connection.",
        "You can close this page and go on in the terminal.",
    ),
    "/cancelled": _render(
        _STOPPED,
        "Access was not allowed",
        "“Cancel” was pressed on Xero's page. Nothing has changed.",
        "To connect after all, go to the terminal and run <code>xpmsync connect</code> again.",
    ),
    "/refused": _render(
        _BAD,
        "Xero has refused the sign-in",
        "Nothing has changed.",
        "The terminal says why, and what to do.",
    ),
    "/mismatch": _render(
        _STOPPED,
        "Another sign-in is waiting",
        "This page does not belong to the sign-in that xpmsync is waiting for. Nothing has changed.",
        "To sign in, open the address that is in the terminal. To stop, press Ctrl-C there.",
    ),
}
"""The pages, by the clean addresses that the browser ends on."""
