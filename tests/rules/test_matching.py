"""Who holds each key at the end of a run: literal cases, and what must hold for any practice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpmsync.rules.matching import Claimant, Holder, Rejection, match


def run(claimants, holders, refusals=()):
    return match(
        claimants,
        holders,
        shared="shared",
        taken="taken",
        refuse_takeover=lambda uuid, holder_id: "refused" if (uuid, holder_id) in refusals else None,
    )


def linked(number, key, **options):
    """The Active record `A1` of the XPM record `x1`."""
    return Holder(f"A{number}", key, f"x{number}", **options)


MATCHED = {
    "a record nobody knows is new": ([Claimant("x1", "a"), Claimant("x2", None)], [], {}, {"x1", "x2"}, set()),
    "a linked record keeps its record whatever its key becomes": (
        *([Claimant("x1", "b")], [linked(1, "a")]),
        *({"x1": "A1"}, set(), {"A1"}),
    ),
    "a key that stays does not move": ([Claimant("x1", "a")], [linked(1, "a")], {"x1": "A1"}, set(), set()),
    "a typed key gives way to one that is told": (
        *([Claimant("x1", "b")], [linked(1, "a", is_key_typed=True)]),
        *({"x1": "A1"}, set(), {"A1"}),
    ),
    "records set up by hand are taken over by their keys": (
        *([Claimant("x1", "a"), Claimant("x2", "b")], [Holder("H", "a", None), Holder("I", "b", None)]),
        *({"x1": "H", "x2": "I"}, set(), set()),
    ),
    "a former record's place is taken over by its key": (
        *([Claimant("x2", "a")], [linked(1, "a")]),
        *({"x2": "A1"}, set(), set()),
    ),
    "two swap": (
        *([Claimant("x1", "b"), Claimant("x2", "a")], [linked(1, "a"), linked(2, "b")]),
        *({"x1": "A1", "x2": "A2"}, set(), {"A1", "A2"}),
    ),
    "three rotate": (
        [Claimant("x1", "b"), Claimant("x2", "c"), Claimant("x3", "a")],
        [linked(1, "a"), linked(2, "b"), linked(3, "c")],
        *({"x1": "A1", "x2": "A2", "x3": "A3"}, set(), {"A1", "A2", "A3"}),
    ),
    "a new record gets the key that another gives up": (
        *([Claimant("x1", "b"), Claimant("x2", "a")], [linked(1, "a")]),
        *({"x1": "A1"}, {"x2"}, {"A1"}),
    ),
}


@pytest.mark.parametrize(("claimants", "holders", "records", "new", "moving"), MATCHED.values(), ids=MATCHED)
def test_whoever_contradicts_nobody_gets_a_record(claimants, holders, records, new, moving):
    outcome = run(claimants, holders)
    assert (outcome.records, outcome.new, outcome.moving) == (records, new, moving)
    assert outcome.rejections == {}


def test_a_takeover_that_the_caller_forbids_is_rejected():
    outcome = run([Claimant("x2", "a")], [linked(1, "a")], {("x2", "A1")})
    assert outcome.rejections == {"x2": Rejection("refused", holder_id="A1")}
    assert (outcome.records, outcome.new) == ({}, set())


def test_a_chain_is_blocked_by_one_that_was_refused():
    outcome = run(
        [Claimant("x1", "d", is_refused=True), Claimant("x2", "a"), Claimant("x3", "b"), Claimant("x4", "c")],
        [linked(1, "a"), linked(2, "b"), linked(3, "c")],
    )
    assert outcome.rejections == {
        "x2": Rejection("taken", holder_id="A1"),
        "x3": Rejection("taken", holder_id="A2"),
        "x4": Rejection("taken", holder_id="A3"),
    }
    assert (outcome.records, outcome.new, outcome.moving) == ({}, set(), set())


SHARED = {
    "none linked": ([], {"x1": ("x2",), "x2": ("x1",)}),
    "none linked, by hand": ([Holder("H", "a", None)], {"x1": ("x2",), "x2": ("x1",)}),
    "one linked and holding": ([linked(2, "a")], {"x1": ("x2",)}),
    "one linked": ([linked(2, "b")], {"x1": ("x2",)}),
    "two linked, one holding": ([linked(1, "a"), linked(2, "b")], {"x2": ("x1",)}),
    "two linked, none holding": ([linked(1, "c"), linked(2, "b")], {"x1": ("x2",), "x2": ("x1",)}),
}


@pytest.mark.parametrize(("holders", "rejected"), SHARED.values(), ids=SHARED)
def test_of_two_that_share_a_key_the_linked_one_keeps_it(holders, rejected):
    outcome = run([Claimant("x1", "a"), Claimant("x2", "a")], holders)
    assert outcome.rejections == {
        uuid: Rejection("shared", sharers=tuple(sorted({uuid, *others}))) for uuid, others in rejected.items()
    }
    assert outcome.new == set()


def test_a_refused_record_that_shares_a_key_makes_it_shared_all_the_same():
    outcome = run([Claimant("x1", "a", is_refused=True), Claimant("x2", "a")], [])
    assert outcome.rejections.keys() == {"x1", "x2"}


@pytest.mark.parametrize(("is_key_typed", "rejected", "moving"), [(True, {"x2"}, set()), (False, set(), {"A1"})])
def test_a_key_that_is_told_no_more_is_free_unless_it_was_typed_by_hand(is_key_typed, rejected, moving):
    outcome = run([Claimant("x1", None), Claimant("x2", "a")], [linked(1, "a", is_key_typed=is_key_typed)])
    assert (outcome.rejections.keys(), outcome.moving) == (rejected, moving)
    assert outcome.records == {"x1": "A1"}


@pytest.mark.parametrize("claimant", [Claimant("x1", "a"), Claimant("x3", "a")], ids=["linked", "unlinked"])
def test_a_key_that_another_program_gave_to_two_records_goes_to_nobody_else(claimant):
    outcome = run([claimant], [linked(1, "a"), Holder("H", "a", None), linked(2, "a")])
    assert outcome.rejections.keys() == {claimant.uuid}
    assert outcome.rejections[claimant.uuid].code == "taken"


def test_nothing_is_taken_over_by_a_key_that_a_second_record_then_keeps():
    outcome = run(
        [Claimant("x1", "b"), Claimant("x2", "a")], [Holder("H", "a", None), linked(1, "a"), Holder("I", "b", None)]
    )
    assert outcome.rejections == {"x1": Rejection("taken", holder_id="I"), "x2": Rejection("taken", holder_id="H")}
    assert (outcome.records, outcome.new, outcome.moving) == ({}, set(), set())


def test_a_key_that_a_live_record_keeps_after_all_is_taken_whatever_a_closed_record_has_in_xpm():
    """x1 cannot move to `b`, which H keeps, and so keeps `a`."""
    outcome = run(
        [Claimant("x1", "b"), Claimant("x2", "a")],
        [linked(1, "a"), Holder("H", "b", None), linked(3, "c", is_closed=True, xpm_key="a")],
        {("x2", "A3")},
    )
    assert outcome.rejections == {"x1": Rejection("taken", holder_id="H"), "x2": Rejection("taken", holder_id="A1")}
    assert (outcome.records, outcome.following) == ({}, set())


class CountedText(str):
    """A text that counts how often something is looked up by any of its kind."""

    __slots__ = ()
    lookups = 0

    def __hash__(self):
        CountedText.lookups += 1
        return super().__hash__()


def test_each_record_of_a_blocked_chain_is_looked_up_as_often_however_long_the_chain_is():
    def count_lookups(length):
        """Each claims the key of the next; the last key stays with somebody who is gone."""
        uuids, ids, keys = ([CountedText(f"{kind}{place}") for place in range(length + 1)] for kind in "xAk")
        holders = [Holder(*each) for each in zip(ids, keys, uuids, strict=True)]
        claimants = [Claimant(*each) for each in zip(uuids[:-1], keys[1:], strict=True)]
        CountedText.lookups = 0
        assert len(run(claimants, holders).rejections) == length
        return CountedText.lookups

    assert count_lookups(400) < 2.1 * count_lookups(200)


# What must hold for any practice.

KEYS = st.sampled_from([None, "a", "b", "c", "d"])
NUMBERS = range(6)


@st.composite
def practices(draw):
    """Claimants x0 to x5, and holders with different keys: linked to them, to somebody who is gone, or to nobody."""
    numbers = draw(st.lists(st.sampled_from(NUMBERS), unique=True))
    claimants = [Claimant(f"x{number}", draw(KEYS), draw(st.booleans())) for number in numbers]
    keys = draw(st.lists(KEYS, max_size=5, unique_by=lambda key: key or object()))
    owners = draw(st.permutations([*(f"x{number}" for number in NUMBERS), None, None]))
    holders = [
        Holder(f"A{place}", key, owner, draw(st.booleans()))
        for place, (key, owner) in enumerate(zip(keys, owners, strict=False))
    ]
    pairs = [(claimant.uuid, holder.id) for claimant in claimants for holder in holders]
    refusals = draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    return claimants, holders, refusals


def held_keys(claimants, holders, outcome):
    """Every key that is held once the outcome is written."""
    by_uuid = {claimant.uuid: claimant for claimant in claimants}
    sink = {record: uuid for uuid, record in outcome.records.items()}
    held = [by_uuid[uuid].key for uuid in outcome.new]
    for holder in holders:
        told = by_uuid[sink[holder.id]].key if holder.id in sink else holder.key
        held.append(holder.key if told is None and holder.is_key_typed else told)
    return [key for key in held if key is not None]


@given(practices())
def test_no_two_records_ever_hold_one_key(practice):
    claimants, holders, refusals = practice
    held = held_keys(claimants, holders, run(claimants, holders, refusals))
    assert len(held) == len(set(held))


@given(practices())
def test_everybody_has_exactly_one_outcome_and_nobody_refused_changes(practice):
    claimants, holders, refusals = practice
    outcome = run(claimants, holders, refusals)
    places = [
        *outcome.records,
        *outcome.new,
        *(outcome.rejections.keys() - {c.uuid for c in claimants if c.is_refused}),
    ]
    assert sorted(places) == sorted(claimant.uuid for claimant in claimants if not claimant.is_refused)
    assert len(set(outcome.records.values())) == len(outcome.records)
    own = {holder.owner_uuid: holder.id for holder in holders if holder.owner_uuid}
    assert all(own.get(uuid, record) == record for uuid, record in outcome.records.items())
    assert outcome.new.isdisjoint(own)
    assert outcome.moving <= set(outcome.records.values())
    assert refusals.isdisjoint((uuid, record) for uuid, record in outcome.records.items() if own.get(uuid) != record)


@given(practices(), st.randoms())
def test_the_order_of_the_lists_does_not_matter(practice, random):
    claimants, holders, refusals = practice
    expected = run(claimants, holders, refusals)
    random.shuffle(claimants)
    random.shuffle(holders)
    assert run(claimants, holders, refusals) == expected


@given(practices())
def test_a_rejection_always_has_its_reason_in_front_of_it(practice):
    claimants, holders, refusals = practice
    outcome = run(claimants, holders, refusals)
    keys = {claimant.uuid: claimant.key for claimant in claimants}
    for uuid, rejection in outcome.rejections.items():
        assert keys[uuid] is not None
        if rejection.code == "shared":
            assert all(keys[each] == keys[uuid] for each in rejection.sharers)
            assert uuid in rejection.sharers
            assert len(rejection.sharers) > 1
        else:
            assert keys[uuid] in held_keys(claimants, holders, outcome)


def test_who_shares_a_key_with_thousands_is_kept_once_for_all_of_them():
    outcome = run([Claimant(f"x{number}", "a") for number in range(5_000)], [])
    assert len(outcome.rejections) == 5_000
    assert len({id(rejection) for rejection in outcome.rejections.values()}) == 1
