"""How a command ends that does not end well: the exit code, and what a person is told."""

import click
import pytest

from xpmsync.cli.error_handler import explain


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "Interrupted. Nothing is half done.\n"),
        (click.Abort(), "\nInterrupted. Nothing is half done.\n"),  # a question leaves the cursor on its own line
    ],
)
def test_whoever_presses_ctrl_c_is_told_that_nothing_is_half_done(capsys, error, said):
    assert explain(error) == 130
    assert capsys.readouterr() == ("", said)


def test_a_fault_of_ours_is_told_without_its_details_which_the_log_has(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    assert explain(ZeroDivisionError("of client Ngata")) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "xpmsync has a fault and stopped (ZeroDivisionError). Nothing is half done.",
        f"Send the log to the people who make xpmsync: {tmp_path}/xpmsync.log",
    ]
    assert "ZeroDivisionError: of client Ngata" in (tmp_path / "xpmsync.log").read_text()
