"""A run that is killed, meets a full disk, or finds another's part: what was written stays, all is said.

Full disks are played by the largest file that a process may write (the kernel refuses the write in the
middle, as on a full disk) and by calls that are made to fail.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import label_run
import numpy as np
import pytest
from drawn_raster import rasterio
from label_run import CLASSES, SIZE, labels, run
from PIL import Image

from pixelwise.data.raster import open_sink, part_file
from pixelwise.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")  # rasterio, of our parts
ENDINGS = ("tif", "png")
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    for ending in ENDINGS:
        assert run(folder / f"a.{ending}", step=300) == ()
    return {ending: (folder / f"a.{ending}").read_bytes() for ending in ENDINGS}


def usable_rows(part: Path) -> int:
    """Reads a part as a stranger would, and returns how many of its rows are there and right."""
    if part.name.endswith(".png.part"):
        with Image.open(part) as picture:
            pixels = np.asarray(picture)
        assert np.array_equal(pixels, labels()[: len(pixels)])
        return len(pixels)
    with rasterio.open(part, driver="GTiff") as dataset:
        pixels = dataset.read(1)
    assert pixels.shape == SIZE
    rows = next((top for top in range(0, SIZE[0], 512) if (pixels[top:] == 255).all()), SIZE[0])
    assert np.array_equal(pixels[:rows], labels()[:rows])
    return rows


@posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path, undisturbed, ending):
    target = tmp_path / f"a.{ending}"
    chance, kills = random.Random(5), 0
    command = [sys.executable, label_run.__file__, str(target), "100", "0.01"]
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()  # it writes
            time.sleep(chance.uniform(0, 0.25))
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        if target.exists():
            break
        state = json.loads((tmp_path / f".a.{ending}.state").read_bytes())
        assert state["rows"] % 512 == 0 or state["rows"] == SIZE[0]
    assert kills
    assert run(target, step=300) == ()
    assert target.read_bytes() == undisturbed[ending]
    assert sorted(tmp_path.glob(".*")) == []


class Stopped(BaseException):
    """What a test throws in place of a kill: nothing may catch it and tidy up."""


class Kill:
    """Stops a run at one of its calls that change the disk: before a rename, or in the middle of a write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.at = 0, 0
        write, replace, fsync = part_file.PartFile._write, Path.replace, os.fsync

        def half_write(part, at, data):
            if self.counts():
                write(part, at, data[: len(data) // 2])
                raise Stopped
            write(part, at, data)

        def stopped_replace(path, other):
            self.stop()
            result = replace(path, other)
            self.stop()
            return result

        def stopped_fsync(descriptor):
            self.stop()
            fsync(descriptor)

        monkeypatch.setattr(part_file.PartFile, "_write", half_write)
        monkeypatch.setattr(Path, "replace", stopped_replace)
        monkeypatch.setattr(os, "fsync", stopped_fsync)

    def counts(self) -> bool:
        self.calls += 1
        return self.calls == self.at

    def stop(self) -> None:
        if self.counts():
            raise Stopped


@pytest.mark.parametrize("ending", ENDINGS)
def test_stopped_at_any_call_it_goes_on_to_the_same_bytes(tmp_path, undisturbed, ending, monkeypatch):
    kill = Kill(monkeypatch)
    target, part = tmp_path / f"a.{ending}", tmp_path / f".a.{ending}.part"
    state = tmp_path / f".a.{ending}.state"
    run(target, step=700)
    total = kill.calls
    for at in sorted({1, 2, 3, 4, *range(5, total, 11), *range(total - 10, total + 1)}):
        for left in tmp_path.glob("*"):
            left.unlink()
        kill.calls, kill.at = 0, at
        with pytest.raises(Stopped):
            run(target, step=700)
        kill.at = 0
        if ending == "tif" and state.exists() and part.exists():
            # A PNG may end in half a chunk here, and is no more than its state then.
            rows = json.loads(state.read_bytes())["rows"]
            with rasterio.open(part, driver="GTiff") as dataset:
                assert np.array_equal(dataset.read(1)[:rows], labels()[:rows])
        assert run(target, step=300) == (), at
        assert target.read_bytes() == undisturbed[ending], at
        assert sorted(tmp_path.glob(".*.part")) == [], at


@posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_a_part_that_can_be_used(tmp_path, undisturbed, ending):
    target = tmp_path / f"a.{ending}"
    program = (
        "import resource, sys, label_run; from pathlib import Path; from pixelwise.errors import DataError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))\n"
        "try: label_run.run(Path(sys.argv[1]), step=300)\n"
        "except DataError as error: print(error)\n"
    )
    whole = len(undisturbed[ending])
    for share in (0.5, 0.9):
        limit = str(int(share * whole))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(label_run.__file__).parent), *sys.path]),
        }
        done = subprocess.run(
            [sys.executable, "-c", program, str(target), limit],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        said = done.stdout.strip().splitlines()[-1]
        rows = usable_rows(tmp_path / f".a.{ending}.part")
        assert rows >= 512
        assert rows % 512 == 0 or rows == SIZE[0]
        assert (
            f"a.{ending}: cannot be written further (File too large), rows 0 to {rows - 1} of {SIZE[0]} "
            in said
        )
        assert f"are whole in .a.{ending}.part; make room" in said
        assert done.stderr == ""
    assert run(target, step=300) == ()
    assert target.read_bytes() == undisturbed[ending]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("call", ["write", "fsync", "state"])
def test_errors_of_every_call_are_said(tmp_path, undisturbed, ending, call, monkeypatch):
    """`No space left on device` out of the file's write, its fsync, and the state beside it."""
    target, whole = tmp_path / f"a.{ending}", labels()
    sink = open_sink(target, SIZE, CLASSES, identity="model 1, picture 1")
    sink.write(whole[:600])
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patched:
        write = part_file.PartFile._write

        def half(self, at, data):
            if len(data) > 500:
                write(self, at, data[: len(data) // 2])
                raise full
            write(self, at, data)

        def fail(*_):
            raise full

        if call == "write":
            patched.setattr(part_file.PartFile, "_write", half)
        elif call == "fsync":
            patched.setattr(os, "fsync", fail)
        else:
            patched.setattr(Path, "replace", fail)
        with pytest.raises(
            DataError, match=rf"a\.{ending}: cannot be written further \(No space left.*rows 0 to 511"
        ):
            sink.write(whole[600:1300])
    sink.close(complete=False)
    assert usable_rows(tmp_path / f".a.{ending}.part") == 512
    assert run(target, step=300) == ()
    assert target.read_bytes() == undisturbed[ending]


def test_a_full_disk_at_the_pyramid_leaves_all_rows(tmp_path, undisturbed, monkeypatch):
    target = tmp_path / "a.tif"
    append = part_file.PartFile.append

    def full(self, data):
        if self.state.rows == SIZE[0]:
            with self._writing():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(part_file.PartFile, "append", full)
        with pytest.raises(DataError, match=rf"rows 0 to {SIZE[0] - 1} of {SIZE[0]} are whole"):
            run(target, step=300)
    assert usable_rows(tmp_path / ".a.tif.part") == SIZE[0]
    assert run(target, step=300) == ()
    assert target.read_bytes() == undisturbed["tif"]


def start(target: Path) -> None:
    sink = open_sink(target, SIZE, CLASSES, identity="model 1, picture 1")
    sink.write(labels()[:1100])
    sink.close(complete=False)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_cannot_be_gone_on_with_is_begun_anew_and_said(tmp_path, undisturbed, ending):
    target = tmp_path / f"a.{ending}"
    part, state = tmp_path / f".a.{ending}.part", tmp_path / f".a.{ending}.state"

    def change(at: int) -> None:
        content = bytearray(part.read_bytes())
        content[at] ^= 1
        part.write_bytes(content)

    def shorten() -> None:
        part.write_bytes(part.read_bytes()[: json.loads(state.read_bytes())["end"] - 1])

    def say(**members: object) -> None:
        state.write_text(json.dumps(json.loads(state.read_bytes()) | members))

    damages = {
        "another picture, model or setting": lambda: say(identity="model 2"),
        "another picture, model or settings": lambda: say(size=[9999, 7]),
        "begins otherwise": lambda: change(60),
        "its bytes were altered": lambda: change(json.loads(state.read_bytes())["end"] - 9),
        "is truncated": shorten,
        "part is missing": part.unlink,
        "state is missing": state.unlink,
        "no whole json": lambda: state.write_bytes(state.read_bytes()[:50]),
        "another version": lambda: say(version=99),
        "counts cannot be": lambda: say(rows=SIZE[0] + 1),
        "'end' must be a whole number": lambda: say(end="x"),
        "parts do not fit together": lambda: say(memory={}),
    }
    for said, damage in damages.items():
        start(target)
        damage()
        (note,) = run(target, step=300)
        assert f"a.{ending}: begun anew, as what was written cannot be used: " in note
        assert said.removesuffix("s") in note
        assert target.read_bytes() == undisturbed[ending]
    start(target)
    sink = open_sink(target, SIZE, CLASSES, identity="model 1, picture 1")  # not asked to resume
    assert (sink.rows_done, sink.notes) == (0, ())
    sink.close(complete=False)


def test_other_classes_or_places_are_no_continuation(tmp_path):
    from pixelwise.types import Classes

    for ending in ENDINGS:
        start(tmp_path / f"a.{ending}")
        other = Classes(CLASSES.names, ((1, 2, 3), (4, 5, 6), (7, 8, 9)))
        sink = open_sink(tmp_path / f"a.{ending}", SIZE, other, identity="model 1, picture 1", resume=True)
        assert sink.rows_done == 0
        assert "begins otherwise" in sink.notes[0]
        sink.close(complete=False)


@posix
def test_two_writers_of_one_file_are_kept_apart(tmp_path):
    for ending in ENDINGS:
        sink = open_sink(tmp_path / f"a.{ending}", SIZE, CLASSES, identity="x")
        sink.write(labels()[:600])
        for resume in (True, False):
            with pytest.raises(DataError, match=r"another process is writing this file; wait for it"):
                open_sink(tmp_path / f"a.{ending}", SIZE, CLASSES, identity="x", resume=resume)
        sink.write(labels()[600:])
        sink.close(complete=True)


def test_what_had_the_name_stays_until_the_new_is_whole(tmp_path, undisturbed):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    start(target)
    assert target.read_bytes() == b"old"
    run(target, step=300)
    assert target.read_bytes() == undisturbed["png"]
