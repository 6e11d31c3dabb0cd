"""A part of the long campaign (`campaign.py`) in every run of the tests, spread over all scenes and steps."""

import os
import random

import pytest
from harness import Kill, has_strace, read_steps, staged
from scenes import SCENES

KILLS = 200
SEED = 2026
EACH = KILLS // len(SCENES)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_whatever_is_killed_leaves_the_state_before_or_after_and_the_next_run_goes_on(scene, tmp_path, forks):
    if not has_strace() and os.environ.get("CI") == "true":
        pytest.fail("strace is not installed, or may not trace here")
    with staged(scene, tmp_path / "stage", forks) as stage:
        for kill in stage.choose(random.Random(f"{SEED} {scene.name}")):
            stage.kill(kill)
            if stage.kills.total() >= EACH:
                break
    assert stage.survived < EACH, "most of what is killed has to die"
    if not has_strace():
        pytest.skip("strace is not installed, or may not trace here: killed at words and moments alone")
    assert stage.kills["call"] > 0


def test_the_steps_of_a_run_are_read_from_its_trace():
    trace = """\
7 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/home/run.lock", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3
7 sendto(4, "EHLO", 4, 0, NULL, 0) = 4
8 sendto(5, "POST", 4, 0, NULL, 0 <unfinished ...>
8 <... sendto resumed>) = 4
8 sendto(5, "GET", 3, 0, NULL, 0) = 3
7 exit_group(0) = ?
"""
    assert read_steps(trace) == [
        Kill("call", "openat", 2),
        Kill("call", "exit_group", 1),
        Kill("call", "sendto", 1),
        Kill("call", "sendto", 2),
    ]
