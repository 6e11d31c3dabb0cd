"""A keyring in a file, as light as a keyring can be; chosen by PYTHON_KEYRING_BACKEND=file_keyring.FileKeyring."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    priority = -2

    def get_password(self, service: str, username: str) -> str | None:
        return self._load().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._save(self._load() | {f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        self._save({key: value for key, value in self._load().items() if key != f"{service} {username}"})

    def _load(self) -> dict[str, str]:
        path = Path(os.environ["XPMSYNC_HOME"]) / "keyring.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _save(self, passwords: dict[str, str]) -> None:
        (Path(os.environ["XPMSYNC_HOME"]) / "keyring.json").write_text(json.dumps(passwords))
