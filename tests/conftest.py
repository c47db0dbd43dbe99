"""What every test may use: the repository's folders, and the real pictures where they lie beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures; skips where there is none, as in a stranger's clone."""
    folder = Path(os.environ.get("PIXELWISE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}; set PIXELWISE_REAL_DATA to their folder")
    return folder
