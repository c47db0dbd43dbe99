"""A small drawn data set of the `folder` format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


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
