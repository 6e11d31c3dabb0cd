"""The long campaign: kills every scene at every recorded step, and at random moments, until so many are done in all.

    python tests/kills/campaign.py --kills 2000 --seed 1
    python tests/kills/campaign.py --scene "sync, incremental" --kill call:pwrite64:17:0.0000:later

Stops at the first finding and says how to play it again; ends with a table for SECURITY.md.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from forks import Forks
from harness import Finding, Kill, Stage, find_scene, has_strace, staged
from scenes import SCENES

PROGRESS_EVERY = 25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scene", help="this scene alone")
    parser.add_argument("--kill", type=Kill.from_text, help="this kill alone, of the scene")
    options = parser.parse_args()
    scenes = [find_scene(options.scene)] if options.scene else SCENES
    if not has_strace():
        print("strace is missing or may not trace here: words and moments alone.")
    rows = []
    began_at = time.monotonic()
    with Forks() as forks:
        for scene in scenes:
            with tempfile.TemporaryDirectory() as folder, staged(scene, Path(folder) / "stage", forks) as stage:
                scene_began_at = time.monotonic()
                if not _play(stage, options, -(-options.kills // len(scenes))):
                    return 1
                rows.append((stage, time.monotonic() - scene_began_at))
    _print_table(rows, time.monotonic() - began_at)
    return 0


def _play(stage: Stage, options: argparse.Namespace, wanted: int) -> bool:
    print(f"{stage.scene.name}: {len(stage.steps)} steps", flush=True)
    kills = iter([options.kill]) if options.kill else stage.choose(random.Random(f"{options.seed} {stage.scene.name}"))
    for played, kill in enumerate(kills, start=1):
        try:
            stage.kill(kill)
        except Finding as finding:
            print(f"FINDING in “{stage.scene.name}”: {finding}")
            print(f'Again: python {sys.argv[0]} --scene "{stage.scene.name}" --kill {kill}')
            return False
        done = stage.kills.total()
        if played % PROGRESS_EVERY == 0:
            print(f"  {played} played, {done} killed", flush=True)
        if done >= wanted and played >= stage.round_length:
            break
    return True


def _print_table(rows: list[tuple[Stage, float]], seconds: float) -> None:
    print(
        "\n| scene | steps | kills | at a system call | at a word | at a moment | came too late | findings | minutes |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for stage, each in rows:
        by = stage.kills
        cells = (len(stage.steps), by.total(), by["call"], by["word"], by["moment"], stage.survived, 0)
        print(f"| {stage.scene.name} | {' | '.join(map(str, cells))} | {each / 60:.1f} |")
    sums = [sum(stage.kills[name] for stage, _ in rows) for name in ("call", "word", "moment")]
    survived = sum(stage.survived for stage, _ in rows)
    steps = sum(len(stage.steps) for stage, _ in rows)
    print(f"| all | {steps} | {sum(sums)} | {' | '.join(map(str, sums))} | {survived} | 0 | {seconds / 60:.1f} |")


if __name__ == "__main__":
    os.environ.pop("XPMSYNC_HOME", None)
    sys.exit(main())
