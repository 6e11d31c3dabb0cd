"""A server that says whatever it is told to, byte for byte, for as long as anybody listens."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

Answer = bytes | Callable[[], Iterable[bytes]]
"""Everything that goes over the line, status line and headers included; or what makes it, piece by piece."""


@dataclass
class HostileServer:
    """Answers by path; a path that is not known gets a 404. Remembers what it was sent."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """The heads of the requests."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    return
                head += line
            text = head.decode("latin-1")
            self.requests.append(text)
            length = next((int(each[15:]) for each in text.lower().split("\r\n") if each[:15] == "content-length:"), 0)
            stream.read(length)
            path = text.split(" ")[1].partition("?")[0]
            found = next((self.answers[known] for known in self.answers if path.endswith(known)), None)
            answer = found or b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            for piece in [answer] if isinstance(answer, bytes) else answer():
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)


def head(status: str = "200 OK", *lines: str, kind: str = "text/xml; charset=utf-8") -> bytes:
    """The head of an answer that ends with its connection."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *lines, "Connection: close", "", ""]).encode()


def wrap(records: str | bytes, path: str = "Clients", status: str = "OK") -> bytes:
    """Records as Practice Manager sends them."""
    content = records if isinstance(records, bytes) else records.encode()
    return b"<Response><Status>%b</Status><%b>%b</%b></Response>" % (
        status.encode(),
        path.encode(),
        content,
        path.encode(),
    )
