"""Prints screens: forks a command of xpmsync into each terminal it is told of, with the slow libraries loaded already.

One order a line on standard input, as JSON; one exit code a line on standard output. A program of its own, since only a
process without threads may fork.
"""

import importlib
import json
import os
import pwd
import socket
import sys
from fcntl import ioctl
from termios import TIOCSCTTY

from xpmsync.cli import run

for name in ("xpmsync.sync", "xpmsync.doctor", "xpmsync.cli.watching", "xpmsync.cli.admin"):
    importlib.import_module(name)


def print_screen(terminal: str, environment: dict[str, str], arguments: list[str]) -> int:
    """Run the command with a terminal of its own, on a computer and as a user who are the same everywhere."""
    os.setsid()
    descriptor = os.open(terminal, os.O_RDWR)
    ioctl(descriptor, TIOCSCTTY, 0)
    for standard in range(3):
        os.dup2(descriptor, standard)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    sys.argv = ["/usr/local/bin/xpmsync", *arguments]
    os.environ.clear()
    os.environ.update(environment)
    user = pwd.getpwuid(os.geteuid())
    pwd.getpwuid = lambda _: pwd.struct_passwd(("ann", *user[1:]))
    socket.gethostname = lambda: "server1"
    exit_code = run(arguments)
    if exit_code:
        print(f"(exit code {exit_code})")
    sys.stdout.flush()
    return exit_code


for order in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = print_screen(**json.loads(order))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
