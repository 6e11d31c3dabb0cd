"""Whether the disk beneath a folder is encrypted, as far as the machine tells somebody who is not root.

Linux says of every block device what lies beneath it (``/sys/dev/block``), macOS whether FileVault is on. What happens
below a virtual machine, or inside the disk itself, nobody can see from here.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ENCRYPTING: Final = ("ecryptfs", "fuse.cryfs", "fuse.encfs", "fuse.gocryptfs", "fuse.securefs")
"""File systems that encrypt what they keep."""
WITHOUT_DEVICE: Final = 0
"""The major number of what is no block device: some file systems stand on several, or on none."""
PATIENCE_SECONDS: Final = 10.0


def is_encrypted(folder: Path, *, root: Path = Path("/"), platform: str = sys.platform) -> bool | None:
    """Whether the operating system encrypts what is kept in `folder`; None where it does not tell."""
    if platform == "darwin":
        return _ask_file_vault()
    device = folder.stat().st_dev
    if os.major(device) != WITHOUT_DEVICE:
        return _is_device_encrypted(root / "sys/dev/block" / _number(device))
    kind, source = _find_mount(root / "proc/self/mountinfo", _number(device))
    if kind in ENCRYPTING:
        return True
    name = Path(source).resolve().name if source.startswith("/dev/") else ""
    return _is_device_encrypted(root / "sys/class/block" / name) if name else None


def _is_device_encrypted(device: Path) -> bool | None:
    """Whether this device, or everything that lies beneath it, is made by dm-crypt."""
    device = device.resolve()
    if (device / "partition").exists():
        return _is_device_encrypted(device.parent)
    if device.name.startswith("loop"):
        return None  # what it stands on is a file of another file system
    try:
        if (device / "dm/uuid").read_text().startswith("CRYPT-"):
            return True
    except OSError:
        if not device.exists():
            return None
    try:
        beneath = [_is_device_encrypted(each) for each in (device / "slaves").iterdir()]
    except OSError:
        return False  # a whole disk
    return None if None in beneath else bool(beneath) and all(beneath)


def _find_mount(mounts: Path, number: str) -> tuple[str, str]:
    """The kind of file system that has this device number, and what it stands on."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return "", ""
    for line in lines:
        place, _, system = line.partition(" - ")
        if place.split(" ")[2] == number:
            kind, source, *_ = system.split(" ")
            return kind, source
    return "", ""


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _ask_file_vault() -> bool | None:
    try:
        answer = subprocess.run(
            ["/usr/bin/fdesetup", "status"],
            capture_output=True,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"FileVault is On.": True, "FileVault is Off.": False}.get(answer.partition("\n")[0].strip())
