"""A stand-in for Xero: identity, connections and the Practice Manager API 3.1, on a loopback address.

Beside it, what lets a program be tried without a person: a browser, a keyring, a mailbox. Shares no code with the tool,
so that it is a second witness of what Xero does. See docs/sandbox.md.
"""

from xpmsync.sandbox.clock import Clock
from xpmsync.sandbox.faults import FAULTS, Fault
from xpmsync.sandbox.identity import App
from xpmsync.sandbox.practice import Practice
from xpmsync.sandbox.sandbox import Sandbox
from xpmsync.sandbox.switches import Switches

__all__ = ["FAULTS", "App", "Clock", "Fault", "Practice", "Sandbox", "Switches"]
