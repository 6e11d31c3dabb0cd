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
    """The key was typed by hand, not sent by XPM: it stays where XPM has none."""
    is_closed: bool = False
    """Its owner is archived or deleted: live records take its key, and it takes what they leave of `xpm_key`."""
    xpm_key: str | None = None
    """The key that the owner of a closed record has in XPM now. A live record takes it over by this key alone."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a claimant cannot have its key."""

    code: str
    sharers: tuple[str, ...] = ()
    """The XPM records with the same key, this one among them: one tuple for all of them, as they may be thousands."""
    holder_id: str | None = None
    """The Active record that holds the key."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The outcome: every claimant that is not refused is in exactly one of `records`, `new` and `rejections`."""

    records: Mapping[str, str]
    """XPM record to the Active record it keeps or takes over."""
    moving: frozenset[str]
    """The Active records that exchange the key they hold for another."""
    new: frozenset[str]
    rejections: Mapping[str, Rejection]
    following: frozenset[str] = frozenset()
    """The closed records whose key in XPM is free: they get it. The other closed ones have none."""


def match(
    claimants: Sequence[Claimant],
    holders: Sequence[Holder],
    *,
    shared: str,
    taken: str,
    refuse_takeover: Callable[[str, str], str | None],
) -> MatchResult:
    """Give every claimant its record, or the reason why not.

    `shared` and `taken` are the problem codes for a key that two live XPM records share, and for one that another
    Active record keeps. `refuse_takeover(uuid, holder_id)` gives the problem code that forbids an unlinked claimant
    to take over a record whose owner is not a live claimant, or None.
    """
    own = {holder.owner_uuid: holder for holder in holders if holder.owner_uuid is not None}
    live = {claimant.uuid for claimant in claimants}
    rejections = _reject_shared(claimants, own, shared)
    accepted = [each for each in claimants if not each.is_refused and each.uuid not in rejections]
    linked = [(each, own[each.uuid]) for each in accepted if each.uuid in own]
    records = {claimant.uuid: holder.id for claimant, holder in linked}
    moving = {holder.id for claimant, holder in linked if _exchanges_key(claimant, holder)}
    holders_of, closed_of = defaultdict(list), defaultdict(list)
    for holder in holders:
        if holder.is_closed:
            closed_of[holder.xpm_key].append(holder)
        else:
            holders_of[holder.key].append(holder)
    # One claimant at most for each key: of those who share one, the others are rejected already.
    claims = {each.key: each for each in accepted if each.key is not None}
    unsettled = list(claims)
    while unsettled:
        staying: list[Holder] = []
        for key in unsettled:
            claimant = claims[key]
            mine = own.get(claimant.uuid)
            in_the_way = [each for each in holders_of[key] if each is not mine and each.id not in moving]
            if not in_the_way:
                continue
            holder = in_the_way[0]
            # Several hold one key only where another program wrote into Active: nobody can tell who is meant.
            is_taken = mine or len(in_the_way) > 1 or holder.owner_uuid in live
            code = taken if is_taken else refuse_takeover(claimant.uuid, holder.id)
            if code is None:
                records[claimant.uuid] = holder.id
                continue
            rejections[claimant.uuid] = Rejection(code, holder_id=holder.id)
            records.pop(claimant.uuid, None)
            del claims[key]
            if mine:
                staying.append(mine)
        # A linked record that is rejected goes on holding its earlier key: only who claims that is judged once more.
        moving -= {holder.id for holder in staying}
        unsettled = sorted(claims.keys() & {holder.key for holder in staying}, key=lambda key: claims[key].uuid)
    new_claims = {key: each.uuid for key, each in claims.items() if each.uuid not in records}
    refused = _match_closed(new_claims, closed_of, records, taken, refuse_takeover)
    rejections |= refused
    new = {each.uuid for each in accepted} - records.keys() - rejections.keys()
    held = {key for key, each in claims.items() if each.uuid not in refused}
    held |= {each.key for each in holders if each.key and not each.is_closed and each.id not in moving}
    taken_over = set(records.values())
    moving |= {each.id for each in holders if each.is_closed and each.id in taken_over and each.key != each.xpm_key}
    closed = [each for each in holders if each.is_closed and each.id not in taken_over]
    return MatchResult(records, frozenset(moving), frozenset(new), rejections, _find_following(closed, held))


def _match_closed(
    new: Mapping[str, str],
    closed_of: Mapping[str | None, Sequence[Holder]],
    records: dict[str, str],
    taken: str,
    refuse_takeover: Callable[[str, str], str | None],
) -> dict[str, Rejection]:
    """Give new claimants, by their key, the one closed record that each takes over; else gives the reason why not."""
    rejections = {}
    for key in new.keys() & closed_of.keys():
        uuid, closed = new[key], closed_of[key]
        codes = {holder.id: refuse_takeover(uuid, holder.id) for holder in closed}
        allowed = [holder_id for holder_id, code in codes.items() if code is None]
        if len(allowed) == 1:
            records[uuid] = allowed[0]
        else:
            rejections[uuid] = Rejection(taken if allowed else codes[closed[0].id] or taken, holder_id=closed[0].id)
    return rejections


def _find_following(closed: Sequence[Holder], held: set[str]) -> frozenset[str]:
    """The closed records that get their key in XPM: of several with one key, the one that has it already."""
    following: dict[str, str] = {}
    for holder in sorted(closed, key=lambda each: (each.key != each.xpm_key, each.owner_uuid or "")):
        if holder.xpm_key is not None and holder.xpm_key not in held:
            following.setdefault(holder.xpm_key, holder.id)
    return frozenset(following.values())


def _exchanges_key(claimant: Claimant, holder: Holder) -> bool:
    """Whether a linked record is given another key, or none, when its claimant is accepted."""
    keeps_typed = claimant.key is None and holder.is_key_typed
    return claimant.key != holder.key and not keeps_typed


def _reject_shared(claimants: Sequence[Claimant], own: Mapping[str, Holder], code: str) -> dict[str, Rejection]:
    """Of the live records that share a key, the one that is linked already keeps it; the others are rejected."""
    by_key = defaultdict(list)
    for claimant in claimants:
        if claimant.key is not None:
            by_key[claimant.key].append(claimant.uuid)
    rejections: dict[str, Rejection] = {}
    for key, uuids in by_key.items():
        if len(uuids) > 1:
            linked = [uuid for uuid in uuids if uuid in own]
            holding = [uuid for uuid in linked if own[uuid].key == key]
            keepers = holding or linked
            keeper = keepers[0] if len(keepers) == 1 else None
            rejection = Rejection(code, sharers=tuple(sorted(uuids)))
            rejections |= {uuid: rejection for uuid in uuids if uuid != keeper}
    return rejections
