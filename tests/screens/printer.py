"""What the forks run that print screens: a command, on a computer and as a user who are the same everywhere."""

import os
import pwd
import socket
import sys

from xpmsync.cli import run

USER = pwd.getpwuid(os.geteuid())


def print_screen(arguments: list[str]) -> int:
    sys.argv[0] = "/usr/local/bin/xpmsync"
    pwd.getpwuid = lambda _: pwd.struct_passwd(("ann", *USER[1:]))
    socket.gethostname = lambda: "server1"
    exit_code = run(arguments)
    if exit_code:
        sys.stdout.write(f"(exit code {exit_code})\n")
    return exit_code
