"""Test-time augmentation: each view's answer lies where its picture was; the mean is of probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwise.backends.fake import FakeBackend
from pixelwise.config import PredictConfig
from pixelwise.errors import ConfigError
from pixelwise.inference import Predictor
from pixelwise.inference.views import View, Views
from pixelwise.types import Classes, SizePolicy

COLOURS = ((250, 10, 10), (10, 250, 10))
CLASSES = Classes(("red", "green"), COLOURS)


def _images(h: int = 9, w: int = 14) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, h, w, 3), np.uint8)


def _red(images: np.ndarray) -> np.ndarray:
    """A pointwise answer: red and what is not red."""
    red = images[..., 0].astype(np.float32) / 255
    return np.stack([red, 1 - red], axis=1)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_back_undoes_of(mirrored: bool, turns: int) -> None:
    view, images = View(1.0, mirrored, turns), _images()
    seen = view.of(images)
    assert seen.shape[1:3] == ((9, 14) if turns % 2 == 0 else (14, 9))
    assert np.array_equal(view.back(_red(seen), (9, 14)), _red(images))


def test_what_the_views_are() -> None:
    images = _images(2, 2)
    a, b, c, d = images[:, 0, 0], images[:, 0, 1], images[:, 1, 0], images[:, 1, 1]
    square = lambda *rows: np.stack([np.stack(row, 1) for row in rows], 1)  # noqa: E731
    by_hand = {
        "hflip": [square((a, b), (c, d)), square((b, a), (d, c))],
        "vflip": [square((a, b), (c, d)), square((c, d), (a, b))],
        "rot90": [
            square((a, b), (c, d)),
            square((b, d), (a, c)),
            square((d, c), (b, a)),
            square((c, a), (d, b)),
        ],
    }
    for change, expected in by_hand.items():
        seen = [view.of(images) for view in Views((change,)).views]  # pyright: ignore[reportArgumentType]
        assert len(seen) == len(expected)
        assert all(any(np.array_equal(s, e) for s in seen) for e in expected)


@pytest.mark.parametrize(
    ("changes", "count", "work"),
    [
        ((), 1, 1.0),
        (("hflip",), 2, 2.0),
        (("hflip", "vflip"), 4, 4.0),
        (("rot90",), 4, 4.0),
        (("hflip", "vflip", "rot90"), 8, 8.0),  # the symmetries of the square: no more
        (("hflip", "rot90"), 8, 8.0),
        (("scales",), 3, 0.75**2 + 1 + 1.25**2),
        (("hflip", "scales"), 6, 2 * (0.75**2 + 1 + 1.25**2)),
    ],
)
def test_how_many_there_are_and_what_they_cost(changes, count: int, work: float) -> None:
    views = Views(changes, (0.75, 1.0, 1.25))
    assert len(set(views.views)) == len(views.views) == count
    assert views.work == pytest.approx(work)
    assert views.cost() == f"{count} passes of the network for each picture, {work:.1f} times the work"


def test_a_pointwise_network_answers_the_same_for_flips_and_turns() -> None:
    images = _images()
    mean = Views(("hflip", "vflip", "rot90")).mean(_red, images)
    np.testing.assert_allclose(mean, _red(images), atol=1e-6)


def test_the_mean_is_taken_of_probabilities() -> None:
    """Of a network that says red for the left half, whatever it is shown."""

    def left(images: np.ndarray) -> np.ndarray:
        answer = np.zeros((len(images), 2, *images.shape[1:3]), np.float32)
        half = images.shape[2] // 2
        answer[:, 0, :, :half] = 1
        answer[:, 1, :, half:] = 1
        return answer

    np.testing.assert_allclose(Views(("hflip",)).mean(left, _images(4, 6)), 0.5)


def test_scales_come_back_to_the_picture_and_sum_to_one() -> None:
    images = np.repeat(np.repeat(_images(4, 6), 8, axis=1), 8, axis=2)
    mean = Views(("scales",), (0.5, 1.0, 1.5)).mean(_red, images)
    assert mean.shape == (2, 2, 32, 48)
    np.testing.assert_allclose(mean.sum(1), 1, atol=1e-5)
    # In the middle of a block of one colour no scale mixes in another: but for rounding of grey values.
    middle = np.s_[:, :, 4::8, 4::8]
    np.testing.assert_allclose(mean[middle], _red(images)[middle], atol=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (13, 7)])
@pytest.mark.parametrize("mode", ["native", "resize", "tile"])
def test_any_size_with_everything_on(mode: str, size: tuple[int, int]) -> None:
    config = PredictConfig(sizing=mode, tta=("hflip", "vflip", "rot90", "scales"))  # pyright: ignore
    predictor = Predictor(FakeBackend(COLOURS), CLASSES, SizePolicy("resize", (16, 24)), config=config)
    picture = np.full((*size, 3), COLOURS[1], np.uint8)
    segmentation = predictor.predict(picture, probabilities=True)
    assert segmentation.labels.shape == size
    assert (segmentation.labels == 1).all()


def test_a_scale_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.1\.\.4, got 0"):
        PredictConfig(scales=(0.0,))
    with pytest.raises(ConfigError, match="at least one"):
        PredictConfig(scales=())
