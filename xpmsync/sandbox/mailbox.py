"""A mail server for one recipient and all: takes every e-mail that reaches it on a loopback port, and keeps it.

Responsible for the few words of SMTP that a mail client needs to hand over a text. Refuses to pass anything on.
"""

import email
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from types import TracebackType
from typing import Self, cast


class Mailbox:
    """A context manager: it takes e-mails, in threads of its own, while the `with` block runs."""

    def __init__(self, port: int = 0, notice: Callable[[EmailMessage], None] = lambda _: None) -> None:
        """Listen on `port`, or on one that is free; `notice` is told of each e-mail, in the thread that took it."""
        self.messages: list[EmailMessage] = []
        self._server = _Server(("127.0.0.1", port), _Conversation)
        self._server.messages = self.messages
        self._server.notice = notice

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True  # whoever starts it again need not wait for the last conversation's end
    messages: list[EmailMessage]
    notice: Callable[[EmailMessage], None]


class _Conversation(socketserver.StreamRequestHandler):
    """One client's conversation (RFC 5321, section 3)."""

    def handle(self) -> None:
        """Answer until the client says QUIT or hangs up."""
        with suppress(ConnectionError):  # a client that dies does not say QUIT
            self._converse()

    def _converse(self) -> None:
        self._say("220 sandbox ready")
        while line := self.rfile.readline():
            match line.split(None, 1)[0].upper() if line.strip() else b"":
                case b"EHLO" | b"HELO" | b"RSET" | b"NOOP" | b"MAIL" | b"RCPT":
                    self._say("250 OK")
                case b"DATA":
                    self._say("354 Go on; end with a dot on a line of its own")
                    if not self._take_message():
                        return
                    self._say("250 Kept")
                case b"QUIT":
                    self._say("221 Goodbye")
                    return
                case _:
                    self._say("502 The sandbox does not know this")

    def _take_message(self) -> bool:
        """Keep the text, if it came to its end: one that was cut is nobody's e-mail."""
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line.removeprefix(b"."))
        message = email.message_from_bytes(b"".join(lines), policy=SMTP)
        server = cast("_Server", self.server)
        server.messages.append(message)
        server.notice(message)
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
