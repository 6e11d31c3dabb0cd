"""Which practice of a connection: named, this home's already, the only one, or asked for.

The same for `xpmsync connect` and `xpmsync configure`.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from xpmsync.cli.console import choose, open_console
from xpmsync.cli.formatting import clean, is_watched
from xpmsync.errors import ConfigurationError, PermanentError
from xpmsync.home import connect_command
from xpmsync.text import fold

if TYPE_CHECKING:
    from xpmsync.xpm.api import Connection


def choose_practice(connections: Iterable["Connection"], tenant: str | None, settled_id: str | None) -> "Connection":
    """The practice that was named, or is this home's already, or is the only one, or is asked for.

    Raises UsageError with all of them where several are left and nobody can be asked.
    """
    from xpmsync.xpm.api import PRACTICE_MANAGER  # noqa: PLC0415
    from xpmsync.xpm.responses import ACCESS  # noqa: PLC0415 - slow to load

    practices = [connection for connection in connections if connection.tenant_type == PRACTICE_MANAGER]
    if not practices:
        raise PermanentError(
            "You have signed in, but Xero offers no practice of Xero Practice Manager to connect.",
            f"You need {ACCESS}. They are given in Practice Manager, under Business > Settings > Staff > your name >"
            " Permissions > Practice Administration. Then choose the practice on Xero's page. Run: "
            f"{connect_command()}",
        )
    wanted = tenant or settled_id
    named = [practice for practice in practices if wanted and _is_named(practice, wanted)]
    if tenant and len(named) != 1:
        count = "no practice" if not named else f"{len(named)} practices"
        raise click.UsageError(f"You have connected {count} called “{clean(tenant)}”. There are:\n{_list(practices)}")
    candidates = named or practices
    check_own_practice(settled_id, {practice.tenant_id: name_practice(practice) for practice in candidates})
    if len(candidates) == 1:
        return candidates[0]
    if is_watched():
        return candidates[choose(open_console(), "Which practice", [name_practice(each) for each in candidates])]
    raise click.UsageError(f"You have connected several practices. Choose one of these:\n{_list(candidates)}")


def check_own_practice(settled_id: str | None, offered: Mapping[str, str]) -> None:
    """Raise ConfigurationError where the data folder holds another practice's data than those offered, ID to name."""
    if settled_id is not None and settled_id not in offered:
        raise ConfigurationError(
            "This data folder holds the data of another practice. Nothing has changed.",
            "Each practice needs a data folder of its own: set XPMSYNC_HOME to another folder, and there run: "
            f"{connect_command()}",
            names=f"You have connected {' and '.join(offered.values())}.",
        )


def name_practice(practice: "Connection") -> str:
    """A practice as a sentence names it; Xero may send no name."""
    return f"“{clean(practice.tenant_name)}”" if practice.tenant_name else f"the practice {practice.tenant_id}"


def _is_named(practice: "Connection", wanted: str) -> bool:
    return fold(wanted) in (practice.tenant_id, fold(practice.tenant_name or ""))


def _list(practices: Iterable["Connection"]) -> str:
    """The option to type for each, and its name."""
    return "\n".join(
        f"  --tenant {practice.tenant_id}  {clean(practice.tenant_name or '')}".rstrip() for practice in practices
    )
