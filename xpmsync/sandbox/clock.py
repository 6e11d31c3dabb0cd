"""The sandbox's own clock: real time plus a distance that a test can move.

Responsible for the one `now` behind token lifetimes, the grace of replaced tokens, limit windows, modified times
and the `Date` header, so that an hour passes without anyone waiting for it. Knows nothing of what the time is used
for.
"""

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Starts at real time and runs at its speed; `advance` moves it, also backwards."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since 1970, as the sandbox sees them."""
        with self._lock:
            return time.time() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock; a negative number moves it back. Out of the calendar: ValueError."""
        with self._lock:
            ahead_seconds = self._ahead_seconds + seconds
            try:
                datetime.fromtimestamp(time.time() + ahead_seconds, UTC)
            except (OverflowError, OSError) as error:
                raise ValueError(f"{seconds} seconds from now the calendar has ended.") from error
            self._ahead_seconds = ahead_seconds

    def set(self, moment: datetime) -> None:
        """Move the clock to a moment; a date without a zone is taken as UTC. Out of the calendar: ValueError."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self.advance(aware.timestamp() - self.now())
