from xpmsync.rules.comparing import compare, compare_groups


def test_only_what_differs_changes():
    current = {"telephone": "1", "fax": "2", "status": "active"}
    assert compare(current, {"telephone": "1", "fax": "3"}, {}) == {"fax": "3"}


def test_an_empty_value_clears_what_a_sync_wrote_and_nothing_else():
    current = {"written": "1", "typed": "2", "typed_over": "3"}
    told = {"written": None, "typed": None, "typed_over": None}
    assert compare(current, told, {"written": "1", "typed_over": "1"}) == {"written": None}


def test_a_told_value_replaces_a_typed_one():
    assert compare({"fax": "typed"}, {"fax": "told"}, {}) == {"fax": "told"}


def test_groups_that_no_sync_wrote_stay():
    current, told, written = frozenset({"typed", "left"}), frozenset({"joined"}), frozenset({"left"})
    assert compare_groups(current, told, written) == {"typed", "joined"}
