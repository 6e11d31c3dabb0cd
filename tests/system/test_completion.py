"""The Tab key in real shells: what `xpmsync completion` prints is what they want."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xpmsync.cli import COMMANDS, run
from xpmsync.rules.issues import CATALOGUE

PATIENCE_SECONDS = 60
SHELLS = {
    "bash": ("--norc", "--noprofile", "-i"),
    "zsh": ("-f", "-i"),
}
READY = {
    "bash": 'eval "$(xpmsync completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(xpmsync completion zsh)"',
}
LINES = [
    ("xpmsync hist", "xpmsync history "),
    ("xpmsync admin user deact", "xpmsync admin user deactivate "),
    ("xpmsync sync --acc", "xpmsync sync --accept "),
    ("xpmsync errors --severity warn", "xpmsync errors --severity warning "),
    ("xpmsync errors --explain partner-not-l", "xpmsync errors --explain partner-not-listed "),
]


@pytest.fixture
def environment(tmp_path):
    """A home of one's own, and the command on the path."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"HOME": str(tmp_path), "XPMSYNC_HOME": str(tmp_path / "x"), "PATH": programs, "TERM": "dumb", "PS1": "> "}


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_completes_commands_options_choices_and_codes(environment, require_program, shell):
    with Typist([require_program(shell), *SHELLS[shell]], environment) as typist:
        typist.type(f"{READY[shell]}; echo re''ady\n")
        typist.wait_for("ready")
        for begun, completed in LINES:
            typist.type(f"{begun}\t")
            typist.wait_for(completed)
            typist.type("\x15")  # nothing of it is run
    assert not Path(environment["XPMSYNC_HOME"]).exists()


@pytest.mark.slow
def test_fish_completes_them_too(environment, require_program):
    script = "xpmsync completion fish | source; for line in $argv; complete -C $line; echo; end"
    command = [require_program("fish"), "-c", script, *(begun for begun, _ in LINES)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    offered = [[line.partition("\t")[0] for line in each.splitlines()] for each in printed.split("\n\n")]
    assert offered[:-1] == [[completed.split()[-1]] for _, completed in LINES]


def ask(monkeypatch, capsys, line):
    """What click tells a shell of the words that may stand at the end of a line."""
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_XPMSYNC_COMPLETE", "bash_complete")
    with pytest.raises(SystemExit) as caught:
        run([])
    assert caught.value.code == 0
    return [each.partition(",")[2] for each in capsys.readouterr().out.split()]


@pytest.mark.parametrize(("shell", "line"), [("bash", "complete -o"), ("zsh", "compdef "), ("fish", "complete --")])
def test_every_shell_is_told_whom_to_ask(capsys, shell, line):
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_XPMSYNC_COMPLETE=" + shell + "_complete" in script
    assert line in script


def test_all_commands_and_all_codes_are_offered(monkeypatch, capsys):
    assert ask(monkeypatch, capsys, "xpmsync ") == list(COMMANDS)
    assert set(ask(monkeypatch, capsys, "xpmsync errors --code ")) > set(CATALOGUE)


def test_completing_loads_no_more_than_it_needs(environment):
    script = "import sys; from xpmsync.cli import run\ntry: run([])\nfinally: print(*sys.modules)"
    asked = {**environment, "COMP_WORDS": "xpmsync ", "COMP_CWORD": "1", "_XPMSYNC_COMPLETE": "bash_complete"}
    done = subprocess.run([sys.executable, "-c", script], env=asked, capture_output=True, text=True, check=False)
    loaded = set(done.stdout.split())
    assert "xpmsync.cli" in loaded
    assert loaded.isdisjoint({"rich", "requests", "lxml", "sqlite3", "keyring", "xpmsync.cli.commands.admin"})


class Typist:
    """Somebody at a terminal."""

    def __init__(self, command, environment):
        controller, terminal = pty.openpty()
        self._controller = controller
        self._shell = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
        )
        os.close(terminal)
        self._seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._shell.kill()
        self._shell.wait()
        os.close(self._controller)

    def type(self, keys):
        """Type; what was seen before is not looked for again."""
        self._seen = ""
        os.write(self._controller, keys.encode())

    def wait_for(self, words):
        """Wait until the words stand on the terminal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self._seen:
            ready, _, _ = select.select([self._controller], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"“{words}” does not come: {self._seen!r}"
            self._seen += os.read(self._controller, 65536).decode(errors="replace")
