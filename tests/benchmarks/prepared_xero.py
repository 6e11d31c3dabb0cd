"""Serves prepared answers from files, and any refresh, so that a benchmark waits for nobody's rendering.

    python prepared_xero.py PORT FOLDER

A file is named after the last two parts of its address; `_modified` is added where only modified records are asked for.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

GRANT = {"access_token": "prepared", "refresh_token": "prepared", "expires_in": 1800, "token_type": "Bearer"}


def name_answer(address: str) -> str:
    """The file that holds the answer to an address."""
    parts = urlsplit(address)
    name = "_".join(parts.path.split("/")[-2:])
    return f"{name}_modified" if "modifiedsince" in parts.query else name


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with (Path(sys.argv[2]) / name_answer(self.path)).open("rb") as answer:
            self._begin("text/xml; charset=utf-8", answer.seek(0, 2))
            answer.seek(0)
            self.connection.sendfile(answer)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(GRANT).encode()
        self._begin("application/json", len(body))
        self.wfile.write(body)

    def _begin(self, content_type: str, length: int) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
