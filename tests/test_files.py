"""Files are written whole or not at all, and what killed processes began is cleared away."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixelwise.errors import DataError
from pixelwise.files import digest_of, remove_leftovers, replacing, sha256_of, write_whole


@pytest.mark.parametrize("durable", [True, False])
def test_the_file_is_there_when_all_went_well(tmp_path: Path, durable: bool) -> None:
    target = tmp_path / "new" / "a.png"
    with replacing(target, durable=durable) as temporary:
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"one")
        assert not target.exists()
    assert target.read_bytes() == b"one"
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_what_went_wrong_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.txt"
    write_whole(target, b"old")
    expected = DataError if isinstance(error, OSError) else type(error)

    def write() -> None:
        with replacing(target) as temporary:
            temporary.write_bytes(b"half of the n")
            raise error

    with pytest.raises(expected):
        write()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="asks whether a process lives, as POSIX does")
def test_only_what_dead_processes_began_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    code = "import sys, os, pathlib; from pixelwise.files import replacing\n"
    code += "with replacing(pathlib.Path(sys.argv[1])) as path: path.write_bytes(b'x'); os._exit(9)"
    for name in ("a.png", "sub/b.png", "c.state"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=False)
    kept = ["d.png", ".hidden.png", ".1-part.e.png", ".part.f.png"]
    for name in kept:
        (tmp_path / name).write_bytes(b"")
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 3 + len(kept)
    remove_leftovers(tmp_path, "c.state")
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 2 + len(kept)
    with replacing(tmp_path / "g.png") as alive:
        alive.write_bytes(b"g")
        remove_leftovers(tmp_path)
        assert alive.exists()
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted([*kept, "g.png"])
    remove_leftovers(tmp_path / "nowhere")


def test_digests_are_those_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()
    assert digest_of(tmp_path / "x", "md5") == hashlib.md5(content, usedforsecurity=False).hexdigest()
