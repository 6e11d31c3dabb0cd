"""The home: its id is made once, no draft of one stays, and advice names the command that signs in there."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from xpmsync.home import Home, connect_command, load_home_id


def test_the_id_is_made_once_also_by_many_at_once(tmp_path):
    home = Home(tmp_path, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: load_home_id(home), range(40)))
    assert ids == {load_home_id(home)}
    assert [file.name for file in tmp_path.iterdir()] == ["home-id"]


def test_a_draft_of_an_id_that_a_killed_process_left_goes(tmp_path):
    home = Home(tmp_path, tmp_path)
    home_id = load_home_id(home)
    (tmp_path / "home-id.4711").write_text("half of")
    assert load_home_id(home) == home_id
    assert [file.name for file in tmp_path.iterdir()] == ["home-id"]


@pytest.mark.parametrize(
    ("environment", "has_own_keyring", "command"),
    [
        ({}, False, "xpmsync connect"),  # as cron starts it, beside a desktop
        ({"DISPLAY": ":0"}, False, "xpmsync connect"),
        ({}, True, "xpmsync connect --no-browser"),
        ({"SSH_CONNECTION": "203.0.113.7 1 198.51.100.2 22"}, False, "xpmsync connect --no-browser"),
        ({"SSH_CONNECTION": "203.0.113.7 1 198.51.100.2 22", "DISPLAY": ":10"}, False, "xpmsync connect"),
    ],
)
def test_where_no_browser_can_open_the_command_that_signs_in_is_another(
    tmp_path, environment, has_own_keyring, command
):
    if has_own_keyring:
        (tmp_path / "keyring").mkdir()
    assert connect_command({"XPMSYNC_HOME": str(tmp_path), **environment}) == command
