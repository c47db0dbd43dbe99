"""Does training lose anything when it is killed again and again, and when its disk fails?

A small run on a drawn set, with a checkpoint after every step, is trained undisturbed, and the digest of each
of its checkpoints is noted. Then a run of the same settings is killed with SIGKILL at random moments (a seed
decides which: while the cache is filled, while a checkpoint or model is written, between its writing and its
rename, just after it, in the midst of logging, at any time), and resumed, until it ends. After every kill the
checkpoint is read whole and must be that of the undisturbed run at the same step, bit for bit; at the end so
must weights, history, examples and TensorBoard's scores. Then come the faults of `soak_faults.py`.

    python benchmarks/soak.py                      # 20 kills: 5 minutes on two cores
    python benchmarks/soak.py --kills 200 --seed 7 --no-faults
    python benchmarks/soak.py --quick              # does the script work? Three kills, no JSON

Ends with 1 if anything was lost. Writes `benchmarks/results/soak-DATE.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import command, write_result
from soak_faults import all_faults
from soak_files import Place, checkpoint, left_behind, outcome
from soak_moments import aims, kill, kill_at, look
from soak_process import Process, import_all
from soak_trap import Trap

# Written before the run.
EXPECTED = {
    "kills": "every checkpoint whole and that of the undisturbed run; none lost but the steps since",
    "end": "weights, optimiser, history, examples and scores bit-identical",
    "faults": "exit code 2, one sentence, the checkpoint of before; after room was made the same weights",
}

SETTINGS = ("--size", "32", "32", "--batch-size", "3", "--val-last", "2", "--ema", "0.9", "--flip")
SETTINGS += ("--rotate", "20", "--colour", "0.4", "--schedule", "cosine", "--optimizer", "adamw")
SETTINGS += ("--checkpoint-seconds", "0", "--workers", "2", "--validate-every", "2")
PICTURES = 11  # 9 of them to train on: 3 steps an epoch
FIRST = ("cache being filled", "config without provenance")
"""Moments that only the first lives have."""


class Soak:
    """A folder with the drawn pictures, and the runs on them."""

    def __init__(self, folder: Path) -> None:
        from pixelwise.data.drawn import draw_dataset

        self.folder, self.log = folder, folder / "log.txt"
        self.data = draw_dataset(folder / "data", pictures=PICTURES, size=(40, 48))

    def start(self, words: list[str], *, cache: str = "cache", trap: Trap | None = None) -> Process:
        """`pixelwise train` with these words; what it says goes to the log."""
        return Process(["train", *words], log=self.log, cache=self.folder / cache, trap=trap)

    def begin(self, run: Path, epochs: int) -> list[str]:
        """The words that begin a run, or go on with it."""
        if (run / "config.json").exists():
            return ["--resume", str(run)]
        return [str(self.data), "--out", str(run), "--epochs", str(epochs), *SETTINGS]

    def undisturbed(self, run: Path, epochs: int) -> dict[str, str]:
        """A run that nothing happens to: the digest of the checkpoint at each place."""
        notes = self.folder / "notes.jsonl"
        notes.unlink(missing_ok=True)
        trap = Trap("note", "checkpoint.safetensors", notes)
        process = self.start(self.begin(run, epochs), cache="cache-undisturbed", trap=trap)
        if process.wait() != 0:
            raise SystemExit(f"the undisturbed run failed: {self.log.read_text()[-1000:]}")
        return dict(json.loads(line) for line in notes.read_text().splitlines())


def main() -> int:
    """Kills, resumes, compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-faults", action="store_true", help="kill only")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.kills = 3
    import_all()
    with tempfile.TemporaryDirectory(prefix="pixelwise-soak-") as name:
        soak = Soak(Path(name))
        kills = killed_run(soak, options.kills, random.Random(options.seed))
        faults = [] if options.no_faults else all_faults(soak)
    passed = kills["passed"] and all(fault["passed"] for fault in faults)
    print("nothing was lost" if passed else "SOMETHING WAS LOST")
    if not options.quick or options.out:
        facts = {"command": command(), "expected": EXPECTED, "seed": options.seed, "passed": passed}
        question = (__doc__ or "").splitlines()[0]
        write_result("soak", out=options.out, question=question, **{**kills, **facts}, faults=faults)
    return 0 if passed else 1


def killed_run(soak: Soak, kills: int, chance: random.Random) -> dict[str, Any]:
    """A run that is killed as often as asked, beside one that is not."""
    epochs = 8 + 2 * kills  # a life gets through two to seven steps; three are an epoch
    run, expected = soak.folder / "killed", soak.folder / "undisturbed"
    began = time.monotonic()
    notes = soak.undisturbed(expected, epochs)
    usual = time.monotonic() - began
    lives: list[dict[str, Any]] = []
    size = (expected / "checkpoint.safetensors").stat().st_size
    before: Place | None = None
    for number, aim in enumerate(planned(kills, chance), start=1):
        words = soak.begin(run, epochs)
        facts = {"kill": number}
        facts |= one_life(soak, run, words, aim, chance, size=size, usual=usual / len(notes))
        place = checkpoint(run / "checkpoint.safetensors")  # raises if it is not whole
        went_on = before is None or (place is not None and place.order >= before.order)
        facts |= {
            "checkpoint": place.text if place else None,
            "identical": place is None or notes.get(place.text) == place.digest,
            "went_on": went_on,
        }
        before = place
        lives.append(facts)
        print(line(facts), flush=True)
    last = soak.start(soak.begin(run, epochs)).wait()
    found, wanted = outcome(run), outcome(expected)
    different = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    left = [path.name for path in run.rglob(".*")]
    good = all(life["identical"] and life["went_on"] and life["killed"] for life in lives)
    return {
        "passed": good and last == 0 and not different and not left,
        "epochs": epochs,
        "checkpoint_bytes": size,
        "checkpoints_of_the_undisturbed_run": len(notes),
        "exit_code_at_the_end": last,
        "compared": sorted(wanted),
        "different": different,
        "left_behind_at_the_end": left,
        "aims": dict(Counter(life["aim"] for life in lives)),
        "calls": dict(Counter(life["call"] for life in lives)),
        "kills_that_left_a_part": sum(bool(life["left"]) for life in lives),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "kills": lives,
    }


def planned(kills: int, chance: random.Random) -> list[str]:
    """The kinds of moment, in a drawn order in which each comes before any comes again."""
    names = [name for name in aims(chance, size=1) if name not in FIRST] + ["any time"]
    plan: list[str] = list(FIRST)
    while len(plan) < kills:
        plan += chance.sample(names, len(names))
    return plan[:kills]


def one_life(
    soak: Soak, run: Path, words: list[str], aim: str, chance: random.Random, *, size: int, usual: float
) -> dict[str, Any]:
    """Starts or resumes the run, and kills it at a random moment.

    Args:
        soak: Where.
        run: The run's folder.
        words: That begin or resume it.
        aim: The kind of moment.
        chance: Decides the rest.
        size: Bytes of a whole checkpoint.
        usual: Seconds from checkpoint to checkpoint.
    """
    moments = aims(chance, size=size)
    resumed = checkpoint(run / "checkpoint.safetensors")
    before = left_behind(run) if run.exists() else {}
    start = time.monotonic()
    process = soak.start(words)
    if aim == "any time":
        time.sleep(chance.uniform(0.0, 6 * usual))
        call = kill(process)
    else:
        wait = 0 if aim in FIRST else chance.randint(0, 2)
        call = kill_at(process, moments[aim], lambda: look(run, soak.folder / "cache"), wait=wait)
    return {
        "aim": aim,
        "killed": call is not None,
        "after_seconds": round(time.monotonic() - start, 2),
        "call": call,
        "resumed_at": resumed.text if resumed else None,
        "left": left_behind(run) if run.exists() else {},
        "found_left": before,
    }


def line(facts: dict[str, Any]) -> str:
    """A kill, for the log."""
    left = ", ".join(f"{name} {size:,}" for name, size in facts["left"].items()) or "nothing"
    good = "identical" if facts["identical"] and facts["went_on"] else "DIFFERENT"
    return (
        f"{facts['kill']:3d}  {facts['aim']:33s} {facts['after_seconds']:6.2f} s  in {facts['call']}, "
        f"left {left}; from {facts['resumed_at']} to {facts['checkpoint']}, {good}"
    )


if __name__ == "__main__":
    sys.exit(main())
