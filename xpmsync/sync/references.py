"""Says of each reference that leads to a row that is gone what it is, and how to repair it."""

import shlex
from typing import Final

from xpmsync.active.references import COUNTED_AS_NONE, MEANINGLESS_WITHOUT, Dangling
from xpmsync.rules.issues import Issue, issue, join_names

WHAT: Final = {
    "default_partner_id": "The default partner of {names}",
    "office_code": "The office of {names}",
    "partner_id": "The partner of {names}",
    "manager_id": "The manager of {names}",
}
"""By the column that leads to it."""
COMMANDS: Final = {
    "default_partner_id": "xpmsync admin office set {name} --default-partner EMAIL",
    "office_code": "xpmsync admin office add {key} --name NAME",
    "partner_id": "xpmsync admin client set CODE --partner EMAIL. If XPM names one, a sync is enough: xpmsync sync",
    "manager_id": "xpmsync admin client set CODE --manager EMAIL. If XPM names one, a sync is enough: xpmsync sync",
}
"""What repairs it."""


def explain(dangling: Dangling) -> Issue:
    """The warning about one reference, which counts as none or has been removed."""
    reference = f"{dangling.table}.{dangling.column} {dangling.key}"
    if dangling.table in MEANINGLESS_WITHOUT:
        return issue("leftovers-removed", None, None, reference=reference, what=_count(dangling))
    names = join_names(dangling.names, len(dangling.names))
    name = shlex.quote(next(iter(dangling.names), ""))
    return issue(
        "reference-broken",
        None,
        None,
        reference=reference,
        what=WHAT[dangling.column].format(names=names),
        missing=f"{'the office' if dangling.column == 'office_code' else 'the user'} {dangling.key}",
        command=COMMANDS[dangling.column].format(name=name, key=shlex.quote(dangling.key)),
    )


def diagnose(dangling: Dangling) -> tuple[str, str]:
    """What is to be said of one reference before a sync has seen it, and the repair."""
    if dangling.table in COUNTED_AS_NONE:
        warning = explain(dangling)
        return warning.message, warning.suggestion
    found = f"{_count(dangling)}, which another program has deleted."
    if dangling.table in MEANINGLESS_WITHOUT:
        return found, "To remove what leads there, and to set up again what XPM has, run: xpmsync sync"
    return found, "Nothing needs to be done: the history and the error log can be read without it."


def _count(dangling: Dangling) -> str:
    rows = "1 row" if dangling.count == 1 else f"{dangling.count:,} rows"
    return f"In the table {dangling.table}, {dangling.column} of {rows} leads to “{dangling.key}”"
