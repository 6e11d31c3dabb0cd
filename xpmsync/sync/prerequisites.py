"""Loads what the prerequisites are judged by, once users and clients are derived."""

from collections.abc import Iterable

from xpmsync.active import mirror
from xpmsync.active.clients import load_unlinked_clients
from xpmsync.active.database import Database
from xpmsync.active.users import load_users
from xpmsync.rules.clients import read_status
from xpmsync.rules.issues import Issue
from xpmsync.rules.prerequisites import HandMadeClient, Prerequisite, list_prerequisites
from xpmsync.rules.reading import read_text
from xpmsync.rules.staff import make_directory
from xpmsync.text import fold


def load_prerequisites(database: Database, issues: Iterable[Issue]) -> tuple[Prerequisite, ...]:
    """Every prerequisite, by these issues and the data that is there now."""
    users = load_users(database)
    emails = make_directory(mirror.load_listed_staff(database), users).listed.values()
    clients = [HandMadeClient(row["legal_name"], row["code"]) for row in load_unlinked_clients(database)]
    rows = mirror.iterate_clients(database, ("client_code", "is_archived", "is_deleted", "vanished_at"))
    codes = (read_text(row["client_code"]) for row in rows if read_status(row) == "active") if clients else ()
    return list_prerequisites(
        issues,
        [user for user in users if user.status == "active" and user.xpm_staff_uuid is None],
        {email for email in emails if email},
        clients,
        {fold(code) for code in codes if code},
    )
