"""Stops a run whose full lists would take away more than can be believed without a person.

Brings what is counted, what is believed and what a person has accepted together.
"""

from collections.abc import Mapping

from xpmsync.active.database import Database
from xpmsync.active.losses import CLIENTS_CLOSED, CLIENTS_GONE, STAFF_GONE, measure_client_losses, measure_staff_losses
from xpmsync.config import GuardSettings
from xpmsync.errors import SuspiciousChange
from xpmsync.rules.fields import CLIENT_FIELDS, CLIENT_SHAPE
from xpmsync.rules.guard import Loss, find_unaccepted


def check_losses(
    database: Database, limits: GuardSettings, accepted: Mapping[str, int], *, are_clients_complete: bool
) -> tuple[str, ...]:
    """Raise SuspiciousChange where the attached spool would take away too much, beyond what is `accepted` by kind.

    Gives what would have been too much and is accepted, a sentence for each kind. The staff list is always complete;
    the clients' is in a full run, and a quiet incremental run is no empty list.
    """
    losses = _list_losses(database, limits, are_clients_complete=are_clients_complete)
    suspicious = [loss for loss in losses if loss.is_suspicious]
    if unaccepted := find_unaccepted(suspicious, accepted):
        names = [loss.name() for loss in unaccepted if loss.names]
        raise SuspiciousChange(
            "XPM's answer looks wrong: " + " ".join(loss.describe() for loss in unaccepted),
            SuspiciousChange.usual_remedy,
            names=" ".join(names) or None,
            counts={loss.kind: loss.lost for loss in suspicious},
        )
    return tuple(loss.describe() for loss in suspicious)


def _list_losses(database: Database, limits: GuardSettings, *, are_clients_complete: bool) -> list[Loss]:
    # The first names of people are read for “Name” too, and the lines of an address are one element.
    labels = {field.mirror_columns[0]: field.xpm_name for field in reversed(CLIENT_FIELDS)}
    list_columns = {part.column for part in CLIENT_SHAPE.lists}
    counts = measure_staff_losses(database)
    if are_clients_complete:
        counts |= measure_client_losses(database, {column: column in list_columns for column in labels})
    clients = (limits.lost_clients_percent, limits.lost_clients_at_least)
    fields = (limits.emptied_field_percent, limits.emptied_field_at_least)
    rules = {
        STAFF_GONE: ("{lost} of {total} staff are gone", limits.lost_staff_percent, limits.lost_staff_at_least),
        CLIENTS_GONE: ("{lost} of {total} clients are gone", *clients),
        CLIENTS_CLOSED: ("{lost} of {total} clients are archived or deleted", *clients),
        **{
            f"{column} emptied": (f"“{label}” is suddenly empty on {{lost}} of {{total}} clients", *fields)
            for column, label in labels.items()
        },
    }
    return [
        Loss(
            kind,
            sentence,
            counts[kind].lost,
            counts[kind].total,
            counts[kind].names,
            percent,
            at_least,
            is_list=kind in (STAFF_GONE, CLIENTS_GONE),
        )
        for kind, (sentence, percent, at_least) in rules.items()
        if kind in counts
    ]
