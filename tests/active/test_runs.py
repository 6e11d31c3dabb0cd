from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.active import runs
from xpmsync.active.error_log import save_issues
from xpmsync.active.history import ChangeRow, save_changes
from xpmsync.active.synced_values import load_written, save_written

NINE = datetime(2026, 11, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def play(database):
    """A run an hour after the last, of this mode, that ends so."""
    hours = iter(range(100))

    def play(status, *, mode="full", is_watched=False, tenant_id="practice", **values):
        now = NINE + next(hours) * HOUR
        run_id = runs.start_run(database, tenant_id=tenant_id, mode=mode, is_watched=is_watched, now=now)
        if status != "running":
            runs.finish_run(database, run_id, status=status, now=now + HOUR / 2, values=values)
        return run_id

    return play


def test_a_run_is_written_when_it_begins_and_when_it_ends(database, play):
    run_id = play("succeeded", clients_created=3, api_calls=3, exit_code=0)
    run = runs.load_run(database, run_id)
    told = ("started_at", "finished_at", "tenant_id", "mode", "status", "clients_created", "api_calls", "exit_code")
    assert [run[column] for column in told] == [
        "2026-11-01T09:00:00Z",
        "2026-11-01T09:30:00Z",
        "practice",
        "full",
        "succeeded",
        3,
        3,
        0,
    ]


def test_a_run_that_never_finished_is_marked_interrupted_by_the_next(database, play):
    killed = play("running")
    failed = play("failed")
    running = play("running")
    assert [runs.load_run(database, run)["status"] for run in (killed, failed, running)] == [
        "interrupted",
        "failed",
        "running",
    ]
    assert runs.load_run(database, killed)["message"] == "The run was cut off; it changed nothing."


def test_runs_are_found_by_how_they_ended(database, play):
    assert runs.load_first_run(database) is None
    assert runs.load_last_success(database) is None
    assert runs.load_last_failure(database) is None
    assert runs.load_practice(database) is None
    assert runs.load_run(database, 1) is None
    first = play("failed", tenant_id="another")
    full = play("succeeded")
    hourly = play("succeeded", mode="incremental")
    failed = play("failed", tenant_id=None)
    watched = play("failed", is_watched=True)
    assert runs.load_first_run(database)["id"] == first
    assert runs.load_last_success(database)["id"] == hourly
    assert runs.load_last_success(database, mode="full")["id"] == full
    assert runs.load_last_failure(database)["id"] == failed
    assert runs.load_practice(database) == "practice"
    assert [run["id"] for run in runs.load_last_runs(database, 2)] == [watched, failed]


def test_the_last_failure_comes_with_its_remedy(database, play):
    run_id = play("failed", exit_code=6, message="What.")
    entry = {"code": "xero-unreachable", "severity": "error", "entity": "run", "xpm_uuid": None, "name": None}
    entry |= {"field": None, "message": "What.", "suggestion": "Wait.", "cause": None, "remedy": None}
    save_issues(database, [entry], run_id=run_id, now=NINE, resolve_others=False)
    assert runs.load_last_failure(database)["remedy"] == "Wait."
    watched = play("failed", exit_code=6, message="What.", is_watched=True)
    save_issues(database, [entry], run_id=watched, now=NINE, resolve_others=False)
    assert (runs.load_last_failure(database)["id"], runs.load_last_failure(database)["remedy"]) == (run_id, "Wait.")


def test_changes_are_appended_with_who_made_them_and_when(database, rows, play):
    run_id = play("succeeded")
    save_changes(
        database, [ChangeRow("client", "c1", "updated", "fax", "1", None)], run_id=run_id, actor="sync", now=NINE
    )
    save_changes(database, [ChangeRow("office", "MAIN", "created")], run_id=None, actor="ann", now=NINE + HOUR)
    columns = "run_id, actor, changed_at, entity, entity_id, action, field, old_value, new_value"
    assert [tuple(row.values()) for row in rows(f"SELECT {columns} FROM changes")] == [
        (run_id, "sync", "2026-11-01T09:00:00Z", "client", "c1", "updated", "fax", "1", None),
        (None, "ann", "2026-11-01T10:00:00Z", "office", "MAIN", "created", None, None, None),
    ]


def test_what_a_sync_wrote_is_remembered_without_what_is_empty(database):
    save_written(database, {"c1": {"fax": "1", "email": None, "groups": ["g1"]}, "c2": {"groups": []}})
    assert load_written(database, "c1") == {"fax": "1", "groups": ["g1"]}
    assert load_written(database, "c2") == {}
    assert load_written(database, "c3") == {}
    save_written(database, {"c1": {"fax": "Ō"}})
    assert load_written(database, "c1") == {"fax": "Ō"}
