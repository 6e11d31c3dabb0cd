"""The life of a problem: new, seen again, resolved by itself, back as a new row; and how it is found."""

from datetime import UTC, datetime

import pytest

from xpmsync.active.error_log import find_issues, save_issues
from xpmsync.active.runs import finish_run


def hour(number):
    return datetime(2026, 11, 1, number, tzinfo=UTC)


def entry(code="partner-missing", uuid="c1", **values):
    usual = {"code": code, "severity": "error", "entity": "client", "xpm_uuid": uuid, "name": "Ngata", "field": None}
    texts = {"message": "What.", "suggestion": "Do.", "cause": "have it", "remedy": "Do all."}
    return usual | texts | values


@pytest.fixture
def log(database, begin_run):
    """A run at an hour finds these problems; gives the run's id."""

    def save(number, *issues, resolve_others=True):
        run_id = begin_run(number)
        save_issues(database, issues, run_id=run_id, now=hour(number), resolve_others=resolve_others)
        finish_run(database, run_id, status="succeeded" if resolve_others else "failed", now=hour(number), values={})
        return run_id

    return save


def test_a_new_issue_is_a_new_row(log, rows):
    run_id = log(9, entry(field="partner_id"))
    assert rows("SELECT * FROM sync_errors") == [
        {
            "id": 1,
            "code": "partner-missing",
            "severity": "error",
            "entity": "client",
            "xpm_uuid": "c1",
            "name": "Ngata",
            "field": "partner_id",
            "message": "What.",
            "suggestion": "Do.",
            "cause": "have it",
            "remedy": "Do all.",
            "first_seen_at": "2026-11-01T09:00:00Z",
            "last_seen_at": "2026-11-01T09:00:00Z",
            "times_seen": 1,
            "first_run_id": run_id,
            "last_run_id": run_id,
            "resolved_at": None,
        }
    ]


def test_an_issue_seen_again_is_counted_and_told_in_its_latest_words(log, rows):
    first = log(9, entry())
    log(10, entry())
    last = log(11, entry(message="Newer.", name="Ngata Ltd"))
    assert rows(
        "SELECT name, message, first_seen_at, last_seen_at, times_seen, first_run_id, last_run_id FROM sync_errors"
    ) == [
        {
            "name": "Ngata Ltd",
            "message": "Newer.",
            "first_seen_at": "2026-11-01T09:00:00Z",
            "last_seen_at": "2026-11-01T11:00:00Z",
            "times_seen": 3,
            "first_run_id": first,
            "last_run_id": last,
        }
    ]


def test_an_issue_that_is_gone_is_resolved_and_one_that_returns_is_a_new_row(log, rows):
    log(9, entry())
    log(10)
    log(11)
    log(12, entry())
    assert rows("SELECT first_seen_at, times_seen, resolved_at FROM sync_errors ORDER BY id") == [
        {"first_seen_at": "2026-11-01T09:00:00Z", "times_seen": 1, "resolved_at": "2026-11-01T10:00:00Z"},
        {"first_seen_at": "2026-11-01T12:00:00Z", "times_seen": 1, "resolved_at": None},
    ]


def test_a_run_that_failed_resolves_nothing(log, rows):
    log(9, entry())
    log(10, entry("xero-unreachable", None, entity="run"), resolve_others=False)
    assert rows("SELECT code FROM sync_errors WHERE resolved_at IS NULL") == [
        {"code": "partner-missing"},
        {"code": "xero-unreachable"},
    ]
    log(11, entry())
    assert rows("SELECT code FROM sync_errors WHERE resolved_at IS NULL") == [{"code": "partner-missing"}]


def test_issues_are_told_apart_by_code_entity_record_and_field(log, rows):
    log(9, entry(), entry(code="other"), entry(entity="user"), entry(uuid="c2"), entry(field="code"), entry(uuid=None))
    log(10, entry(), entry(code="other"), entry(entity="user"), entry(uuid="c2"), entry(field="code"), entry(uuid=None))
    assert rows("SELECT count(*) AS number, min(times_seen) AS times FROM sync_errors") == [{"number": 6, "times": 2}]


def test_the_same_issue_twice_in_one_run_is_seen_once(log, rows):
    log(9, entry(uuid=None), entry(uuid=None))
    assert rows("SELECT times_seen FROM sync_errors") == [{"times_seen": 1}]


@pytest.fixture
def history(log):
    """Open since nine, resolved at eleven, seen at ten alone, new at twelve."""
    return [
        log(9, entry("open"), entry("resolved", "c2")),
        log(10, entry("open"), entry("resolved", "c2"), entry("short", "s1", entity="user", severity="warning")),
        log(11, entry("open")),
        log(12, entry("open"), entry("new", "c3")),
    ]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["new", "open"]),
        ({"include_resolved": True}, ["new", "open", "resolved", "short"]),
        ({"since": hour(9)}, ["new", "open", "resolved", "short"]),
        ({"since": hour(11)}, ["new", "open", "resolved", "short"]),
        ({"since": hour(12)}, ["new", "open"]),
        ({"entity": "user"}, []),
        ({"entity": "user", "include_resolved": True}, ["short"]),
        ({"entity": "client", "since": hour(9)}, ["new", "open", "resolved"]),
        ({"codes": ["new"]}, ["new"]),
        ({"codes": ["short"], "since": hour(9)}, ["short"]),
        ({"codes": ["short", "new"], "since": hour(9)}, ["new", "short"]),
        ({"severity": "error"}, ["new", "open"]),
        ({"severity": "warning", "include_resolved": True}, ["short"]),
        ({"severity": "warning", "entity": "client", "include_resolved": True}, []),
        ({"run": 0}, ["open", "resolved"]),
        ({"run": 1}, ["open", "resolved", "short"]),
        ({"run": 2}, ["open"]),
        ({"run": 3}, ["new", "open"]),
        ({"run": 3, "since": hour(9), "codes": ["open"]}, ["open"]),
    ],
)
def test_issues_are_found_by_when_what_and_whose(database, history, filters, expected):
    filters = dict(filters)
    if "run" in filters:
        filters["run_id"] = history[filters.pop("run")]
    assert [row["code"] for row in find_issues(database, **filters)] == expected


def test_errors_come_before_warnings_and_runs_before_clients(database, log):
    log(9, entry("b"), entry("a", severity="warning"), entry("c", None, entity="run"), entry("d", entity="user"))
    assert [row["code"] for row in find_issues(database)] == ["d", "c", "b", "a"]
