"""What is kept of a picture, and how much thumbnails resemble each other, whatever was done to the photo."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from photos import CHANGES, clouds, looked_at, thumbnails_of
from PIL import Image

from pixelwise.check.likeness import SIDE, Likeness, measure_likeness
from pixelwise.check.resemblance import (
    cropping,
    details,
    is_comparable,
    resemblance,
    resemblance_cropped,
)
from pixelwise.check.twins import ALIKE


def thumbnail(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return thumbnails_of([measure_likeness(picture)])


def test_the_digest_is_of_the_pixels_and_the_thumbnail_of_their_means():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:2, :2] = 200  # the first of 32x32 places
    likeness = measure_likeness(picture)
    assert likeness.thumbnail == bytes([200]) + bytes(SIDE * SIDE - 1)
    assert measure_likeness(np.asfortranarray(picture)) == likeness
    other = picture.copy()
    other[63, 63, 2] = 1
    assert measure_likeness(other).digest != likeness.digest
    assert measure_likeness(picture.reshape(32, 128, 3)).digest != likeness.digest  # the same bytes


def test_it_survives_json():
    likeness = measure_likeness(clouds(1))
    text = json.dumps(likeness.to_json())
    assert Likeness.from_json(json.loads(text)) == likeness
    assert len(text) < 1500


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        ["0" * 32],
        ["0" * 32, 5],
        ["0" * 31, "AAAA"],
        ["0" * 32, "AAAA"],
        ["0" * 32, "not base64 \u20ac"],
        ["../" + "0" * 29, "A" * 1368],
        [*measure_likeness(np.zeros((32, 32, 3), np.uint8)).to_json(), ""],
    ],
)
def test_anything_else_is_refused(value: object):
    with pytest.raises(ValueError):  # noqa: PT011 - base64 says it in words of its own
        Likeness.from_json(value)


@pytest.mark.parametrize("change", CHANGES)
def test_a_photo_resembles_what_was_made_of_it(change: str):
    mirrored = change.startswith("mirrored")
    for seed in range(6):
        picture = clouds(seed, (240, 320))
        image = Image.fromarray(picture)
        one, other = thumbnail(looked_at(image)), thumbnail(looked_at(CHANGES[change](image)))
        whole = resemblance(one, other, mirrored=mirrored)[0]
        best = max(whole, resemblance_cropped(one, other, mirrored=mirrored)[0])
        assert best >= ALIKE
        if "cropped" not in change:
            assert whole >= 0.9
        if mirrored:
            assert resemblance(one, other)[0] < 0.5


def test_different_pictures_do_not_resemble_each_other():
    every = np.concatenate([thumbnail(clouds(seed)) for seed in range(40)])
    a, b = np.triu_indices(40, 1)
    assert np.abs(resemblance(every[a], every[b])).max() < 0.5
    assert resemblance_cropped(every[a], every[b]).max() < 0.6


def test_resemblance_is_symmetric_and_1_for_itself():
    one, other = thumbnail(clouds(0)), thumbnail(clouds(1))
    assert resemblance(one, one)[0] == pytest.approx(1, abs=1e-5)
    assert resemblance(one, other)[0] == pytest.approx(resemblance(other, one)[0], abs=1e-6)
    assert resemblance_cropped(one, other)[0] == pytest.approx(resemblance_cropped(other, one)[0], abs=1e-5)
    assert resemblance(one, one[:, :, ::-1], mirrored=True)[0] == pytest.approx(1, abs=1e-5)


def test_a_frame_that_all_pictures_have_counts_little():
    def framed(seed: int) -> npt.NDArray[np.uint8]:
        picture = clouds(seed)
        picture[:, :32] = picture[:, -32:] = 0
        return thumbnail(picture)

    every = np.concatenate([framed(seed) for seed in range(30)])
    a, b = np.triu_indices(30, 1)
    assert resemblance(every[a], every[b]).max() < ALIKE


def test_cropping_by_nothing_changes_nothing_and_by_a_quarter_shows_the_middle():
    np.testing.assert_allclose(cropping(0.0), np.eye(SIDE), atol=1e-6)
    row = np.arange(SIDE, dtype=np.float32)
    # Place j of the stretched row lies at 8 + (j + 0.5) / 2 - 0.5 of the old one.
    np.testing.assert_allclose(cropping(0.25) @ row, 8 + (row + 0.5) / 2 - 0.5, atol=1e-4)


def test_what_has_nothing_in_it_cannot_be_compared():
    rng = np.random.default_rng(0)
    black, line = np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256, 3), np.uint8)
    line[236:246, 20:200:12] = 255  # a date on black
    slope = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 256, 3)).copy()
    noise = rng.integers(0, 6, (256, 256, 3)).astype(np.uint8)  # a lens cap
    nothing = np.concatenate([thumbnail(p) for p in (black, 255 - black, line, noise)])
    assert not is_comparable(nothing).any()
    assert is_comparable(np.concatenate([thumbnail(clouds(s)) for s in range(8)])).all()
    assert is_comparable(thumbnail(clouds(0, scale=5.0))).all()  # fog
    assert np.isfinite(details(np.concatenate((nothing, thumbnail(slope))))).all()
