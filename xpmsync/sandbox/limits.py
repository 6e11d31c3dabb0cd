"""Xero's limits, counted honestly: calls at once, a minute and a day for each tenant, a minute for each app.

Responsible for the counters and their windows. Refuses to know HTTP: it says which limit is reached, and what is
left. Windows are fixed (Xero's docs): a minute and a day by the sandbox's clock, not sliding.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from xpmsync.sandbox.switches import Switches

Problem = Literal["minute", "day", "concurrent", "appminute"]
_MINUTE_SECONDS: Final = 60
_DAY_SECONDS: Final = 86400


@dataclass(frozen=True)
class Remaining:
    """What is left in each window after this call."""

    app_minute: int
    minute: int
    day: int


@dataclass(frozen=True)
class Exceeded:
    """The limit that refuses a call; the seconds until its window ends, where it has one."""

    problem: Problem
    window_ends_in_seconds: int | None


class Limits:
    """The counters of one sandbox."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str, int]] = Counter()
        self._under_way: Counter[str] = Counter()

    def count_app_call(self, client_id: str, switches: Switches) -> Exceeded | None:
        """Count a call of an app, or say that its minute is used up."""
        with self._lock:
            minute, left = self._window(_MINUTE_SECONDS)
            if self._calls["appminute", client_id, minute] >= switches.limit_app_minute:
                return Exceeded("appminute", left)
            self._calls["appminute", client_id, minute] += 1
            return None

    def enter_tenant(self, tenant_id: str, switches: Switches) -> Exceeded | None:
        """Count a call to a tenant and take a place among its calls at once, or say which limit refuses it."""
        with self._lock:
            minute, minute_left = self._window(_MINUTE_SECONDS)
            day, day_left = self._window(_DAY_SECONDS)
            if self._under_way[tenant_id] >= switches.limit_concurrent:
                return Exceeded("concurrent", None)
            if self._calls["day", tenant_id, day] >= switches.limit_day:
                return Exceeded("day", day_left)
            if self._calls["minute", tenant_id, minute] >= switches.limit_minute:
                return Exceeded("minute", minute_left)
            self._calls["minute", tenant_id, minute] += 1
            self._calls["day", tenant_id, day] += 1
            self._under_way[tenant_id] += 1
            return None

    def leave_tenant(self, tenant_id: str) -> None:
        """Give back the place among a tenant's calls at once."""
        with self._lock:
            self._under_way[tenant_id] -= 1

    def remaining(self, client_id: str, tenant_id: str, switches: Switches) -> Remaining:
        """What is left of each window."""
        with self._lock:
            minute, _ = self._window(_MINUTE_SECONDS)
            day, _ = self._window(_DAY_SECONDS)
            return Remaining(
                max(0, switches.limit_app_minute - self._calls["appminute", client_id, minute]),
                max(0, switches.limit_minute - self._calls["minute", tenant_id, minute]),
                max(0, switches.limit_day - self._calls["day", tenant_id, day]),
            )

    def _window(self, seconds: int) -> tuple[int, int]:
        """The number of the present window, and the whole seconds until it ends."""
        now = int(self._now())
        return now // seconds, seconds - now % seconds
