"""Active's users. What is written here is written as told; who may change what is the rules' business."""

from collections.abc import Iterable, Mapping, Sequence

from xpmsync.active.database import Database
from xpmsync.records import User


def load_users(database: Database) -> list[User]:
    """Every user, whatever their status. An office that is gone is none."""
    rows = database.connection.execute(
        "SELECT id, first_name, last_name, email, role, "
        "(SELECT code FROM offices WHERE code = office_code) AS office_code, status, xpm_staff_uuid FROM users "
        "ORDER BY first_name, last_name, email"
    )
    return [User(**row) for row in rows]


def insert_user(database: Database, user_id: str, values: Mapping[str, object]) -> None:
    """Add a user."""
    row = {"id": user_id, **values}
    database.connection.execute(
        f"INSERT INTO users ({', '.join(row)}, email_key) VALUES ({', '.join('?' for _ in row)}, fold(?))",
        (*row.values(), row["email"]),
    )


def update_user(database: Database, user_id: str, values: Mapping[str, object]) -> None:
    """Change some of a user's columns."""
    assignments = [f"{column} = :{column}" for column in values]
    if "email" in values:
        assignments.append("email_key = fold(:email)")
    database.connection.execute(
        f"UPDATE users SET {', '.join(assignments)} WHERE id = :user_id", {**values, "user_id": user_id}
    )


def load_former_staff(database: Database) -> dict[str, str]:
    """Former entry of the staff list to the user whose clients name it."""
    rows = database.connection.execute(
        "SELECT former_staff.xpm_staff_uuid, user_id FROM former_staff JOIN users ON users.id = user_id"
    )
    return dict(rows.fetchall())


def save_former_staff(database: Database, staff_uuid: str, user_id: str) -> None:
    """Let a former entry of the staff list lead to this user alone."""
    database.connection.execute("INSERT OR REPLACE INTO former_staff VALUES (?, ?)", (staff_uuid, user_id))


def forget_former_staff(database: Database, staff_uuid: str) -> None:
    """Let a former entry of the staff list lead to nobody."""
    database.connection.execute("DELETE FROM former_staff WHERE xpm_staff_uuid = ?", (staff_uuid,))


def move_former_staff(database: Database, user_id: str, successor_id: str) -> None:
    """Let the former entries of a user lead to another one."""
    database.connection.execute("UPDATE former_staff SET user_id = ? WHERE user_id = ?", (successor_id, user_id))


def delete_user(database: Database, user_id: str) -> None:
    """Remove a user who holds nothing any more: no client, no office."""
    for statement in (
        "DELETE FROM user_modules WHERE user_id = ?",
        "DELETE FROM synced_values WHERE record_id = ?",
        "DELETE FROM users WHERE id = ?",
    ):
        database.connection.execute(statement, (user_id,))


def release_emails(database: Database, user_ids: Sequence[str]) -> None:
    """Let go of the e-mail addresses of users that are given others at once, so that two can swap theirs."""
    database.connection.executemany(
        "UPDATE users SET email = id, email_key = NULL WHERE id = ?", [(user_id,) for user_id in user_ids]
    )


def load_modules(database: Database) -> dict[str, tuple[str, ...]]:
    """User to the modules they may use; users without one are left out."""
    modules: dict[str, tuple[str, ...]] = {}
    for user_id, module in database.connection.execute(
        "SELECT user_id, module FROM user_modules ORDER BY user_id, module"
    ):
        modules[user_id] = (*modules.get(user_id, ()), module)
    return modules


def load_needs(database: Database) -> dict[str, tuple[str, ...]]:
    """E-mail address to what its user, who is active, still needs before they can use Active; the others are left out.

    What that is, the view `user_list` says, and nothing else does.
    """
    rows = database.connection.execute("SELECT email, still_needs FROM user_list WHERE still_needs IS NOT NULL")
    return {email: tuple(needs.split(", ")) for email, needs in rows}


def save_modules(database: Database, user_id: str, modules: Iterable[str]) -> None:
    """Give a user these modules in place of the earlier ones."""
    database.connection.execute("DELETE FROM user_modules WHERE user_id = ?", (user_id,))
    database.connection.executemany(
        "INSERT INTO user_modules (user_id, module) VALUES (?, ?)", [(user_id, module) for module in modules]
    )
