"""Starts commands of xpmsync as processes of their own, without loading Python each time.

One process has everything loaded and forks for each command (run as a program, this file is that process). A fork
waits until strace, where it is wanted, has hold of it: what is traced is xpmsync at work, never Python as it starts.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSCTTY
from typing import Any, Self

import xpmsync

PR_SET_PTRACER, ANYBODY = 0x59616D61, -1
ORDER_BYTES = 65536
RUN_SECONDS = 120
LOADED_LATE = ("stdnum.au.abn", "stdnum.ean")
"""What commands load when they need it."""


class Command:
    """A command that runs, or has run."""

    def __init__(self, line: socket.socket, pid: int, stdin: Any, stdout: Any, tracer: Sequence[str]) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.pid = pid
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it, if it still runs."""
        if self._handle is not None:
            self.kill()
            self.wait()

    def kill(self) -> None:
        """Kill it, if it still runs; from any thread."""
        with self._ending, contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def finish(self, typed: str = "") -> tuple[int, str]:
        """Type the last of the input; gives the exit code, and what was still to be read of the output."""
        with contextlib.suppress(BrokenPipeError):  # it may have ended by now
            self.stdin.write(typed)
            self.stdin.close()
        printed = self.stdout.read()
        return self.wait(), printed

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        exit_code = int(self._line.recv(ORDER_BYTES))
        with self._ending:
            os.close(self._handle)
            self._handle = None
        if self._tracer is not None:
            self._tracer.communicate(timeout=RUN_SECONDS)
        for stream in filter(None, (self.stdin, self.stdout)):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        return exit_code


class Forks:
    """The process that forks, seen from outside; one command runs at a time."""

    def __init__(self, program: str = "xpmsync.cli:run") -> None:
        """`program` is what the forks call with the command's words, as module:function."""
        self.line, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.line.settimeout(RUN_SECONDS)
        with other_end:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other_end.fileno()), program],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=[other_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self._process.kill()
        self._process.wait(RUN_SECONDS)

    def start(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        tracer: Sequence[str] = (),
        errors: int | None = None,
    ) -> Command:
        """Start a command in this process's environment, or another one; `errors` is where its errors go."""
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no path, but the way to a descriptor
            told = nowhere.fileno() if errors is None else errors
            pid = self._fork(arguments, environment, [its_stdin, its_stdout, told])
        os.close(its_stdin)
        os.close(its_stdout)
        return Command(self.line, pid, os.fdopen(stdin, "w", 1), os.fdopen(stdout), tracer)

    def start_in_terminal(self, arguments: Sequence[str], terminal: int, environment: Mapping[str, str]) -> Command:
        """Start a command that has a terminal of its own."""
        return Command(self.line, self._fork(arguments, environment, [terminal] * 3), None, None, ())

    def _fork(self, arguments: Sequence[str], environment: Mapping[str, str] | None, descriptors: list[int]) -> int:
        order = [list(arguments), dict(os.environ if environment is None else environment)]
        socket.send_fds(self.line, [json.dumps(order).encode()], descriptors)
        return int(self.line.recv(ORDER_BYTES))


def load_everything() -> None:
    modules = [module.name for module in pkgutil.walk_packages(xpmsync.__path__, "xpmsync.")]
    for name in (*modules, *LOADED_LATE):
        if not name.endswith("__main__"):
            importlib.import_module(name)


def serve(line: socket.socket, run: Any) -> None:
    """Fork for each order; a fork ends as the command does."""
    while True:
        order, descriptors, _, _ = socket.recv_fds(line, ORDER_BYTES, 3)
        if not order:
            return
        gate, release = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(release)
            line.close()
            exit_code = 99
            try:
                arguments, environment = json.loads(order)
                be_process(descriptors, arguments, environment, gate)
                exit_code = run(arguments)
            except BaseException:  # noqa: BLE001 - nobody else is told of it
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(exit_code)  # to take all that is loaded apart would cost more than most commands
        for descriptor in (*descriptors, gate):
            os.close(descriptor)
        line.send(str(child).encode())
        line.recv(ORDER_BYTES)
        os.close(release)
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def be_process(descriptors: list[int], arguments: list[str], environment: dict[str, str], gate: int) -> None:
    """Have what a process of its own has, and wait until it may begin."""
    for wanted, descriptor in enumerate(descriptors):
        os.dup2(descriptor, wanted)
        os.close(descriptor)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace")
    if os.isatty(0):
        os.setsid()
        ioctl(0, TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY)  # where a process may trace its own children alone
    os.read(gate, 1)
    os.close(gate)


def main() -> None:
    line, (module, _, function) = socket.socket(fileno=int(sys.argv[1])), sys.argv[2].partition(":")
    run = getattr(importlib.import_module(module), function)
    load_everything()
    sys.argv = [str(Path(sys.executable).with_name("xpmsync"))]
    gc.freeze()  # to look at what is loaded in every fork again would cost as much as the command
    serve(line, run)


if __name__ == "__main__":
    main()
