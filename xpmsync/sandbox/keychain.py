"""The passwords of the sandbox's keyring, in memory, so that several processes see one keyring and nothing is on disk.

Responsible for keeping them and for the keyring's faults. Refuses to know who asks: `xpmsync.sandbox.keyring` is
the other side.
"""

import json
import time
from http import HTTPStatus
from typing import Any

from xpmsync.sandbox.answers import Answer, json_answer
from xpmsync.sandbox.faults import Faults
from xpmsync.sandbox.server import Request

_HANG_STEP_SECONDS = 0.1
_REFUSING = frozenset({"keyring-locked", "keyring-missing", "keyring-init-error", "keyring-runtime-error"})


class Keychain:
    """Passwords by service and user name."""

    def __init__(self) -> None:
        self.passwords: dict[tuple[str, str], str] = {}

    def answer(self, request: Request, faults: Faults) -> Answer:
        """Answer the keyring's request: get, set or delete; `{"fault": name}` where a fault meets it."""
        try:
            order: dict[str, Any] = json.loads(request.body)
            operation, key = order["operation"], (str(order["service"]), str(order["username"]))
        except (ValueError, KeyError, TypeError):
            return json_answer({"error": "Send operation, service and username as JSON."}, HTTPStatus.BAD_REQUEST)
        met = faults.meet(request)
        names = {fault.name for fault in met}
        while any(fault.name == "keyring-hangs" and not fault.stopped for fault in met):
            time.sleep(_HANG_STEP_SECONDS)
        if refusing := names & _REFUSING:
            return json_answer({"fault": min(refusing)})
        return self._act(operation, key, order.get("password"), names)

    def _act(self, operation: str, key: tuple[str, str], password: object, faults: set[str]) -> Answer:
        match operation:
            case "get":
                return json_answer({"password": self.passwords.get(key)})
            case "set" if "keyring-full" in faults:
                return json_answer({"fault": "keyring-full"})
            case "set":
                if "keyring-forgets" not in faults:
                    self.passwords[key] = str(password)
                return json_answer({})
            case "delete":
                return json_answer({"password": self.passwords.pop(key, None)})
        return json_answer({"error": f"There is no operation {operation!r}."}, HTTPStatus.BAD_REQUEST)
