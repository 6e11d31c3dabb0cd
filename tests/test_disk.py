"""Device trees as Linux shows them under /sys, made in a folder; and this machine's own."""

import os
from pathlib import Path

import pytest

from xpmsync.disk import is_encrypted


@pytest.fixture
def tree(tmp_path):
    """A machine whose folder lies on the device 253:9 of the given makers, each lying on the next."""
    (tmp_path / "sys/class/block").mkdir(parents=True)
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    number = f"{os.major(tmp_path.stat().st_dev)}:{os.minor(tmp_path.stat().st_dev)}"

    def add(name, maker=None, *beneath):
        device = tmp_path / "sys/class/block" / name
        device.mkdir()
        if maker is not None:
            (device / "dm").mkdir()
            (device / "dm/uuid").write_text(f"{maker}-8f1c\n")
        if maker != "":
            (device / "slaves").mkdir()
        for each in beneath:
            (device / "slaves" / each).symlink_to(tmp_path / "sys/class/block" / each)

    def stand_on(name):
        (tmp_path / "sys/dev/block" / number).symlink_to(tmp_path / "sys/class/block" / name)
        return is_encrypted(tmp_path, root=tmp_path, platform="linux")

    add.stand_on = stand_on
    return add


def test_a_plain_disk_is_not_encrypted(tree):
    tree("sda")
    assert tree.stand_on("sda") is False


def test_a_mapped_device_of_dm_crypt_is_encrypted(tree):
    tree("sda")
    tree("dm-0", "CRYPT-LUKS2", "sda")
    assert tree.stand_on("dm-0") is True


def test_a_logical_volume_is_as_encrypted_as_all_that_lies_beneath_it(tree):
    tree("sda")
    tree("sdb")
    tree("dm-0", "CRYPT-LUKS2", "sda")
    tree("dm-1", "LVM", "dm-0")
    tree("dm-2", "LVM", "dm-0", "sdb")
    assert tree.stand_on("dm-1") is True


def test_one_plain_disk_beneath_spoils_it(tree):
    tree("sda")
    tree("sdb")
    tree("dm-0", "CRYPT-LUKS2", "sda")
    tree("dm-2", "LVM", "dm-0", "sdb")
    assert tree.stand_on("dm-2") is False


def test_a_device_of_which_nothing_is_told_is_not_judged(tmp_path):
    assert is_encrypted(tmp_path, root=tmp_path, platform="linux") is None


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("ecryptfs /home/.ecryptfs/ann rw", True),
        ("fuse.gocryptfs /srv/data rw", True),
        ("btrfs /dev/sda rw", False),
        ("btrfs /dev/dm-0 rw", True),
        ("tmpfs tmpfs rw", None),
        ("nfs4 files:/export rw", None),
    ],
)
def test_a_file_system_without_a_device_of_its_own_is_looked_up_among_the_mounts(tree, tmp_path, system, expected):
    tree("sda")
    tree("dm-0", "CRYPT-LUKS2", "sda")
    shared_memory = Path("/dev/shm")  # noqa: S108 - a file system on no block device that every Linux has
    device = shared_memory.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    (tmp_path / "proc/self/mountinfo").write_text(
        f"26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n29 26 {number} / /home rw shared:5 - {system}\n"
    )
    assert is_encrypted(shared_memory, root=tmp_path, platform="linux") is expected


def test_this_machine_is_judged_without_being_root(tmp_path):
    assert is_encrypted(tmp_path) in (True, False, None)
