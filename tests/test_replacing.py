"""Files that are replaced whole."""

from pathlib import Path

import pytest

from xpmsync.system.atomic import find_draft, replaced, sync_folder


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "file"
    target.write_text("before")
    with pytest.raises(KeyboardInterrupt), replaced(target) as file:  # noqa: PT012 - in the middle of it
        file.write(b"aft")
        raise KeyboardInterrupt
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_what_somebody_else_has_put_in_the_way_is_not_written_to(tmp_path):
    target, precious = tmp_path / "file", tmp_path / "precious"
    precious.write_text("mine")
    find_draft(target).symlink_to(precious)
    with replaced(target) as file:
        file.write(b"after")
    assert precious.read_text() == "mine"
    assert target.read_text() == "after"
    assert not target.is_symlink()
    assert not find_draft(target).exists()


@pytest.mark.skipif(not Path("/proc").exists(), reason="Linux has such a file system")
def test_a_file_system_that_cannot_sync_a_folder_is_no_trouble():
    sync_folder(Path("/proc"))
