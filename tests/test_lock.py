"""A lock keeps others away while its holder lives, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pixelwise import lock
from pixelwise.errors import DataError
from pixelwise.lock import LockedError, locked

HOLD = "import sys, pathlib, time; from pixelwise.lock import locked\n"
HOLD += "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_a_second_holder_is_told_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with locked(path) as held:
        assert held
        with pytest.raises(LockedError, match=f"process {os.getpid()} on "), locked(path):
            pass
        assert path.exists()  # the refused one took nothing away
    assert not path.exists()
    with locked(path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(LockedError, match=f"process {process.pid} on "), locked(path):
        pass
    process.kill()
    process.communicate()
    assert path.exists()
    with locked(path) as held:
        assert held
    assert not path.exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    path, inside, most, done = tmp_path / ".lock", [0], [0], [0]

    def work() -> None:
        while done[0] < 200:
            try:
                with locked(path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    done[0] += 1
                    inside[0] -= 1
            except LockedError:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"), locked(tmp_path / "file" / ".lock"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="of flock")
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock.locked(tmp_path / ".lock") as held:
        assert not held
