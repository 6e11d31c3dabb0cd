"""The home: its id is made once, and no draft of one stays."""

from concurrent.futures import ThreadPoolExecutor

from xpmsync.home import Home, load_home_id


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
