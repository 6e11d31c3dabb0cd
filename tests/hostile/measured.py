"""xpmsync as the forks run it whose memory is measured; a pause before another try takes no time.

No test imports this: it changes what all tests of a process would use.
"""

import time
from pathlib import Path

time.sleep = lambda _seconds: None

from xpmsync import cli  # noqa: E402 - it keeps the sleep that it finds


def run(arguments):
    """Run a command; then note the most memory that the process had, in kilobytes, in the file that is named first."""
    noted, *words = arguments
    exit_code = cli.run(words)
    lines = Path("/proc/self/status").read_text().splitlines()
    Path(noted).write_text(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    return exit_code
