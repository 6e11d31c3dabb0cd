"""Answers that are meant to use everything up: the real program, as a process, whose memory and time are measured."""

import json
import time
import zlib
from pathlib import Path

import pytest
from forks import Forks
from servers import head, wrap

from xpmsync.config import change_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").exists(), reason="the process's memory is read from /proc"),
]
PIECE_BYTES = 256 * 1024
MEMORY_MEGABYTES = {"an element with a million attributes": 1000}
USUAL_MEGABYTES = 250
"""A run of a small practice uses 60. The most is for 8 MB of the smallest elements, before they are given up."""
SECONDS = 60


def repeat(start: bytes, piece: bytes, count: int, end: bytes = b""):
    """An answer that is made while it is sent."""

    def pieces():
        yield head() + start
        block = piece * (PIECE_BYTES // len(piece) + 1)
        for _ in range(count):
            yield block
        yield end

    return pieces


def packed(start: bytes, piece: bytes, count: int, level: int = 1):
    """The same, as a bomb: at the highest level, a thousandth of it goes over the line. It never ends."""

    def pieces():
        packer = zlib.compressobj(level, zlib.DEFLATED, 31)
        yield head("200 OK", "Content-Encoding: gzip") + packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
        block = packer.compress(piece * (PIECE_BYTES // len(piece) + 1)) + packer.flush(zlib.Z_FULL_FLUSH)
        for _ in range(count):
            yield block

    return pieces


GB = 1_000_000_000 // PIECE_BYTES
LIST = b"<Response><Status>OK</Status><Clients>"
RECORD = b"<Client><UUID>6b92c360-462b-47f0-83e3-0e49553fafa3</UUID><Notes>" + b"n" * PIECE_BYTES + b"</Notes></Client>"
CONTACT = b"<Contact><Name>A</Name><Salutation>B</Salutation><IsPrimary>No</IsPrimary></Contact>"


def million_attributes():
    yield [head(), LIST, b"<Client "]
    for first in range(0, 1_000_000, 1000):
        yield [b'a%d="1" ' % number for number in range(first, first + 1000)]
    yield [b"/></Clients></Response>"]


GIANTS = {
    "10 GB of records": repeat(LIST, RECORD, 10 * GB),
    "10 GB of records, packed": packed(LIST, RECORD, 10 * GB),
    "10 GB of white space": repeat(LIST, b" ", 10 * GB),
    "10 GB of other elements": repeat(LIST, b"<Other/>", 10 * GB),
    "10 GB in one tag": repeat(LIST + b"<Client ", b" ", 10 * GB),
    "10 GB of a comment": repeat(LIST + b"<!--", b"x", 10 * GB),
    "10 GB of nothing, packed": packed(b"", b"\0", 10 * GB, level=9),
    "a text of 1 GB": repeat(LIST + b"<Client><Name>", b"x", GB, b"</Name></Client>"),
    "a name of 10 MB": repeat(LIST + b"<Client><Name>", b"x", 40, b"</Name></Client></Clients></Response>"),
    "a client with a million contacts": repeat(LIST + b"<Client><Contacts>", CONTACT, len(CONTACT) * 4),
    "an element with a million attributes": lambda: (b"".join(part) for part in million_attributes()),
    "a refusal without an end": lambda: iter([head("403 No", kind="application/json"), *([b" " * PIECE_BYTES] * GB)]),
    "200,000 levels": repeat(LIST, b"<a>", 3),
}


@pytest.fixture(scope="module")
def forks():
    with Forks("measured:run") as forks:
        yield forks


@pytest.fixture
def measure(forks, tmp_path):
    """Runs a command; gives its exit code, what it said, seconds, and the most megabytes that the process had."""

    def call(*arguments):
        began = time.monotonic()
        noted, said = tmp_path / "kilobytes", tmp_path / "said"
        with said.open("w") as errors:
            command = forks.start([str(noted), *arguments], errors=errors.fileno())
            exit_code, printed = command.finish()
        return exit_code, printed + said.read_text(), time.monotonic() - began, int(noted.read_text()) / 1024

    return call


@pytest.mark.parametrize("name", GIANTS)
def test_a_giant_ends_the_run_within_its_bounds(world, measure, name):
    before = world.load()
    world.server.answers["client.api/list"] = GIANTS[name]
    exit_code, said, seconds, megabytes = measure("sync", "--full")
    assert exit_code in (6, 7), said
    assert len(said) < 1000
    assert "Traceback" not in said
    assert megabytes < MEMORY_MEGABYTES.get(name, USUAL_MEGABYTES)
    assert seconds < SECONDS
    assert world.load() == before
    assert not world.home.spool_file.exists()


@pytest.mark.parametrize("answer", [repeat(b"", b" ", GB), packed(b"", b" ", 10 * GB)])
def test_a_token_without_an_end_is_given_up(world, measure, answer):
    change_config(world.home, {"xero.identity_url": world.server.url})
    try:
        world.server.answers = {"/connect/token": answer}
        exit_code, said, seconds, megabytes = measure("sync")
    finally:
        change_config(world.home, {"xero.identity_url": world.sandbox.url})
    assert (exit_code, "does not end" in said) == (6, True)
    assert (megabytes < USUAL_MEGABYTES, seconds < SECONDS) == (True, True)


def test_every_record_of_10_000_staff_is_judged_in_bounded_memory(world, measure):
    """A practice that large is none; yet nothing says so, and the run that takes it in has to end."""
    staff = (
        f"<Staff><UUID>{number:032x}</UUID><Name>Staff {number}</Name><Email>s{number}@example.com</Email></Staff>"
        for number in range(10_000)
    )
    world.server.answers["staff.api/list"] = head() + wrap("".join(staff), "StaffList")
    exit_code, said, seconds, megabytes = measure("sync", "--full", "--json")
    assert exit_code == 8, said
    assert seconds < SECONDS
    (number,) = world.rows("SELECT max(id) AS id FROM sync_runs")[0].values()
    exit_code, said, seconds, megabytes = measure("sync", "--json", "--accept", str(number))
    assert (exit_code, json.loads(said)["users"]["created"]) == (0, 10_000)
    assert megabytes < USUAL_MEGABYTES
    assert seconds < SECONDS
