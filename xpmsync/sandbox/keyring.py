"""A keyring backend whose passwords live in the memory of a running sandbox.

Nothing is on disk, and several processes see one keyring. Chosen by
`PYTHON_KEYRING_BACKEND=xpmsync.sandbox.keyring.SandboxKeyring`; `XPMSYNC_SANDBOX_KEYRING` holds the sandbox's
address. Responsible for turning the sandbox's answers, faults among them, into what keyring's own backends do.
Keeps nothing itself.
"""

import json
import os
import urllib.request
from typing import Any, ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordDeleteError, PasswordSetError

ADDRESS_VARIABLE = "XPMSYNC_SANDBOX_KEYRING"


class SandboxKeyring(KeyringBackend):
    """Keeps passwords in the sandbox at the address in `XPMSYNC_SANDBOX_KEYRING`."""

    # Below that of keyring's "fail" backend (0), which is always there: keyring never chooses this one by itself.
    priority: ClassVar[float] = -2

    def get_password(self, service: str, username: str) -> str | None:
        """The password, or None."""
        password = _ask("get", service, username)["password"]
        return None if password is None else str(password)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        _ask("set", service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        """Forget a password. Raises PasswordDeleteError where there is none, as other backends do."""
        if _ask("delete", service, username)["password"] is None:
            raise PasswordDeleteError("Password not found")


def _ask(operation: str, service: str, username: str, password: str | None = None) -> dict[str, Any]:
    address = os.environ.get(ADDRESS_VARIABLE)
    if not address:
        raise NoKeyringError(f"{ADDRESS_VARIABLE} does not hold the address of a sandbox")
    order = {"operation": operation, "service": service, "username": username, "password": password}
    request = urllib.request.Request(  # noqa: S310 - the address is the environment's, as a keyring's always is
        f"{address.rstrip('/')}/sandbox/keyring",
        json.dumps(order).encode(),
        {"Content-Type": "application/json"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        with direct.open(request) as answer:  # no time-out: a keyring that hangs is one of the faults
            result: dict[str, Any] = json.load(answer)
    except OSError as error:
        raise InitError(f"The sandbox's keyring does not answer: {error}") from error
    match result.get("fault"):
        case "keyring-locked":
            raise KeyringLocked("Failed to unlock the collection!")
        case "keyring-missing":
            raise NoKeyringError("No recommended backend was available.")
        case "keyring-init-error":
            raise InitError("Failed to create the collection: Prompt dismissed.")
        case "keyring-runtime-error":
            raise RuntimeError("No usable backend: no session bus")
        case "keyring-full":
            raise PasswordSetError("No space left")
    return result
