"""Small folders of pictures and masks, written as tests need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

ORIENTATION = 0x0112

Save = Callable[..., Path]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """`save("a/b.png", array, orientation=6, mode="P", **options)` writes a picture below tmp_path."""

    def write(
        name: str,
        array: npt.NDArray[np.generic],
        *,
        orientation: int | None = None,
        mode: str | None = None,
        **options: object,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(array)
        if mode is not None:
            picture = picture.convert(mode)
        if orientation is not None:
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            options["exif"] = exif
        picture.save(path, **options)
        return path

    return write


@pytest.fixture
def make_set(tmp_path: Path, save: Save) -> Callable[..., Path]:
    """`make_set({"a": mask, …})` writes images/NAME.png and masks/NAME.png; returns the folder."""

    def make(
        masks: Mapping[str, npt.NDArray[np.generic]],
        *,
        root: str = "set",
        images: str = "images",
        labels: str = "masks",
        classes: str | None = None,
    ) -> Path:
        for number, (name, mask) in enumerate(masks.items()):
            picture = np.full((*mask.shape[:2], 3), 10 * number % 250, np.uint8)
            save(f"{root}/{images}/{name}.png", picture)
            save(f"{root}/{labels}/{name}.png", mask)
        if classes is not None:
            (tmp_path / root / "classes.txt").write_text(classes, encoding="utf-8")
        return tmp_path / root

    return make
