"""The drawn data set is the same everywhere and holds what it says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pixelwise.data import open_dataset
from pixelwise.data.drawn import NAMES, draw_dataset
from pixelwise.errors import ConfigError, DataError


def test_deterministic_and_readable(tmp_path):
    first = draw_dataset(tmp_path / "a", pictures=6, size=(48, 64), seed=3)
    second = draw_dataset(tmp_path / "b", pictures=4, size=(48, 64), seed=3)
    for path in sorted(second.rglob("*.png")):
        assert path.read_bytes() == (first / path.relative_to(second)).read_bytes()
    dataset = open_dataset(first)
    assert dataset.classes.names == NAMES
    seen = set()
    for i in range(6):
        sample = dataset.reader[i]
        assert sample.image.shape == (48, 64, 3)
        found = set(np.unique(sample.mask).tolist())
        assert found <= set(range(len(NAMES)))
        assert len(found) >= 2
        seen |= found
    assert len(seen) >= 4


def test_masks_do_not_move_between_versions(tmp_path):
    root = draw_dataset(tmp_path, pictures=2, size=(40, 40), seed=0)
    masks = b"".join(open_dataset(root).reader[i].mask.tobytes() for i in range(2))
    assert hashlib.sha256(masks).hexdigest()[:16] == PINNED


PINNED = "5bbf599ac058d36c"


def test_it_never_overwrites(tmp_path):
    draw_dataset(tmp_path, pictures=1, size=(32, 32))
    with pytest.raises(DataError):
        draw_dataset(tmp_path, pictures=1, size=(32, 32))
    with pytest.raises(ConfigError):
        draw_dataset(tmp_path / "x", pictures=0)
    with pytest.raises(ConfigError):
        draw_dataset(tmp_path / "x", pictures=1, size=(8, 8))
