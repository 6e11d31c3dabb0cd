"""The safety limits: stop a sync that would remove or blank more than it may before a person has looked.

Brings what is counted, what is allowed and what a person has accepted together. Writes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from xpmsync.active import mirror
from xpmsync.active.database import Database
from xpmsync.active.elements import load_not_sent
from xpmsync.active.removals import (
    CLIENTS_CLOSED,
    CLIENTS_MISSING,
    STAFF_MISSING,
    Affected,
    emptied,
    emptied_in_active,
    measure_client_losses,
    measure_emptied_values,
    measure_staff_losses,
)
from xpmsync.active.stops import Accepted, count_more, load_names, name_not_sent
from xpmsync.active.users import load_users
from xpmsync.config import GuardSettings
from xpmsync.errors import PermanentError, SuspiciousChange
from xpmsync.records import RecordShape
from xpmsync.rules.fields import CLIENT_FIELDS, CLIENT_SHAPE, STAFF_SHAPE, Field
from xpmsync.rules.guard import NEEDED_ELEMENTS, Loss
from xpmsync.rules.schedule import Mode
from xpmsync.rules.staff import plan_users

SHAPES: Final[Mapping[str, RecordShape]] = {"xpm_staff": STAFF_SHAPE, "xpm_clients": CLIENT_SHAPE}
"""Of the lists that are judged, by the mirror's table."""
NOUNS: Final = {"xpm_staff": "staff", "xpm_clients": "clients"}
NAMES_SHOWN: Final = 3


@dataclass(frozen=True)
class Elements:
    """What a list says of the elements of its records."""

    shape: RecordShape
    sent: AbstractSet[str] = frozenset()
    """At least one record has them."""
    not_sent: AbstractSet[str] = frozenset()
    """No record of this full list has them."""
    accepted: AbstractSet[str] = frozenset()
    """Of those, the ones that somebody has accepted: their values go."""
    kept: AbstractSet[str] = frozenset()
    """Those that are not sent, and whose values stay."""

    def find_columns(self, elements: AbstractSet[str]) -> frozenset[str]:
        """The mirror's columns for some elements."""
        return frozenset(column for element in elements for column in self.shape.elements[element])

    @property
    def cleared(self) -> frozenset[str]:
        """The mirror's columns that accepting clears; what items lack goes with what is told of them."""
        return self.find_columns({element for element in self.accepted if not self.shape.find_part(element)})


@dataclass(frozen=True)
class Verdict:
    """Whether a sync may go on."""

    stop: SuspiciousChange | None = None
    losses: tuple[Affected, ...] = ()
    """All that a person has to accept, or has accepted."""
    accepted: tuple[str, ...] = ()
    """What would have stopped it, had a person not accepted it: a sentence each, in counts alone."""


def read_elements(
    database: Database, mode: Mode, absent: Mapping[str, AbstractSet[str]], accepted: Accepted | None
) -> dict[str, Elements]:
    """What the lists say of the elements of their records, by table; `absent` has those that no record of one has.

    The staff list is always a full one. Of the modified clients, those that lack an element are no evidence; but what
    the last full list came without, and nobody has accepted, is not cleared by them either.
    """
    known = load_not_sent(database)
    found = {}
    for table, shape in SHAPES.items():
        lacking = (absent[table] & shape.elements.keys()) - {"UUID"}
        # Without any item, a list says nothing of the elements that its items have.
        unknown = {each for each in lacking if (part := shape.find_part(each)) and part.path in absent[table]}
        open_, agreed = (
            {each.element for each in known if each.table == table and each.is_accepted is is_accepted}
            for is_accepted in (False, True)
        )
        if absent[table] >= shape.elements.keys():
            found[table] = Elements(shape)  # an empty list says nothing
        elif table == "xpm_clients" and mode != "full":
            found[table] = Elements(shape, sent=shape.elements.keys() - lacking, kept=lacking & open_)
        else:
            agreed |= accepted.elements.get(table, frozenset()) if accepted else set()
            found[table] = Elements(
                shape,
                sent=shape.elements.keys() - lacking,
                not_sent=lacking - unknown,
                accepted=lacking & agreed - unknown,
                kept=lacking - agreed,
            )
    return found


@dataclass(frozen=True)
class Judge:
    """The safety limits of one sync, and what is accepted of them.

    Of a kind that is accepted, a single record more stops the sync again.
    """

    database: Database
    limits: GuardSettings
    mode: Mode
    elements: Mapping[str, Elements]
    accepted: Accepted | None
    run_id: int
    """0 for a dry run, which nobody can accept."""
    last_change_id: int = 0
    """Of the history, before the sync."""

    def judge_lists(self, *, is_first: bool) -> Verdict:
        """Compare what the attached spool would take away from the mirror with the limits, before it is merged.

        `is_first` says that no sync has succeeded yet. Raises Refused where a full list has no identifiers.
        """
        _check_identifiers(self.database, self.mode)
        found = _list_losses(self.database, self.limits, self.mode, self.elements, is_first=is_first)
        return self._conclude(found, Verdict())

    def judge_changes(self, verdict: Verdict) -> Verdict:
        """Compare what the sync has emptied in Active with the limits, before that is committed.

        XPM may send a text from which Active gets no value, such as a manager who is not in Active. `verdict` is that
        on the lists, which have not stopped the sync.
        """
        of_clients = self.elements["xpm_clients"]
        agreed = of_clients.find_columns(of_clients.accepted)
        fields = [field for field in CLIENT_FIELDS if field.mirror_columns[0] not in agreed]
        broader_kinds = {field.column: emptied(field.mirror_columns[0]) for field in fields}
        sentences = {emptied_in_active(field.column): _say_emptied(field) for field in fields}
        limits = (self.limits.emptied_field_percent, self.limits.emptied_field_at_least)
        emptied_values = measure_emptied_values(self.database, broader_kinds, after_id=self.last_change_id)
        found = ((each, Loss(sentences[each.kind], each.lost, each.total, *limits)) for each in emptied_values)
        verdict = self._conclude(found, verdict)
        elements = () if verdict.stop else _describe_elements(self.elements, self.accepted)
        return replace(verdict, accepted=(*verdict.accepted, *elements))

    def _conclude(self, found: Iterable[tuple[Affected, Loss]], verdict: Verdict) -> Verdict:
        """The verdict so far, with some losses more; one that a broader loss of as many covers is not described."""
        described: dict[str | None, int] = {affected.kind: affected.lost for affected in verdict.losses}
        losses, accepted = [*verdict.losses], [*verdict.accepted]
        stopping, names = [], []
        for affected, loss in found:
            if not loss.is_too_much and not (self.accepted and self.accepted.has_kind_of(affected)):
                continue
            losses.append(affected)
            if more := count_more(self.database, affected, self.accepted):
                stopping.append(loss.describe(more))
                names.append(_name(load_names(self.database, affected, self.accepted, NAMES_SHOWN), more))
            elif affected.lost > described.get(affected.broader_kind, 0):
                accepted.append(loss.describe())
        if not stopping:
            return Verdict(None, tuple(losses), tuple(accepted))
        already = [f"{sentence.removesuffix('.')} (accepted already)." for sentence in accepted]
        stop = SuspiciousChange(
            f"The safety limits stopped the sync: {' '.join([*already, *stopping])}",
            _make_remedy(self.run_id, self.mode),
            names=" ".join(filter(None, names)) or None,
            counts={affected.kind: affected.lost for affected in losses},
        )
        return Verdict(stop, tuple(losses), tuple(accepted))


def _make_remedy(run_id: int, mode: Mode) -> str:
    full = "full " if mode == "full" else ""
    if not run_id:
        sync = "xpmsync sync --full" if full else "xpmsync sync"
        return f"If XPM is correct, run: {sync}. It is stopped too, and prints the command that accepts this."
    return (
        f"List the affected records: xpmsync sync --accept {run_id} --dry-run. If XPM is correct, run: xpmsync sync "
        f"--accept {run_id}. If not, correct XPM; the next {full}sync picks it up."
    )


def _name(names: tuple[str, ...], count: int) -> str | None:
    """Some of those affected. A name may hold a comma, so they stand between semicolons."""
    shown = "; ".join(names)
    if not shown:
        return None
    return f"Among the {count:,}: {shown}; …" if count > len(names) else f"Namely: {shown}."


def _describe_elements(elements: Mapping[str, Elements], accepted: Accepted | None) -> Iterator[str]:
    """What is accepted of elements that XPM does not send, and did not stop the sync."""
    if accepted and not accepted.kinds:
        for table, each in elements.items():
            if agreed := sorted(each.accepted & accepted.elements.get(table, frozenset())):
                yield f"XPM does not send {', '.join(agreed)} of {NOUNS[table]}."


def _check_identifiers(database: Database, mode: Mode) -> None:
    for table in SHAPES if mode == "full" else ("xpm_staff",):
        if mirror.is_unidentified(database, table):
            raise PermanentError(
                f"XPM's list of {NOUNS[table]} has no UUID in it, by which records are told apart.",
                "If the next syncs say the same, tell Xero's support.",
            )


def _list_losses(
    database: Database, limits: GuardSettings, mode: Mode, elements: Mapping[str, Elements], *, is_first: bool
) -> Iterator[tuple[Affected, Loss]]:
    clients = (limits.lost_clients_percent, limits.lost_clients_at_least)
    fields = (limits.emptied_field_percent, limits.emptied_field_at_least)
    of_clients = elements["xpm_clients"]
    unjudged = of_clients.find_columns(of_clients.not_sent | of_clients.kept)
    # The first names of people are read for “Name” too, and the lines of an address are one element.
    labels = {field.mirror_columns[0]: field for field in reversed(CLIENT_FIELDS)}
    # A list that is empty was sent, whatever its items would have.
    watched = {column: field for column, field in labels.items() if field.is_list or column not in unjudged}
    rules = {
        STAFF_MISSING: ("{lost} of {total} staff are missing", limits.lost_staff_percent, limits.lost_staff_at_least),
        CLIENTS_MISSING: ("{lost} of {total} clients are missing", *clients),
        CLIENTS_CLOSED: ("{lost} of {total} clients are archived or deleted", *clients),
        **{emptied(column): (_say_emptied(field), *fields) for column, field in watched.items()},
    }
    is_list = {column: field.is_list for column, field in watched.items()}
    for affected in (
        *_measure_staff(database),
        *measure_client_losses(database, is_list, is_full_list=mode == "full"),
    ):
        sentence, percent, at_least = rules[affected.kind]
        are_gone = affected.kind in (STAFF_MISSING, CLIENTS_MISSING)
        yield affected, Loss(sentence, affected.lost, affected.total, percent, at_least, is_list=are_gone)
    if is_first:
        yield from _list_missing_elements(database, elements)


def _say_emptied(field: Field) -> str:
    return f"“{field.xpm_name}” is suddenly empty on {{lost}} of {{total}} clients"


def _measure_staff(database: Database) -> list[Affected]:
    """The staff who are missing; those whose user matching gives to a staff member who is listed are not."""
    missing = measure_staff_losses(database)
    if not missing:
        return missing
    users = load_users(database)
    plan = plan_users(mirror.load_told_staff(database), users)
    kept = plan.match_result.records.values()
    return measure_staff_losses(database, relinked=[user.xpm_staff_uuid for user in users if user.id in kept])


def _list_missing_elements(database: Database, elements: Mapping[str, Elements]) -> Iterator[tuple[Affected, Loss]]:
    """The elements that matching relies on, and that a first sync finds in no record."""
    for table, noun in NOUNS.items():
        total = mirror.count_seen(database, table)
        for element, at_least in NEEDED_ELEMENTS[noun].items():
            if element in elements[table].not_sent:
                everybody = Affected(name_not_sent(table, element), total, total, "SELECT '' AS uuid, NULL AS name")
                yield everybody, Loss(f"XPM sends no {element} for its {{total}} {noun}", total, total, 0, at_least)
