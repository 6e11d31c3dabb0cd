"""Runs a command as a process of its own, and prints its wall seconds, processor seconds and megabytes as a last line.

    python -I -S stopwatch.py COMMAND [OPTIONS]

It is a program of its own because a process's peak of memory begins with that of whoever started it: this one is small.
"""

import os
import sys
import time

PARTS = 1024**2 if sys.platform == "darwin" else 1024
"""Of a megabyte, in which `ru_maxrss` is counted: bytes or kilobytes."""

began = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(process, 0)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / PARTS)
sys.exit(os.waitstatus_to_exitcode(status))
