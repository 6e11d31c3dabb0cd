"""Starts xpmsync as a process of its own hundreds of times, without loading Python anew each time.

One process has everything loaded and forks for each command (run as a program, this file is that process); a fork
waits until strace, where it is wanted, has hold of it. So what is killed is xpmsync at work, never Python on its way.
"""

import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import xpmsync
from xpmsync.cli import run

PR_SET_PTRACER, ANYBODY = 0x59616D61, -1
ORDER_BYTES = 65536
RUN_SECONDS = 120


class Command:
    """A command that runs, or has run."""

    def __init__(self, line: socket.socket, pid: int, stdin: TextIO, stdout: TextIO, tracer: Sequence[str]) -> None:
        self.stdin, self.stdout = stdin, stdout
        self._line = line
        self._ending = threading.Lock()
        self._handle: int | None = os.pidfd_open(pid)  # a number may soon be another process's
        self._tracer = None
        if tracer:
            self._tracer = subprocess.Popen([*tracer, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
            assert self._tracer.stderr is not None
            said = self._tracer.stderr.readline()
            assert "attached" in said, said
        line.send(b"go")

    def kill(self) -> None:
        """Kill it, if it still runs; from any thread."""
        with self._ending, contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self) -> int:
        """Take in what it still says; gives its exit code."""
        self.stdout.read()
        self.stdin.close()
        self.stdout.close()
        exit_code = int(self._line.recv(ORDER_BYTES))
        with self._ending:
            os.close(self._handle)
            self._handle = None
        if self._tracer is not None:
            self._tracer.communicate(timeout=RUN_SECONDS)
        return exit_code


class Starter:
    """The process that forks, seen from outside. It sees the environment as it is now."""

    def __init__(self) -> None:
        self._line, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(RUN_SECONDS)
        with other_end:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other_end.fileno())],
                pass_fds=[other_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def start(self, arguments: Sequence[str], tracer: Sequence[str] = ()) -> Command:
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        socket.send_fds(self._line, [json.dumps(arguments).encode()], [its_stdin, its_stdout])
        os.close(its_stdin)
        os.close(its_stdout)
        pid = int(self._line.recv(ORDER_BYTES))
        return Command(self._line, pid, os.fdopen(stdin, "w"), os.fdopen(stdout), tracer)

    def stop(self) -> None:
        self._line.close()
        self._process.wait(RUN_SECONDS)


def load_everything() -> None:
    for module in pkgutil.walk_packages(xpmsync.__path__, "xpmsync."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def serve(line: socket.socket) -> int:
    """Fork for each order; in a fork, gives the exit code of the command."""
    while True:
        order, descriptors, _, _ = socket.recv_fds(line, ORDER_BYTES, 2)
        if not order:
            return 0
        gate, release = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(release)
            line.close()
            for wanted, descriptor in enumerate(descriptors):
                os.dup2(descriptor, wanted)
                os.close(descriptor)
            sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY)  # where a process may trace its own children alone
            os.read(gate, 1)
            os.close(gate)
            return run(json.loads(order))
        for descriptor in (*descriptors, gate):
            os.close(descriptor)
        line.send(str(child).encode())
        line.recv(ORDER_BYTES)
        os.close(release)
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    load_everything()
    sys.argv[0] = str(Path(sys.executable).with_name("xpmsync"))
    sys.exit(serve(line))


if __name__ == "__main__":
    main()
