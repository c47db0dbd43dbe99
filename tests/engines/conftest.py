"""Pictures for engines, and a store for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
from many_pictures import draw


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight good pictures and one that is none."""
    folder = draw(tmp_path / "photos", 7)
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture
def memory() -> Any:
    """fsspec's store in memory, empty."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    return files
