"""A deadline for calls that have none of their own: a frozen keyring, a server that drips, a name that never resolves.

Knows threads; knows nothing of what is called. A call that is given up goes on in its thread, which dies with the
process: no interpreter waits for a daemon thread (for a ``ThreadPoolExecutor`` it would).
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")


class OutOfTime(Exception):
    """The call has not come back in time."""


def call_within(seconds: float, call: Callable[[], Result]) -> Result:
    """What `call` returns or raises, or OutOfTime if it takes longer than `seconds`."""
    outcome: SimpleQueue[tuple[Result, None] | tuple[None, BaseException]] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again where it is awaited
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True, name="xpmsync-call").start()
    try:
        result, error = outcome.get(timeout=max(seconds, 0))
    except Empty:
        raise OutOfTime from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # the pair says so: without an error there is a result
