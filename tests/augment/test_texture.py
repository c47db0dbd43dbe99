"""Blur, JPEG, grey rectangles and pasted classes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from pixelwise.augment import Draw, apply, augment, draw
from pixelwise.augment.jpeg import jpeg, quantisation
from pixelwise.augment.texture import blur
from pixelwise.config import AugmentConfig

EVERYTHING = AugmentConfig(
    flip=True, scale=(0.5, 2.0), rotate=10, colour=0.4, blur=1.5, jpeg=40, cutout=0.3, mix=0.7, crop=(48, 40)
)


def photo(height: int = 61, width: int = 83, *, seed: int = 0) -> np.ndarray:
    """Something with soft and hard parts, as photos have: `(height, width, 3) uint8`."""
    generator = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(generator.normal(0, 1, (height, width, 3)), (6, 6, 0.5))
    picture = 128 + 90 * soft / np.abs(soft).max()
    picture[height // 3 : height // 2, width // 4 : width // 2] = (200, 40, 60)
    return picture.clip(0, 255).astype(np.uint8)


def planes(*pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.7])
def test_blur_is_the_gaussian(sigma: float) -> None:
    picture = photo()
    found = blur(planes(picture), [Draw(blur=sigma)])[0].permute(1, 2, 0).numpy()
    radius = int(np.ceil(3 * sigma))
    expected = ndimage.gaussian_filter(
        picture.astype(float), (sigma, sigma, 0), mode="nearest", radius=(radius, radius, 0)
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95])
@pytest.mark.parametrize("size", [(64, 80), (61, 83)])
def test_jpeg_is_what_a_real_encoder_does(quality: int, size: tuple[int, int]) -> None:
    """Against Pillow's. Grey pictures agree but for rounding; two real codecs differ as much in colour."""
    colour = photo(*size)
    grey = colour[..., :1].repeat(3, axis=2)
    for picture, share, floor in ((grey, 0.05, 0.15), (colour, 0.1, 0.65)):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        real = np.asarray(Image.open(file).convert("RGB")).astype(float)
        ours = jpeg(planes(picture), [Draw(jpeg=quality)])[0].permute(1, 2, 0).numpy()
        lost = np.abs(real - picture).mean()
        assert np.abs(ours - real).mean() < share * lost + floor
        assert np.abs(ours - picture).mean() == pytest.approx(lost, rel=0.1, abs=0.05)


def test_quantisation_by_hand() -> None:
    # Quality 50 takes the tables as they are; 25 doubles them; at 100 every step is 1.
    assert quantisation(50)[0][:4].tolist() == [16, 11, 10, 16]
    assert quantisation(25)[0][:4].tolist() == [32, 22, 20, 32]
    # Quality 75: (16 x 50 + 50) / 100 = 8.5 -> 8, (11 x 50 + 50) / 100 = 6.
    assert quantisation(75)[0][:2].tolist() == [8, 6]
    assert set(quantisation(100)[1].tolist()) == {1}


def test_a_grey_rectangle_counts_for_nothing() -> None:
    images = torch.zeros(2, 20, 40, 3, dtype=torch.uint8)
    masks = torch.ones(2, 20, 40, dtype=torch.uint8)
    drawn = [Draw(cutout=(0.25, 0.5, 0.5, 0.25)), Draw()]
    out, labels = apply(images, masks, drawn)
    # Rows 5 to 14 and columns 20 to 29.
    expected = torch.ones(20, 40, dtype=torch.uint8)
    expected[5:15, 20:30] = 255
    assert torch.equal(labels[0], expected)
    assert torch.equal(out[0, 0] == 127.5, expected == 255)
    assert (labels[1] == 1).all()
    assert (masks == 1).all()


def test_rectangles_stay_below_their_share() -> None:
    config = AugmentConfig(cutout=0.3)
    shares = []
    for index in range(300):
        cutout = draw(config, seed=0, epoch=0, index=index, size=(10, 10)).cutout
        assert cutout is not None
        top, left, height, width = cutout
        assert top >= 0
        assert left >= 0
        assert top + height <= 1 + 1e-9
        assert left + width <= 1 + 1e-9
        shares.append(height * width)
    assert max(shares) <= 0.3 + 1e-9
    assert np.mean(shares) == pytest.approx(0.15, abs=0.02)


def pairs(count: int) -> tuple[Tensor, Tensor]:
    """Pictures of one value each, with masks of four classes in stripes; the last stripe is ignored."""
    images = torch.zeros(count, 10, 10, 3, dtype=torch.uint8)
    masks = torch.zeros(count, 10, 10, dtype=torch.uint8)
    for n in range(count):
        images[n] = 10 * (n + 1)
        masks[n] = (torch.arange(10) // 2)[None, :] if n % 2 else (torch.arange(10) // 2)[:, None]
    masks[masks == 4] = 255
    return images, masks


def test_half_the_classes_of_the_neighbour_are_pasted_with_their_labels() -> None:
    images, masks = pairs(5)
    out, labels = augment(images, masks, range(5), config=AugmentConfig(mix=1.0), seed=0, epoch=0)
    for n in range(4):
        other = n ^ 1
        pasted = out[n, 0] == 10 * (other + 1)
        assert (out[n, 0][~pasted] == 10 * (n + 1)).all()
        chosen = masks[other][pasted].unique()
        assert len(chosen) == 2  # of four
        assert 255 not in chosen
        assert torch.equal(pasted, torch.isin(masks[other], chosen))
        assert torch.equal(labels[n], torch.where(pasted, masks[other], masks[n]))
    # The fifth has no neighbour.
    assert (out[4] == 50).all()
    assert torch.equal(labels[4], masks[4])


def test_other_classes_in_other_epochs_and_no_pasting_by_chance_of_half() -> None:
    images, masks = pairs(2)
    config = AugmentConfig(mix=0.5)
    results = set()
    for epoch in range(40):
        _, labels = augment(images, masks, [0, 1], config=config, seed=0, epoch=epoch)
        results.add(tuple(labels[0].flatten().tolist()))
    assert len(results) == 7  # six ways to choose two of four, and leaving it alone


def test_a_batch_cut_at_an_even_place_gives_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 50, 60, 3), generator=generator, dtype=torch.uint8)
    masks = torch.randint(0, 4, (8, 50, 60), generator=generator, dtype=torch.uint8)
    before = images.clone(), masks.clone()
    whole, labels = augment(images, masks, range(8), config=EVERYTHING, seed=0, epoch=0)
    for start, stop in ((0, 2), (2, 6), (6, 8)):
        part = slice(start, stop)
        out, ids = augment(images[part], masks[part], range(start, stop), config=EVERYTHING, seed=0, epoch=0)
        assert torch.equal(out, whole[part])
        assert torch.equal(ids, labels[part])
    assert torch.equal(images, before[0])
    assert torch.equal(masks, before[1])
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 255}
    assert whole.min() >= 0
    assert whole.max() <= 255


def test_what_is_switched_off_is_not_done() -> None:
    drawn = [draw(AugmentConfig(), seed=0, epoch=0, index=i, size=(10, 10)) for i in range(50)]
    assert set(drawn) == {Draw()}
    halves = [draw(EVERYTHING, seed=0, epoch=0, index=i, size=(60, 60)) for i in range(200)]
    assert 70 < sum(d.blur > 0 for d in halves) < 130
    assert 70 < sum(d.jpeg < 100 for d in halves) < 130
    assert min(d.jpeg for d in halves) >= 40
    assert max(d.blur for d in halves) <= 1.5
