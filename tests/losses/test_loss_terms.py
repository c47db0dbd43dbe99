"""Each loss by hand on a few pixels, and what all of them promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from drawn_losses import CLASSES, draw_logits, draw_target
from pixelwise.errors import ConfigError
from pixelwise.losses import LOSSES, build_loss
from pixelwise.losses.lovasz import descending, jaccard_slopes

every_loss = pytest.mark.parametrize("name", LOSSES)
FIVE = math.log(5.0)


def value(expression: str, logits: Tensor, target: Tensor, weights: list[float] | None = None) -> float:
    class_weights = None if weights is None else torch.tensor(weights)
    return build_loss(expression, class_weights=class_weights)(logits, target).item()


def two_by_two() -> tuple[Tensor, Tensor]:
    """Two classes; the probabilities of class 1 are 0.5, 0.8, 0.2 and 0.5, the last pixel is ignored.

    sigmoid(ln 4) = 4/5 and sigmoid(-ln 4) = 1/5.
    """
    four = math.log(4.0)
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1] = torch.tensor([[0.0, four], [-four, 0.0]])
    return logits, torch.tensor([[[0, 1], [1, 255]]], dtype=torch.uint8)


def test_cross_entropy_with_smoothing_by_hand() -> None:
    # -ln p of the true class: ln 2, ln 1.25, ln 5. With smoothing 0.2, 0.9 of that and 0.1 of the other's.
    logits, target = two_by_two()
    plain = (math.log(2) + math.log(1.25) + FIVE) / 3
    smooth = (math.log(2) + 0.9 * math.log(1.25) + 0.1 * FIVE + 0.9 * FIVE + 0.1 * math.log(1.25)) / 3
    assert value("ce", logits, target) == pytest.approx(plain)
    assert value("ce(smoothing=0.2)", logits, target) == pytest.approx(smooth)
    assert value("ce", logits, target, [1, 3]) == pytest.approx(
        (math.log(2) + 3 * (math.log(1.25) + FIVE)) / 7
    )


def test_focal_by_hand() -> None:
    # (1 - p)^2 of 0.5, 0.8 and 0.2: 0.25, 0.04, 0.64.
    logits, target = two_by_two()
    terms = (0.25 * math.log(2), 0.04 * math.log(1.25), 0.64 * FIVE)
    assert value("focal", logits, target) == pytest.approx(sum(terms) / 3)
    assert value("focal(gamma=0)", logits, target) == pytest.approx(value("ce", logits, target))
    assert value("focal", logits, target, [1, 3]) == pytest.approx((terms[0] + 3 * (terms[1] + terms[2])) / 7)


def test_overlap_by_hand() -> None:
    # Class 0: true in pixel 1. TP 0.5, FP 0.2 + 0.8 = 1, FN 0.5.
    # Class 1: true in pixels 2 and 3. TP 1, FP 0.5, FN 0.2 + 0.8 = 1.
    logits, target = two_by_two()
    dice = (1 - 1 / (1 + 1.5), 1 - 2 / (2 + 1.5))
    jaccard = (1 - 0.5 / 2, 1 - 1 / 2.5)
    tversky = (1 - 0.5 / (0.5 + 0.3 + 0.35), 1 - 1 / (1 + 0.15 + 0.7))
    assert value("dice", logits, target) == pytest.approx(sum(dice) / 2)
    assert value("jaccard", logits, target) == pytest.approx(sum(jaccard) / 2)
    assert value("tversky", logits, target) == pytest.approx(sum(tversky) / 2)
    assert value("tversky(gamma=2)", logits, target) == pytest.approx(sum(t * t for t in tversky) / 2)
    assert value("dice", logits, target, [1, 3]) == pytest.approx((dice[0] + 3 * dice[1]) / 4)
    # A class without a true pixel is left out.
    target[0, 0, 0] = 255
    # Class 1 alone: TP 1, FP 0, FN 1.
    assert value("dice", logits, target) == pytest.approx(1 - 2 / 3)


def test_lovasz_by_hand() -> None:
    # Class 0 (true in pixel 1): errors 0.5, 0.2, 0.8; in falling order 0.8 (background), 0.5 (true),
    # 0.2 (background). Jaccard loss of the first i: 1 - 1/2, 1 - 0/2, 1 - 0/3 -> slopes 0.5, 0.5, 0.
    # Class 1 (pixels 2 and 3): errors 0.5, 0.2, 0.8; order 0.8 (true), 0.5 (background), 0.2 (true):
    # 1 - 1/2, 1 - 1/3, 1 - 0/3 -> slopes 1/2, 1/6, 1/3.
    logits, target = two_by_two()
    zero = 0.5 * 0.8 + 0.5 * 0.5
    one = 0.8 / 2 + 0.5 / 6 + 0.2 / 3
    assert value("lovasz", logits, target) == pytest.approx((zero + one) / 2)
    assert value("lovasz", logits, target, [1, 3]) == pytest.approx((zero + 3 * one) / 4)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_lovasz_of_hard_errors_is_the_jaccard_loss(pixels: list[tuple[bool, bool]]) -> None:
    is_true, errors = np.array(pixels).T
    is_true[0] = True
    slopes = jaccard_slopes(torch.from_numpy(errors).float(), torch.from_numpy(is_true))
    predicted = is_true ^ errors
    iou = (predicted & is_true).sum() / (predicted | is_true).sum()
    assert (slopes.numpy() * errors).sum() == pytest.approx(1 - iou, abs=1e-6)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1, width=32), max_size=30))
def test_descending_is_a_stable_sort_backwards(values: list[float]) -> None:
    expected = sorted(range(len(values)), key=lambda place: (values[place], place), reverse=True)
    assert descending(torch.tensor(values, dtype=torch.float32)).tolist() == expected


def test_ohem_by_hand() -> None:
    # Losses ln 2, ln 1.25 and ln 5: below 0.7 are the first and the third pixel.
    logits, target = two_by_two()
    assert value("ohem(share=0.1)", logits, target) == pytest.approx((math.log(2) + FIVE) / 2)
    # Two thirds of three pixels are two, all of them three, whatever the threshold.
    assert value("ohem(threshold=0.1, share=0.5)", logits, target) == pytest.approx((math.log(2) + FIVE) / 2)
    assert value("ohem(threshold=0, share=0.1)", logits, target) == pytest.approx(FIVE)
    assert value("ohem(share=1)", logits, target) == pytest.approx(value("ce", logits, target))
    assert value("ohem", logits, target, [1, 3]) == pytest.approx((math.log(2) + 3 * FIVE) / 4)


def test_boundary_by_hand() -> None:
    """One row of pixels and a hard prediction: boundaries are the last pixels before a class ends."""

    def row(ids: list[int]) -> Tensor:
        return torch.tensor([[ids]], dtype=torch.uint8)

    def hard(ids: list[int]) -> Tensor:
        return 200.0 * F.one_hot(torch.tensor([[ids]]), 2).permute(0, 3, 1, 2).float()

    truth = [0, 0, 0, 0, 1, 1, 1, 1]
    assert value("boundary", hard(truth), row(truth)) == pytest.approx(0, abs=1e-6)
    # Both boundaries shifted by two, which a window of 5 forgives and one of 3 does not.
    shifted = [0, 0, 0, 0, 0, 0, 1, 1]
    assert value("boundary", hard(shifted), row(truth)) == pytest.approx(0, abs=1e-6)
    assert value("boundary(tolerance=3)", hard(shifted), row(truth)) == pytest.approx(1, abs=1e-6)
    # A second boundary that is not there: precision 1/2 and recall 1 for both classes, F1 = 2/3.
    extra = [1, 0, 0, 0, 1, 1, 1, 1]
    assert value("boundary(tolerance=1)", hard(extra), row(truth)) == pytest.approx(1 / 3, abs=1e-6)
    # No boundary runs along ignored pixels, so there is none at all.
    assert value("boundary", hard(extra), row([0, 0, 255, 255, 255, 1, 1, 1])) == 0


def slow_boundary(logits: Tensor, target: Tensor, width: int, tolerance: int) -> float:
    """Window by window, pixel by pixel."""
    shares = logits.softmax(1).numpy()
    ids = target.numpy()
    losses = []
    for n in range(len(ids)):
        for k in range(shares.shape[1]):
            edges = []
            for inside in ((ids[n] == k).astype(float), shares[n, k]):
                outside = np.where(ids[n] == 255, 0.0, 1 - inside)
                edges.append(np.where(ids[n] == 255, 0.0, windowed(outside, width) - outside))
            true, found = edges
            if true.sum() == 0:
                continue
            precision = (found * windowed(true, tolerance)).sum() / found.sum()
            recall = (windowed(found, tolerance) * true).sum() / true.sum()
            losses.append(1 - 2 * precision * recall / (precision + recall))
    return float(np.mean(losses))


def windowed(values: np.ndarray, size: int) -> np.ndarray:
    half = size // 2
    height, width = values.shape
    rows = [
        [values[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1].max() for x in range(width)]
        for y in range(height)
    ]
    return np.array(rows)


@pytest.mark.parametrize(("width", "tolerance"), [(3, 5), (5, 3), (3, 1)])
def test_boundary_against_the_slow_version(width: int, tolerance: int) -> None:
    logits, target = draw_logits(), draw_target()
    expression = f"boundary(width={width}, tolerance={tolerance})"
    assert value(expression, logits, target) == pytest.approx(
        slow_boundary(logits, target, width, tolerance), rel=1e-5
    )


@every_loss
def test_gradients_are_slopes(name: str) -> None:
    """In float64 by central differences; the losses compute in float32, which bounds the digits."""
    logits, target = draw_logits().requires_grad_(), draw_target()
    loss = build_loss(name, class_weights=None)
    loss(logits, target).backward()
    assert logits.grad is not None
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = torch.randn(logits.shape, generator=generator)
        # Short where the loss has kinks, long where rounding would show.
        step = (0.005 if name == "boundary" else 0.02) / direction.norm()
        with torch.no_grad():
            there, back = (loss(logits + sign * step * direction, target).double() for sign in (1, -1))
        slope = (there - back).item() / (2 * step.item())
        assert slope == pytest.approx((logits.grad * direction).sum().item(), rel=0.05, abs=2e-4)


@every_loss
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 4.0])])
def test_ignored_pixels_have_no_say(name: str, weights: Tensor | None) -> None:
    logits, target = draw_logits(), draw_target()
    loss = build_loss(name, class_weights=weights)
    ignored = (target == 255)[:, None].expand_as(logits)
    changed = torch.where(
        ignored, torch.full_like(logits, 7.0) * torch.arange(CLASSES).view(1, -1, 1, 1), logits
    )
    changed.requires_grad_()
    result = loss(changed, target)
    assert result.item() == loss(logits, target).item()
    assert result.dtype == torch.float32
    result.backward()
    assert changed.grad is not None
    assert not changed.grad[ignored].any()
    assert changed.grad[~ignored].any()
    # uint8 masks, as they come, and half precision, as autocast hands it over
    assert loss(logits, target.to(torch.uint8)).item() == loss(logits, target).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        halved = loss(logits.bfloat16(), target)
    assert halved.dtype == torch.float32
    assert halved.item() == pytest.approx(loss(logits, target).item(), rel=0.05)


@every_loss
def test_nothing_counted_costs_nothing(name: str) -> None:
    for weights in (None, torch.ones(CLASSES)):
        logits = draw_logits().requires_grad_()
        loss = build_loss(name, class_weights=weights)(logits, torch.full_like(draw_target(), 255))
        loss.backward()
        assert loss.item() == 0
        assert logits.grad is not None
        assert not logits.grad.any()


@every_loss
def test_class_weights_balance_and_do_not_scale(name: str) -> None:
    logits, target = draw_logits(), draw_target()
    plain = value(name, logits, target)
    assert value(name, logits, target, [3.0] * CLASSES) == pytest.approx(plain, rel=1e-5)
    assert value(name, logits, target, [1, 1, 1, 20]) != pytest.approx(plain, rel=1e-3)


@every_loss
def test_being_right_is_cheap_and_being_wrong_is_dear(name: str) -> None:
    target = draw_target()
    right = 30.0 * F.one_hot(target.clamp(max=CLASSES - 1), CLASSES).permute(0, 3, 1, 2).float()
    assert value(name, right, target) == pytest.approx(0, abs=1e-4)
    assert value(name, right.roll(1, dims=1), target) > 0.2


@every_loss
def test_the_order_of_the_pictures_does_not_matter(name: str) -> None:
    logits, target = draw_logits(), draw_target()
    order = torch.tensor([2, 0, 1])
    assert value(name, logits[order], target[order]) == pytest.approx(value(name, logits, target), rel=1e-5)


def test_a_sum_is_the_sum() -> None:
    logits, target = draw_logits(), draw_target()
    parts = value("ce(smoothing=0.1)", logits, target) + 0.5 * value("dice", logits, target)
    assert value("ce(smoothing=0.1) + 0.5 * dice", logits, target) == pytest.approx(parts, rel=1e-6)
    assert [name for name, _, _ in build_loss("ce+2*lovasz", class_weights=None).terms] == ["ce", "lovasz"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("cross", "there is no loss 'cross': There are ce, focal, dice"),
        ("lovas", "there is no loss 'lovas': did you mean lovasz"),
        ("ce(gamma=2)", "the loss ce has no argument gamma; it has smoothing"),
        ("focal(gamma=high)", "the loss focal: gamma must be float, got 'high'"),
        ("focal(gamma=-1)", "focal's gamma must lie in 0..10, got -1"),
        ("ce(smoothing=1)", "ce's smoothing must lie in 0..1"),
        ("ohem(share=0)", "ohem's share must lie in 0..1"),
        ("ohem(threshold=1)", "ohem's threshold must lie in 0..1"),
        ("tversky(alpha=0, beta=0)", "alpha and beta must not both be 0"),
        ("boundary(width=4)", "boundary's width must be an odd number of pixels"),
        ("boundary(width=3.5)", "boundary: width must be int"),
    ],
)
def test_what_there_is_not(expression: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_loss(expression, class_weights=None)
