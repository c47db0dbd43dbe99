"""What a killed process leaves of an entry goes away when the next one is begun; a living one's stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pixelwise.data.store import EntryWriter, Store

FILL = "import sys, pathlib, time; from pixelwise.data.store import EntryWriter, Store\n"
FILL += "writer = EntryWriter(Store(pathlib.Path(sys.argv[1])), 'dead', 1, (8, 8))\n"
FILL += "print('begun', flush=True); time.sleep(60)"


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_killed_process_leaves_no_entry_for_long(tmp_path: Path) -> None:
    store = Store(tmp_path / "pictures")
    process = subprocess.Popen([sys.executable, "-c", FILL, str(store.root)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    (begun,) = store.root.iterdir()
    old = time.time() - 3600
    os.utime(begun, (old, old))
    store.prune()
    assert begun.exists()  # it lives
    process.kill()
    process.communicate()
    writer = EntryWriter(store, "whole", 1, (8, 8))
    assert not begun.exists()
    writer.add(np.ones((8, 8, 3), np.uint8), np.ones((8, 8), np.uint8), np.zeros(256, np.int64))
    writer.commit()
    assert [path.name for path in store.root.iterdir()] == ["whole"]
    assert store.find("whole", 1, (8, 8)) is not None
