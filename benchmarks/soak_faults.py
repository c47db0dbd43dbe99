"""What the soak test breaks besides killing: full disks, short writes, failing fsync and rename, two at once.

Each fault meets a process that resumes a copy of a run that was killed in the middle. Expected: exit code 2,
one sentence, a checkpoint that is whole and that of the undisturbed run; and once the fault is gone, a resume
to bit-identical weights, history and examples.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from soak_files import checkpoint, left_behind, outcome
from soak_process import Process
from soak_trap import Trap

EPOCHS = 3
CHECKPOINT = ".part.checkpoint.safetensors"

TRAPS: dict[str, tuple[str, str, int, str]] = {
    "a short write, then a full disk, of the checkpoint": ("short", CHECKPOINT, 2, "No space left"),
    "the same of a model file": ("short", ".part.last.safetensors", 2, "No space left"),
    "the same of the history": ("short", ".part.history.csv", 2, "No space left"),
    "the same of the curves": ("short", ".part.curves.png", 2, "No space left"),
    "an I/O error in fsync of the checkpoint": ("fsync", CHECKPOINT, 2, "Input/output error"),
    "an I/O error in fsync of the folder": ("fsync", "/run", 2, "Input/output error"),
    "a rename of the checkpoint that fails": ("rename", "checkpoint.safetensors", 2, "Input/output error"),
    "TensorBoard's file on a full disk": ("fsync", "events.out.tfevents", 0, "TensorBoard failed"),
}
"""Fault, files, exit code, what the sentence must say."""


class Soak(Protocol):
    """What `soak.py` has for us."""

    folder: Path
    log: Path

    def start(self, words: list[str], *, cache: str = "cache", trap: Trap | None = None) -> Process:
        """`pixelwise train` with these words."""
        ...

    def begin(self, run: Path, epochs: int) -> list[str]:
        """The words that begin a run, or go on with it."""
        ...

    def undisturbed(self, run: Path, epochs: int) -> dict[str, str]:
        """The digest of each of its checkpoints."""
        ...


class Faults:
    """A run killed in the middle, and the undisturbed one that all must equal in the end."""

    def __init__(self, soak: Soak) -> None:
        self.soak = soak
        expected = soak.folder / "undisturbed-short"
        self.notes = soak.undisturbed(expected, EPOCHS)
        self.expected = outcome(expected)
        self.middle = soak.folder / "middle"
        process = soak.start(soak.begin(self.middle, EPOCHS))
        while (place := _quietly(self.middle)) is None or place.order < (0, 1):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.size = (self.middle / "checkpoint.safetensors").stat().st_size

    def copy(self, name: str) -> Path:
        """A fresh copy of the killed run, in a folder `run`."""
        run = self.soak.folder / "faults" / name.replace("/", "-") / "run"
        shutil.copytree(self.middle, run)
        return run

    def judge(
        self,
        name: str,
        run: Path,
        *,
        code: int,
        said: str,
        expected: tuple[int, str],
        mend: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """What became of a run that met a fault, and of its resume after the fault is gone."""
        facts: dict[str, Any] = {"fault": name, "exit_code": code, "said": _sentence(said, run)}
        place = checkpoint(run / "checkpoint.safetensors")
        facts["checkpoint"] = place.text if place else None
        facts["whole"] = place is None or self.notes.get(place.text) == place.digest
        facts["left"] = left_behind(run)
        mend()
        facts["resumed"] = self.soak.start(self.soak.begin(run, EPOCHS)).wait()
        facts["identical"] = facts["resumed"] == 0 and outcome(run) == self.expected
        spoken = expected[1] in said and "Traceback" not in said
        facts["passed"] = (
            code == expected[0] and spoken and facts["whole"] and facts["identical"] and not facts["left"]
        )
        print(f"{'ok ' if facts['passed'] else 'BAD'} {name}: {code}, {facts['said']}", flush=True)
        return facts

    def say(self, words: list[str], *, trap: Trap | None = None) -> tuple[int, str]:
        """Runs a process to its end: exit code and what it said."""
        before = self.soak.log.stat().st_size
        code = self.soak.start(words, trap=trap).wait()
        with self.soak.log.open("rb") as file:
            file.seek(before)
            return code, file.read().decode(errors="replace")


def all_faults(soak: Soak) -> list[dict[str, Any]]:
    """Every fault, one after the other."""
    faults = Faults(soak)
    found = [trapped(faults, name) for name in TRAPS]
    found += [too_long(faults), full_disk(faults), read_only(faults)]
    return [*found, two_at_once(faults), begun_only(faults)]


def trapped(faults: Faults, name: str) -> dict[str, Any]:
    """A fault that `soak_child.py` makes."""
    fault, pattern, code, text = TRAPS[name]
    run = faults.copy(name)
    came, said = faults.say(["--resume", str(run)], trap=Trap(fault, pattern))
    return faults.judge(name, run, code=came, said=said, expected=(code, text))


def too_long(faults: Faults) -> dict[str, Any]:
    """RLIMIT_FSIZE: the system refuses files as long as a checkpoint."""
    name = "a checkpoint longer than RLIMIT_FSIZE"
    run = faults.copy(name)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (faults.size * 4 // 5, hard))  # children inherit it
    try:
        code, said = faults.say(["--resume", str(run)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return faults.judge(name, run, code=code, said=said, expected=(2, "File too large"))


def full_disk(faults: Faults) -> dict[str, Any]:
    """A tmpfs with room for half a checkpoint more; more room is made before the resume."""
    name = "a full disk (tmpfs)"
    run = faults.soak.folder / "faults" / "full" / "run"
    used = sum(path.stat().st_size for path in faults.middle.rglob("*") if path.is_file())
    if not _mount(run, used + faults.size // 2):
        return _skipped(name)
    shutil.copytree(faults.middle, run, dirs_exist_ok=True)
    try:
        code, said = faults.say(["--resume", str(run)])
        return faults.judge(
            name,
            run,
            code=code,
            said=said,
            expected=(2, "No space left"),
            mend=lambda: _remount(run, f"size={used + 8 * faults.size}"),
        )
    finally:
        subprocess.run(["umount", str(run)], check=False)


def read_only(faults: Faults) -> dict[str, Any]:
    """A file system that nobody may write to, not even root."""
    name = "a read-only folder"
    run = faults.soak.folder / "faults" / "read-only" / "run"
    if not _mount(run, 32 * faults.size):
        return _skipped(name)
    shutil.copytree(faults.middle, run, dirs_exist_ok=True)
    try:
        _remount(run, "ro")
        code, said = faults.say(["--resume", str(run)])
        expected = 2, "Read-only file system"
        mend = lambda: _remount(run, "rw")  # noqa: E731
        return faults.judge(name, run, code=code, said=said, expected=expected, mend=mend)
    finally:
        subprocess.run(["umount", str(run)], check=False)


def two_at_once(faults: Faults) -> dict[str, Any]:
    """A second process resumes the run while the first one trains; the first is then killed."""
    name = "two processes resume at once"
    run = faults.copy(name)
    lock = run / ".lock"
    lock.write_bytes(b"")  # what the killed process left says nothing
    first = faults.soak.start(["--resume", str(run)])
    while lock.stat().st_size == 0 and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it does not end before the second one begins
    code, said = faults.say(["--resume", str(run)])
    first.send_signal(signal.SIGKILL)
    first.wait()
    expected = 2, f"is being trained by process {first.pid}"
    return faults.judge(name, run, code=code, said=said, expected=expected)


def begun_only(faults: Faults) -> dict[str, Any]:
    """Killed between config and provenance; beginning the run again is refused, resuming begins it."""
    name = "killed before the first step, then begun again"
    run = faults.soak.folder / "faults" / "begun" / "run"
    words = faults.soak.begin(run, EPOCHS)
    faults.say(words, trap=Trap("kill", ".part.provenance.json"))
    parts = left_behind(run)
    code, said = faults.say(words)
    for path in run.rglob(".*.part.*"):
        path.unlink()  # the resume does so; `judge` asks for none after the fault
    expected = 2, f"--resume {run}"
    facts = faults.judge(name, run, code=code, said=said, expected=expected)
    return {**facts, "passed": facts["passed"] and list(parts) == ["provenance.json"]}


def _quietly(run: Path) -> Any:
    """The place of a checkpoint that is being replaced meanwhile."""
    return checkpoint(run / "checkpoint.safetensors")


def _sentence(said: str, run: Path) -> str:
    """The last line, with the place of this machine left out."""
    lines = [line for line in said.splitlines() if line.startswith(("pixelwise:", "warning:"))]
    return (lines[-1] if lines else said[-200:]).replace(str(run), "RUN")


def _mount(folder: Path, size: int) -> bool:
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    return (
        sys.platform == "linux" and os.geteuid() == 0 and subprocess.run(words, check=False).returncode == 0
    )


def _remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def _skipped(name: str) -> dict[str, Any]:
    print(f"--  {name}: nobody but root may mount a small disk")
    return {"fault": name, "skipped": "nobody but root may mount a small disk", "passed": True}
