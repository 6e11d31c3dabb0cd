"""What a run is handed by whoever starts it: the time, and somebody to report to."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Report(Protocol):
    """Where a run says how far it is."""

    def begin(self, stage: str) -> None:
        """A stage of the run begins."""

    def count(self, records: int) -> None:
        """So many records of the stage are done."""

    def remark(self, text: str) -> None:
        """Something that a person should know although the run goes its way."""


@dataclass(frozen=True)
class Clock:
    """The time, handed in."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
