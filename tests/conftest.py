"""What every test may use: drawn data sets, and the real pictures where they lie beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures; skips where there is none, as in a stranger's clone."""
    folder = Path(os.environ.get("PIXELWISE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}; set PIXELWISE_REAL_DATA to their folder")
    return folder


def draw_folder(root: Path, *, pictures: int = 12, size: tuple[int, int] = (40, 48), seed: int = 0) -> Path:
    """A data set of the `folder` format: a bright box (class 1) on dark noise (class 0)."""
    generator = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    height, width = size
    for number in range(pictures):
        picture = generator.integers(0, 90, (height, width, 3), dtype=np.uint8)
        mask = np.zeros(size, np.uint8)
        top, left = generator.integers(2, height // 2), generator.integers(2, width // 2)
        box = slice(top, top + height // 3), slice(left, left + width // 3)
        picture[box] = generator.integers(150, 255, (*picture[box].shape[:2], 3))
        mask[box] = 1
        Image.fromarray(picture).save(root / "images" / f"scene_{number:02d}.png")
        Image.fromarray(mask).save(root / "masks" / f"scene_{number:02d}.png")
    (root / "classes.txt").write_text("ground\nbox\n")
    return root


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A fresh `draw_folder`, for tests that damage it."""
    return draw_folder(tmp_path / "data")


@pytest.fixture(scope="session")
def shared_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `draw_folder` that nobody may change."""
    return draw_folder(tmp_path_factory.mktemp("drawn") / "data")
