"""``xpmsync status``: how the sync is, from what lies on this computer. Asks nothing of Xero."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.console import Console

from xpmsync.cli.screen import (
    open_console,
    print_facts,
    print_json,
    print_table,
    print_text,
    render_age,
    render_count,
    render_time,
)
from xpmsync.config import Config, read_config
from xpmsync.errors import XpmsyncError
from xpmsync.home import Home, find_home, prepare_home

SHOWN_RUNS: Final = 5
KEYRING_PATIENCE_SECONDS: Final = 5.0
"""Less than a run has: nobody waits for a status."""
RUN_COLUMNS: Final = (
    "id",
    "started_at",
    "finished_at",
    "mode",
    "status",
    "users_created",
    "users_updated",
    "clients_created",
    "clients_updated",
    "problems",
    "api_calls",
    "bytes_received",
    "message",
    "exit_code",
)

Facts = Mapping[str, Any]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Show how the sync is: the connection, the last runs, what is open, what is left of Xero's daily limit."""
    home = find_home(os.environ)
    prepare_home(home)
    config = read_config(home)
    facts = {
        "sync": config.sync.name,
        "tenant_id": config.sync.tenant_id,
        "connection": _describe_connection(home, config),
        **_describe_runs(home, config),
    }
    if as_json:
        print_json(facts)
    else:
        _print(open_console(), facts)


def _describe_connection(home: Home, config: Config) -> dict[str, Any]:
    """What the keyring knows of the sign-in; a keyring that is shut hides that, and nothing else."""
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415 - keyring and requests are slow to load
    from xpmsync.xpm.vault import opened  # noqa: PLC0415 - keyring and requests are slow to load

    if config.sync.tenant_id is None:
        return {"state": "not connected"}
    try:
        patience = KEYRING_PATIENCE_SECONDS
        with opened(home, config, patience_seconds=patience, wait_seconds=patience) as vault:
            sign_in = open_tokens(home, config, vault).describe()
    except XpmsyncError as error:
        return {"state": "unknown", "reason": error.happened, "remedy": error.remedy}
    if sign_in is None:
        return {"state": "not connected"}
    return {
        "state": "connected",
        "practice": sign_in.practice_name,
        "user_id": sign_in.user_id,
        "connected_at": _to_text(sign_in.connected_at),
        "refreshed_at": _to_text(sign_in.refreshed_at),
        "pending_since": _to_text(sign_in.pending_since) if sign_in.pending_since else None,
        "scopes": list(sign_in.scopes),
    }


def _describe_runs(home: Home, config: Config) -> dict[str, Any]:
    """What the database knows of the runs."""
    from xpmsync.active import runs  # noqa: PLC0415 - slow to load
    from xpmsync.active.database import from_text, open_database  # noqa: PLC0415 - slow to load
    from xpmsync.active.error_log import find_problems  # noqa: PLC0415 - slow to load
    from xpmsync.rules.schedule import next_full_at  # noqa: PLC0415 - only where it is shown

    if not home.database_file.exists():
        latest, success, full, severities = [], None, None, []
    else:
        with open_database(home.database_file) as database:
            latest = runs.load_last_runs(database, SHOWN_RUNS)
            success = runs.load_last_success(database)
            full = runs.load_last_success(database, mode="full")
            severities = [row["severity"] for row in find_problems(database)]
    hours = config.sync.full_every_hours
    return {
        "last_success_at": success["finished_at"] if success else None,
        "next_full_run_at": _to_text(next_full_at(from_text(full["started_at"]), config.sync.tenant_id or "", hours))
        if full
        else None,
        "open_errors": severities.count("error"),
        "open_warnings": severities.count("warning"),
        "day_calls_remaining": next(
            (row["day_calls_remaining"] for row in latest if row["day_calls_remaining"] is not None), None
        ),
        "runs": [{column: row[column] for column in RUN_COLUMNS} for row in latest],
    }


def _to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print(console: Console, facts: Facts) -> None:
    print_text(console, facts["sync"], style="bold")
    console.print()
    print_facts(console, [*_render_connection(facts), *_render_health(facts)])
    if not facts["runs"]:
        return
    headings = ("Run", "Started", "Mode", "Result", "New", "Changed", "Problems")
    print_table(console, headings, [_render_run(row) for row in facts["runs"]])
    if message := facts["runs"][0]["message"]:
        print_text(console, f"Run {facts['runs'][0]['id']}: {message}")


def _render_connection(facts: Facts) -> list[tuple[str, object]]:
    connection = facts["connection"]
    if connection["state"] == "not connected":
        return [("Connected to", "nothing yet; run: xpmsync connect")]
    if connection["state"] == "unknown":
        return [
            ("Connected to", f"unknown: {connection['reason']}"),
            ("", connection["remedy"]),
            ("Practice id", facts["tenant_id"]),
        ]
    lines: list[tuple[str, object]] = [
        ("Connected to", connection["practice"] or f"the practice {facts['tenant_id']}"),
        ("By", f"the Xero user {connection['user_id']}" if connection["user_id"] else "unknown"),
        ("Since", render_time(connection["connected_at"])),
    ]
    if connection["pending_since"]:
        since = render_time(connection["pending_since"])
        lines.append(("Sign-in", f"its renewal was cut off at {since}; xpmsync notify finishes it"))
    return lines


def _render_health(facts: Facts) -> list[tuple[str, object]]:
    success, full, calls = facts["last_success_at"], facts["next_full_run_at"], facts["day_calls_remaining"]
    return [
        (
            "Last success",
            f"{render_time(success)}, {render_age(success, datetime.now(UTC))}" if success else "none yet",
        ),
        ("Next full run", f"the first after {render_time(full)}" if full else "the first run"),
        (
            "Open problems",
            f"{render_count(facts['open_errors'], 'error')}, {render_count(facts['open_warnings'], 'warning')}",
        ),
        ("Xero's limit", "unknown" if calls is None else f"{render_count(calls, 'call')} of the day left"),
    ]


def _render_run(row: Facts) -> tuple[object, ...]:
    """One line of the table; the counts, users and clients together, say something of a run that succeeded alone."""
    counts = (
        row["users_created"] + row["clients_created"],
        row["users_updated"] + row["clients_updated"],
        row["problems"],
    )
    succeeded = row["status"] == "succeeded"
    return (
        str(row["id"]),
        render_time(row["started_at"]),
        row["mode"],
        row["status"],
        *(counts if succeeded else [None] * 3),
    )
