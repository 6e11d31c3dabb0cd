"""A program that starts one process for each `HOME=STEP` and lets it refresh that home's sign-in, killed at that step.

``refresh.py FOLDER URL [--at-once] HOME=STEP ...``; without a step the process lives. Prints how each of them ended.
"""

import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from xpmsync.config import KeyringSettings, XeroSettings
from xpmsync.credentials.store import open_vault
from xpmsync.xpm.oauth import IdentityClient
from xpmsync.xpm.tokens import Tokens

STEPS = (
    "answer lost",
    "before the intent",
    "intent stored",
    "answer received",
    "new token stored",
    "new token read back",
)


class Steps:
    """The keyring and the identity server as Tokens sees them; calls `reach` between the steps of a refresh."""

    def __init__(self, vault, client, reach):
        self.vault, self.client, self.reach, self.remedy, self.writes = vault, client, reach, vault.remedy, 0

    def read(self, name):
        value = self.vault.read(name)
        if self.writes == 2:
            self.reach("new token read back")
        return value

    def write(self, name, value):
        self.writes += 1
        if self.writes == 1:
            self.reach("before the intent")
        self.vault.write(name, value)
        self.reach("intent stored" if self.writes == 1 else "new token stored")

    def refresh(self, refresh_token):
        grant = self.client.refresh(refresh_token)
        self.reach("answer received")
        return grant

    def sleep(self, seconds):
        self.reach("answer lost")
        time.sleep(seconds)


def refresh(folder, url, home_id, fatal_step):
    def reach(step):
        if step == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = XeroSettings(client_id="sandbox-app", login_url=f"{url}/identity", identity_url=url, api_url=url)
    steps = Steps(open_vault(home_id, KeyringSettings()), IdentityClient(settings), reach)
    lock = Path(folder) / f"{home_id}.lock"
    Tokens(steps, steps, lock, now=lambda: datetime.now(UTC), sleep=steps.sleep).access_token()


def main(folder, url, *orders):
    children = []
    for home_id, _, step in (order.partition("=") for order in orders if order != "--at-once"):
        child = os.fork()
        if child == 0:
            refresh(folder, url, home_id, step)
            os._exit(0)
        children.append(child)
        if "--at-once" not in orders:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.stdout.write(" ".join(map(str, ends)))


if __name__ == "__main__":
    main(*sys.argv[1:])
