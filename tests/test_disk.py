"""Device trees as Linux shows them under /sys, made in a folder; and this machine's own."""

import os
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from xpmsync.system.disk import is_encrypted

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system on no block device that every Linux has


def tell_number(folder):
    device = folder.stat().st_dev
    return f"{os.major(device)}:{os.minor(device)}"


@pytest.fixture
def tree(tmp_path):
    """A machine whose folder lies on the device 253:9 of the given makers, each lying on the next."""
    (tmp_path / "sys/class/block").mkdir(parents=True)
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)

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
        number = tell_number(tmp_path)
        (tmp_path / "sys/dev/block" / number).symlink_to(tmp_path / "sys/class/block" / name)
        # Where the tests' own folder lies on no block device, it is looked up among the mounts.
        (tmp_path / "proc/self/mountinfo").write_text(f"26 1 {number} / / rw - ext4 /dev/{name} rw\n")
        return is_encrypted(tmp_path, root=tmp_path, platform="linux")

    add.stand_on = stand_on
    add.is_shared_memory_encrypted = lambda: is_encrypted(SHARED_MEMORY, root=tmp_path, platform="linux")
    return add


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ([("sda",)], False),
        ([("sda", "")], False),
        ([("sda",), ("dm-0", "CRYPT-LUKS2", "sda")], True),
        ([("sda",), ("dm-0", "CRYPT-LUKS2", "sda"), ("dm-1", "LVM", "dm-0")], True),
        ([("sda",), ("sdb",), ("dm-0", "CRYPT-LUKS2", "sda"), ("dm-1", "LVM", "dm-0", "sdb")], False),
        ([("loop0",)], None),
        ([("loop0",), ("dm-0", "LVM", "loop0")], None),
    ],
    ids=[
        *("a plain disk", "a plain disk without a list", "dm-crypt", "a volume on dm-crypt"),
        *("a volume that lies on a plain disk too", "a file", "a volume on a file"),
    ],
)
def test_a_device_is_as_encrypted_as_all_that_lies_beneath_it(tree, devices, expected):
    for device in devices:
        tree(*device)
    assert tree.stand_on(devices[-1][0]) is expected


def test_a_partition_is_as_encrypted_as_its_disk(tree, tmp_path):
    tree("dm-0", "CRYPT-LUKS2")
    partition = tmp_path / "sys/class/block/dm-0/dm-0p1"
    partition.mkdir()
    (partition / "partition").touch()
    (tmp_path / "sys/class/block/dm-0p1").symlink_to(partition)
    assert tree.stand_on("dm-0p1") is True


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
    number = tell_number(SHARED_MEMORY)
    (tmp_path / "proc/self/mountinfo").write_text(
        f"26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n29 26 {number} / /home rw shared:5 - {system}\n"
    )
    assert tree.is_shared_memory_encrypted() is expected


def test_a_mount_that_is_not_listed_is_not_judged(tree, tmp_path):
    assert tree.is_shared_memory_encrypted() is None
    (tmp_path / "proc/self/mountinfo").write_text("26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n")
    assert tree.is_shared_memory_encrypted() is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("FileVault is On.\nDone.\n", True), ("FileVault is Off.\n", False), ("Error: no such volume.\n", None)],
)
def test_a_mac_is_asked_for_file_vault(tmp_path, monkeypatch, answer, expected):
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, answer))
    assert is_encrypted(tmp_path, platform="darwin") is expected


def test_a_mac_without_that_program_is_not_judged(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", Mock(side_effect=FileNotFoundError))
    assert is_encrypted(tmp_path, platform="darwin") is None


def test_this_machine_is_judged_without_being_root(tmp_path):
    assert is_encrypted(tmp_path) in (True, False, None)
