"""Who holds each key (an e-mail address, a client code) at the end of a run, worked out before anything is written.

The same question for users and for clients: which of XPM's records keeps its Active record, which takes one over,
which becomes a new one, and which must be refused because two would hold one key. Worked out for all at once, so that
records that swap or rotate their keys within one hour are no conflict. Knows keys and holders; what a takeover needs
beyond the key is asked of the caller.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claimant:
    """A live record of XPM that claims a key."""

    uuid: str
    key: str | None
    is_refused: bool = False
    """Refused by another rule: its Active record keeps what it has, its key too."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A record of Active, and whom it belongs to."""

    id: str
    key: str | None
    owner_uuid: str | None
    """The XPM record it is linked to; None for one that was set up by hand."""
    is_key_typed: bool = False
    """The key was typed by hand, not written by a sync: it stays where XPM has none."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a claimant cannot have its key."""

    code: str
    others: tuple[str, ...] = ()
    """The XPM records with the same key."""
    holder_id: str | None = None
    """The Active record that holds the key."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome: every claimant that is not refused is in exactly one of `records`, `new` and `rejections`."""

    records: Mapping[str, str]
    """XPM record to the Active record it keeps or takes over."""
    moving: frozenset[str]
    """The Active records that exchange the key they hold for another."""
    new: frozenset[str]
    rejections: Mapping[str, Rejection]


def settle(
    claimants: Sequence[Claimant],
    holders: Sequence[Holder],
    *,
    shared: str,
    taken: str,
    refuse_takeover: Callable[[str, str], str | None],
) -> Settlement:
    """Give every claimant its record, or the reason why not.

    `shared` and `taken` are the problem codes for a key that two live XPM records share, and for one that another
    Active record keeps. `refuse_takeover(uuid, holder_id)` gives the problem code that forbids an unlinked claimant
    to take over a record whose owner is not a live claimant, or None.
    """
    own = {holder.owner_uuid: holder for holder in holders if holder.owner_uuid is not None}
    rejections = _reject_shared(claimants, own, shared)
    live = {claimant.uuid for claimant in claimants}
    while True:
        accepted = [each for each in claimants if not each.is_refused and each.uuid not in rejections]
        final_keys = {holder.id: holder.key for holder in holders}
        final_keys |= {own[each.uuid].id: _final_key(each, own[each.uuid]) for each in accepted if each.uuid in own}
        final_holders = defaultdict(list)
        for holder in holders:
            final_holders[final_keys[holder.id]].append(holder)
        takeovers: dict[str, str] = {}
        rejected_now: dict[str, Rejection] = {}
        for claimant in accepted:
            if claimant.key is None:
                continue
            mine = own.get(claimant.uuid)
            in_the_way = [each for each in final_holders.get(claimant.key, ()) if each is not mine]
            if not in_the_way:
                continue
            holder = in_the_way[0]
            # Several hold one key only where another program wrote into Active: nobody can tell who is meant.
            if mine or len(in_the_way) > 1 or holder.owner_uuid in live:
                code: str | None = taken
            else:
                code = refuse_takeover(claimant.uuid, holder.id)
            if code:
                rejected_now[claimant.uuid] = Rejection(code, holder_id=holder.id)
            else:
                takeovers[claimant.uuid] = holder.id
        # A linked record that is rejected goes on holding its earlier key, which may be in another's way.
        rejections |= rejected_now
        if not any(uuid in own for uuid in rejected_now):
            break
    kept = {each.uuid: own[each.uuid].id for each in accepted if each.uuid in own and each.uuid not in rejections}
    new = {each.uuid for each in accepted} - kept.keys() - takeovers.keys() - rejections.keys()
    moving = {own[uuid].id for uuid in kept if final_keys[own[uuid].id] != own[uuid].key}
    return Settlement(kept | takeovers, frozenset(moving), frozenset(new), rejections)


def _final_key(claimant: Claimant, holder: Holder) -> str | None:
    """The key that a linked record holds when its claimant is accepted."""
    return holder.key if claimant.key is None and holder.is_key_typed else claimant.key


def _reject_shared(claimants: Sequence[Claimant], own: Mapping[str, Holder], code: str) -> dict[str, Rejection]:
    """Of the live records that share a key, the one that is linked already keeps it; the others are rejected."""
    by_key = defaultdict(list)
    for claimant in claimants:
        if claimant.key is not None:
            by_key[claimant.key].append(claimant.uuid)
    rejections = {}
    for key, uuids in by_key.items():
        if len(uuids) > 1:
            linked = [uuid for uuid in uuids if uuid in own]
            holding = [uuid for uuid in linked if own[uuid].key == key]
            keepers = holding or linked
            keeper = keepers[0] if len(keepers) == 1 else None
            for uuid in uuids:
                if uuid != keeper:
                    rejections[uuid] = Rejection(code, others=tuple(sorted(set(uuids) - {uuid})))
    return rejections
