"""`xpmsync report`, and the page that every run writes."""

import os
import stat

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.errors import PermanentError
from xpmsync.sandbox import Practice


@pytest.fixture
def firm(make_firm):
    return make_firm(Practice.generate(clients=30, staff=5, seed=7))


@pytest.fixture
def page(firm, tmp_path):
    """The page that every run of the firm writes."""
    path = tmp_path / "share" / "sync.html"
    path.parent.mkdir()
    change_config(firm.home, {"report.file": str(path)})
    return path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_page_lies_in_the_data_folder_for_its_owner_alone(firm, capsys):
    firm.sync()
    assert run(["report"]) == 0
    path = firm.home.data_folder / "report.html"
    assert str(path) in capsys.readouterr().out.replace("\n", "")
    assert mode(path) == 0o600
    assert b"Working" in path.read_bytes()


def test_a_dash_prints_the_page(firm, capsys):
    firm.sync()
    assert run(["report", "-", "--days", "7"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("<!DOCTYPE html>")
    assert "The last 7 days" in printed
    assert not firm.home.report_file.exists()


def test_names_stand_there_only_when_asked_for(firm, capsys):
    firm.sync()
    names = [row["name"] for row in firm.rows("SELECT DISTINCT name FROM sync_errors WHERE name IS NOT NULL")]
    run(["report", "-"])
    without = capsys.readouterr().out
    run(["report", "-", "--names"])
    named = capsys.readouterr().out
    assert names
    assert not any(name in without for name in names)
    assert any(name in named for name in names)


def test_a_file_of_another_kind_is_not_replaced(firm, capsys):
    before = firm.home.database_file.read_bytes()
    assert run(["report", str(firm.home.database_file)]) == 2
    assert "ends in .html" in capsys.readouterr().err
    assert firm.home.database_file.read_bytes() == before


@pytest.mark.usefixtures("firm")
def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path, capsys):
    assert run(["report", str(tmp_path / "nowhere" / "a.html")]) == 5
    assert "cannot be written: No such file or directory." in capsys.readouterr().err


def test_before_the_first_run_nothing_but_the_page_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "new"))
    assert run(["report"]) == 0
    assert not (tmp_path / "new" / "active.db").exists()
    assert "Not set up yet" in (tmp_path / "new" / "report.html").read_text("utf-8")


def test_every_run_writes_the_page_when_it_is_wanted(firm, page):
    firm.sync()
    assert "Working" in page.read_text("utf-8")
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync()
    assert "Disrupted" in page.read_text("utf-8")
    assert mode(page) == 0o600
    assert os.listdir(page.parent) == ["sync.html"]  # noqa: PTH208 - no draft is left


def test_a_page_that_was_opened_to_others_stays_open_and_a_link_stays_a_link(firm, page, tmp_path):
    target = tmp_path / "elsewhere.html"
    target.write_text("")
    target.chmod(0o644)
    page.symlink_to(target)
    firm.sync()
    assert page.is_symlink()
    assert mode(target) == 0o644
    assert "Working" in target.read_text("utf-8")


def test_a_rehearsal_writes_no_page(page):
    assert run(["sync", "--dry-run"]) == 0
    assert not page.exists()


def test_the_page_of_a_run_names_somebody_only_where_the_settings_say_so(firm, page):
    firm.sync()
    assert "names nobody" in page.read_text("utf-8")
    change_config(firm.home, {"report.names": True})
    firm.sync()
    assert "names clients and staff" in page.read_text("utf-8")


def test_trouble_with_the_page_is_said_once_a_day_and_changes_nothing_else(firm, page, capfd):
    page.parent.rmdir()
    assert run(["sync"]) == 0
    assert "The page about the sync could not be written." in capfd.readouterr().err
    assert run(["sync"]) == 0
    assert capfd.readouterr().err == ""
    with firm.sandbox.faults.active("user-revoked"):
        assert run(["sync"]) == 7
    assert "Xero refuses access" in capfd.readouterr().err
    assert [row["status"] for row in firm.rows("SELECT status FROM sync_runs")] == ["succeeded", "succeeded", "failed"]


def test_trouble_with_the_page_fits_the_terminal_of_whoever_watches(page, type_ahead, capsys, monkeypatch):
    page.parent.rmdir()
    type_ahead()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["sync"]) == 0
    lines = capsys.readouterr().err.splitlines()
    start = next(index for index, line in enumerate(lines) if "The page about the sync" in line)
    assert len(lines[start:]) > 1
    assert max(len(line) for line in lines[start:] if " " in line) <= 80  # a path is one word, and stays whole


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ('file = "~/sync.html"', "report.file: must be the full path of a file"),
        ('file = "sync.html"', "report.file: must be the full path of a file"),
        ('file = "/srv/active.db"', "report.file: must be the full path of a page that ends in .html"),
        ('file = "/srv/sync.htm"', "report.file: must be the full path of a page that ends in .html"),
        ('names = "yes"', "report.names: must be true or false"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(home, capsys, lines, mistake):
    home.config_file.write_text(f"[report]\n{lines}\n")
    assert run(["status"]) == 5
    assert mistake in capsys.readouterr().err
