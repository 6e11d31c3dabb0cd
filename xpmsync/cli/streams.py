"""The standard streams of a command: usable where they were closed, and where nobody takes what is written.

A command does its work whatever becomes of its output. Afterwards its exit code says whether that could be written;
that nobody reads on (``xpmsync errors | head``) is no failure.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FAILED_EXIT_CODE: Final = 1


class _Output(io.FileIO):
    """Keeps the first error of a stream instead of raising it; from then on what is written goes nowhere."""

    error: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def open_streams() -> None:
    """Open those of the process's standard streams that are closed, and let no error of the other two out.

    Otherwise files of ours would get their numbers, and the programs that we start would write into them.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this stream's
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))
    sys.stdout, sys.stderr = _keep_errors(sys.stdout), _keep_errors(sys.stderr)


def _keep_errors(stream: TextIO) -> TextIO:
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # not the process's own: somebody calls us within theirs
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(descriptor, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.isatty() or stream is sys.stderr,
    )


def find_output_error() -> OSError | None:
    """Why what was printed could not be written; None where it was, or where nobody reads on."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, _Output) else None
    return error if error and error.errno != errno.EPIPE else None


def end_output(exit_code: int) -> int:
    """Say so where the output could not be written; gives the exit code that the command ends with."""
    error = find_output_error()
    if error is None:
        return exit_code
    from xpmsync.cli.formatting import print_remark  # noqa: PLC0415 - slow to load

    print_remark(f"The output could not be written: {error.strerror}.")
    if exit_code == 0:
        print_remark("The command itself has done its work. To see how the sync is: xpmsync status")
    return exit_code or FAILED_EXIT_CODE
