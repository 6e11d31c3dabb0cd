"""HTTP on a loopback socket: requests read, answers sent, and sent badly on demand.

Responsible for bytes: framing, compression, connections, and every way to spoil a sending (late, in drops, cut,
never). Refuses to know what is asked and answered.
"""

import re
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from xpmsync.sandbox.answers import Answer, Headers, http_date

_MAX_BODY_BYTES: Final = 1024 * 1024
_GZIP_FROM_BYTES: Final = 1024
_COMPRESSION_LEVEL: Final = 1  # quick: a client list is repetitive enough
_GZIP_WINDOW: Final = 31
_GZIP_ACCEPTED: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """A request, read to its end."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def parameters(self) -> dict[str, str]:
        """The parameters of the query; the first of each name counts."""
        return dict(reversed(parse_qsl(self.query, keep_blank_values=True)))

    def form(self) -> dict[str, str]:
        """The fields of a form in the body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Manner:
    """How an answer is sent. The default is: well."""

    delay_seconds: float = 0.0
    drip_bytes: int = 0  # this many at a time, none for all at once
    drip_seconds: float = 0.0
    lost: bool = False  # the connection is reset instead of the answer
    cut: Literal["length", "close", "chunked"] | None = None  # how the length was announced
    cut_at: float = 0.5  # after which part of the body


@dataclass(frozen=True)
class Reply:
    """An answer and how it is to be sent; `sent` is called when that is over, however it went."""

    answer: Answer
    manner: Manner = Manner()
    sent: Callable[[], None] = lambda: None


Answering = Callable[[Request], Reply]


class HttpServer:
    """A server in a thread of its own; a thread more for each connection."""

    def __init__(
        self, answering: Answering, now: Callable[[], float], may_compress: Callable[[], bool], port: int
    ) -> None:
        self._server = _Server(port, answering, now, may_compress)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and drop every open connection, as a server that goes away does."""
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, answering: Answering, now: Callable[[], float], may_compress: Callable[[], bool]
    ) -> None:
        self.answering = answering
        self.now = now
        self.may_compress = may_compress
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own, which asks the name service for this machine's name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A program that hangs up is none of our errors; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def drop_connections(self) -> None:
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # it is gone already
                    continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing on standard error: the sandbox keeps its own log."""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MAX_BODY_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE), Manner())
            return
        target = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, target.path, target.query, headers, self.rfile.read(int(length)))
        reply = self.server.answering(request)
        try:
            self._send(reply.answer, reply.manner)
        finally:
            reply.sent()

    def _send(self, answer: Answer, manner: Manner) -> None:
        if self.server.stopping.wait(manner.delay_seconds) or manner.lost:
            self._reset()
            return
        size = len(answer.body) if isinstance(answer.body, bytes) else answer.body.size()
        pieces = [answer.body] if isinstance(answer.body, bytes) else answer.body.pieces()
        if manner.cut is not None:
            self._send_cut(answer, pieces, size, manner)
            return
        # A cut answer is never compressed: some programs would notice half of a gzip stream for that reason alone.
        accepts_gzip = _GZIP_ACCEPTED.search(self.headers.get("Accept-Encoding", ""))
        if accepts_gzip and size >= _GZIP_FROM_BYTES and self.server.may_compress():
            framing: Headers = (("content-encoding", "gzip"), ("transfer-encoding", "chunked"))
            pieces = _chunked(_gzipped(pieces))
        elif answer.status == HTTPStatus.NO_CONTENT:
            framing, pieces = (), []
        else:
            framing = (("content-length", str(size)),)
        self._write(self._head(answer, framing), pieces, manner)

    def _send_cut(self, answer: Answer, pieces: Iterable[bytes], size: int, manner: Manner) -> None:
        framing = {
            "length": ("content-length", str(size)),
            "close": ("connection", "close"),  # no length: to the program, the answer looks complete
            "chunked": ("transfer-encoding", "chunked"),  # and never the last chunk
        }
        self.close_connection = True
        kept = _first_bytes(pieces, int(size * manner.cut_at))
        if manner.cut == "chunked":
            kept = map(_chunk, filter(None, kept))
        self._write(self._head(answer, (framing[manner.cut or "length"],)), kept, manner)

    def _head(self, answer: Answer, framing: Headers) -> bytes:
        headers = (*answer.headers, ("date", http_date(self.server.now())), *framing)
        lines = [f"HTTP/1.1 {int(answer.status)} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _write(self, head: bytes, pieces: Iterable[bytes], manner: Manner) -> None:
        for piece in _with_head(head, pieces):
            if not manner.drip_bytes:
                self.wfile.write(piece)
                continue
            for start in range(0, len(piece), manner.drip_bytes):
                self.wfile.write(piece[start : start + manner.drip_bytes])
                if self.server.stopping.wait(manner.drip_seconds):
                    return

    def _reset(self) -> None:
        """End the connection with a reset, which a program sees as such, and not as an empty answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()


def _with_head(head: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The head and the first piece in one, so that a small answer is one packet."""
    remaining = iter(pieces)
    yield head + next(remaining, b"")
    yield from remaining


def _first_bytes(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()


def _chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield from map(_chunk, pieces)
    yield _chunk(b"")


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)
