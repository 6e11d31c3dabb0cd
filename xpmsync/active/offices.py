"""Active's offices and their default partners."""

import sqlite3

from xpmsync.active.database import Database

_OFFICES = "SELECT code, name, (SELECT id FROM users WHERE id = default_partner_id) AS default_partner_id FROM offices"
"""A default partner who is no user any more is none."""


def load_offices(database: Database) -> list[sqlite3.Row]:
    """Every office: code, name, default_partner_id."""
    return database.connection.execute(f"{_OFFICES} ORDER BY code").fetchall()


def load_offices_without_active_partner(database: Database) -> list[sqlite3.Row]:
    """The offices whose default partner is not an active user: code, name, partner (name and email address)."""
    return database.connection.execute(
        "SELECT offices.code, offices.name, "
        "trim(first_name || ' ' || coalesce(last_name, '')) || ' (' || email || ')' AS partner "
        "FROM offices JOIN users ON users.id = default_partner_id WHERE users.status <> 'active' ORDER BY offices.code"
    ).fetchall()


def find_office(database: Database, code: str) -> sqlite3.Row | None:
    """The office with this code, whatever its case."""
    row: sqlite3.Row | None = database.connection.execute(f"{_OFFICES} WHERE fold(code) = fold(?)", (code,)).fetchone()
    return row


def insert_office(database: Database, code: str, name: str) -> None:
    """Add an office."""
    database.connection.execute("INSERT INTO offices (code, name) VALUES (?, ?)", (code, name))


def update_office(database: Database, code: str, *, name: str, default_partner_id: str | None) -> None:
    """Change an office's name and default partner; its code never changes."""
    database.connection.execute(
        "UPDATE offices SET name = ?, default_partner_id = ? WHERE code = ?", (name, default_partner_id, code)
    )
