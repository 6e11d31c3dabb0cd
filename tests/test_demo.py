"""`xpmsync demo` does the whole job, and leaves nothing behind but the folder that was asked for."""

import subprocess
from types import SimpleNamespace

import pytest

from xpmsync.cli import run
from xpmsync.cli.commands import demo


def run_here(command, *, env, **_):
    """Run a command of the demo's in this process, which is quicker."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        return subprocess.CompletedProcess(command, run(command[3:]))


@pytest.fixture
def play(tmp_path, monkeypatch, capsys, allow_access):  # noqa: ARG001 - the browser
    """Runs the demo; gives its exit code and what it printed."""

    def play(*arguments, run_command=run_here):
        monkeypatch.setattr(demo, "subprocess", SimpleNamespace(run=run_command, DEVNULL=None, STDOUT=None))
        exit_code = run(["demo", *arguments])
        printed = capsys.readouterr()
        return exit_code, printed.out + printed.err

    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "mine"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return play


def test_the_whole_job_is_shown_and_kept_where_it_is_asked_for(play, tmp_path):
    exit_code, text = play("--keep", str(tmp_path / "kept"))
    assert exit_code == 0
    commands = [line.split()[2] for line in text.splitlines() if line.startswith("$ xpmsync ")]
    assert commands == ["connect", "configure", "sync", "status", "errors", "sync", "errors", "sync", "sync"]
    assert " --smtp-security none --smtp-from xpmsync@example.com \\\n    --later\n" in text
    assert "Working: the last run succeeded just now." in text
    assert "staff-email-unusable (resolved)" in text
    assert text.count("(exit code 7)") == 2
    assert text.count("The e-mail:") == text.count("Subject: ") == 1
    assert f"export XPMSYNC_HOME={tmp_path}/kept" in text
    assert (tmp_path / "kept" / "active.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_command_that_ends_otherwise_ends_the_demo_and_its_home_is_thrown_away(play, tmp_path):
    exit_code, text = play(run_command=lambda command, **_: subprocess.CompletedProcess(command, 9))
    assert exit_code == 1
    assert text.endswith("$ xpmsync connect\n(exit code 9)\nError: That was not expected; the demo ends here.\n")
    assert list(tmp_path.iterdir()) == []


def test_only_a_new_folder_is_filled(play, tmp_path):
    (tmp_path / "file").touch()
    for place, said in ((".", "is there already; name a new folder."), ("file/x", "cannot be made: Not a directory.")):
        assert play("--keep", str(tmp_path / place))[1].endswith(f"{tmp_path / place} {said}\n")
