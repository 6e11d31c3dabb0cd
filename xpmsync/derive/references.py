"""Says of each reference that leads to a row that is gone what it is, and how to repair it."""

import shlex
from typing import Final

from xpmsync.active.references import MEANINGLESS_WITHOUT, Dangling
from xpmsync.rules.problems import Problem, join_names, problem

OFFICE_REPAIR: Final = "Set the office up again: xpmsync admin office add {key} --name NAME"
CLIENT_REPAIR: Final = (
    "Run: xpmsync sync. If the warning stays, choose another {who} in XPM, or run: "
    "xpmsync admin client set CODE --{who} EMAIL"
)
TEXTS: Final = {
    ("offices", "default_partner_id"): (
        "The default partner of {names} is gone: another program has deleted the user {key} from Active.",
        "Choose another default partner: xpmsync admin office set {name} --default-partner EMAIL",
    ),
    ("users", "office_code"): (
        "The office {key} of {names} is gone: another program has deleted it from Active.",
        OFFICE_REPAIR,
    ),
    ("clients", "office_code"): (
        "The office {key} of {names} is gone: another program has deleted it from Active.",
        OFFICE_REPAIR,
    ),
    ("clients", "partner_id"): (
        "The partner of {names} is gone: another program has deleted the user {key} from Active.",
        CLIENT_REPAIR.format(who="partner"),
    ),
    ("clients", "manager_id"): (
        "The manager of {names} is gone: another program has deleted the user {key} from Active.",
        CLIENT_REPAIR.format(who="manager"),
    ),
}
OF_OTHERS: Final = (
    "In the table {table}, {column} of {count} leads to “{key}”, which another program has deleted.",
    "Nothing needs to be done: the history and the error log can be read without it.",
)
OF_MEANINGLESS: Final = (
    OF_OTHERS[0],
    "Nothing needs to be done: a sync removes these rows, and sets up again what XPM has.",
)


def explain(dangling: Dangling) -> Problem:
    """The warning about one reference."""
    default = OF_MEANINGLESS if dangling.table in MEANINGLESS_WITHOUT else OF_OTHERS
    what, repair = TEXTS.get((dangling.table, dangling.column), default)
    facts = {
        "table": dangling.table,
        "column": dangling.column,
        "count": "1 row" if dangling.count == 1 else f"{dangling.count:,} rows",
        "names": join_names(dangling.names, len(dangling.names)),
    }
    return problem(
        "reference-broken",
        None,
        None,
        reference=f"{dangling.table}.{dangling.column} {dangling.key}",
        what=what.format(**facts, key=dangling.key),
        repair=repair.format(key=shlex.quote(dangling.key), name=shlex.quote(next(iter(dangling.names), ""))),
    )
