"""What queries learn: matching beside scipy's, the loss beside `transformers`' own, and what it promises."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from drawn_weights import draw_masks
from pixelwise.encoders.timm_package import load_timm
from pixelwise.errors import ConfigError
from pixelwise.losses import EXTRA_LOSSES, build_extra_loss
from pixelwise.losses.assignment import assign
from pixelwise.losses.mask_classification import MaskClassification, cells, mask_losses, matched
from pixelwise.nn.outputs import QUERY_CLASSES, QUERY_MASKS

CLASSES, QUERIES, BLOCKS = 3, 6, 2


def outputs(rows: int = 5, columns: int = 6, *, pictures: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    names = torch.randn(pictures, BLOCKS, CLASSES + 1, QUERIES, generator=generator)
    masks = 3 * torch.randn(pictures, BLOCKS, QUERIES, rows, columns, generator=generator)
    return {QUERY_CLASSES: names.requires_grad_(), QUERY_MASKS: masks.requires_grad_()}


def truth() -> Tensor:
    """Two pictures of 20 x 23, which 5 x 6 cells cover; some rows are ignored."""
    mask = torch.from_numpy(draw_masks(2, 20, 23, 3))
    mask[0, :3] = 255
    return mask


def loss(weights: Tensor | None = None, text: str = "mask_classification") -> Any:
    return build_extra_loss(text, class_weights=weights)


# ---------------------------------------------------------------------------------------- matching


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 12), st.booleans())
def test_nothing_is_cheaper_than_what_scipy_finds(seed: int, rows: int, more: int, ties: bool) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    random = np.random.default_rng(seed)
    shape = (rows, rows + more)
    costs = random.integers(0, 4, shape).astype(float) if ties else random.normal(size=shape)
    columns = assign(costs)
    assert len(set(columns.tolist())) == rows
    best = optimize.linear_sum_assignment(costs)
    assert costs[np.arange(rows), columns].sum() == pytest.approx(costs[best].sum())


def test_the_first_row_gives_way() -> None:
    # Each row's cheapest column is the first: 1 + 10 and 2 + 3 are the ways to share; then any + 7, any + 6.
    assert assign(np.array([[1.0, 3.0], [2.0, 10.0]])).tolist() == [1, 0]
    assert assign(np.array([[math.nan, 6.0], [math.inf, 7.0]])).tolist() == [1, 0]
    assert assign(np.zeros((0, 4))).tolist() == []
    with pytest.raises(ValueError, match="3 rows"):
        assign(np.zeros((3, 2)))


def test_where_queries_are_too_few_some_classes_go_without() -> None:
    costs = torch.tensor([[[5.0], [1.0], [3.0]]])  # three classes, one query
    queries, rows = matched(costs)
    assert (queries.tolist(), rows.tolist()) == ([[0]], [[1]])


# -------------------------------------------------------------------------------------- the losses


def test_cells_by_hand() -> None:
    """A picture of 4 x 6 in two cells: the second one's last two columns are not there."""
    target = torch.full((4, 6), 7, dtype=torch.uint8)
    target[0, 0] = 255
    target[:, 4] = 2
    ids, areas, counted = cells(target, (1, 2))
    assert ids.tolist() == [2, 7]
    assert areas.tolist() == [[0, 4 / 16], [15 / 16, 4 / 16]]
    assert counted.tolist() == [15 / 16, 8 / 16]


def test_mask_losses_by_hand() -> None:
    """Two cells, the second one half ignored; probabilities 0.8 and 0.5; the class is all of the first."""
    masks = torch.tensor([[math.log(4.0), 0.0]])
    entropy, dice = mask_losses(masks, torch.tensor([[1.0, 0.0]]), torch.tensor([1.0, 0.5]))
    assert entropy.item() == pytest.approx((-math.log(0.8) - 0.5 * math.log(0.5)) / 1.5)
    assert dice.item() == pytest.approx(1 - (2 * 0.8 + 1) / (1 + 0.8 + 0.25 + 1))


def test_transformers_loss_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """At all places instead of drawn ones, for pictures of as many classes, whose cells are whole."""
    transformers = pytest.importorskip(
        "transformers", reason="the reference needs transformers (extra [dev])"
    )
    pytest.importorskip("scipy")
    if not hasattr(transformers, "EomtConfig"):
        pytest.skip("this transformers has no EoMT")
    load_timm()  # its module imports torchvision, which this makes importable
    from transformers.models.eomt import modeling_eomt

    rows, columns = 5, 6
    config = transformers.EomtConfig(num_labels=CLASSES, train_num_points=rows * columns)
    factors = {"loss_cross_entropy": 2.0, "loss_mask": 5.0, "loss_dice": 5.0}
    criterion = cast("Any", modeling_eomt.EomtLoss(config, factors))
    y, x = torch.meshgrid(
        (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij"
    )
    places = torch.stack([x, y], dim=-1).view(1, -1, 2)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: places)  # the matcher's
    monkeypatch.setattr(
        criterion, "sample_points_using_uncertainty", lambda logits, *_: places.expand(len(logits), -1, -1)
    )
    generator = torch.Generator().manual_seed(2)
    target = torch.randint(0, 3, (2, rows, columns), generator=generator)
    ids = [torch.arange(3), torch.arange(3)]
    labels = [(one == torch.arange(3).view(-1, 1, 1)).float() for one in target]
    given, expected = outputs(rows, columns), torch.zeros(())
    for block in range(BLOCKS):
        parts = criterion(
            given[QUERY_MASKS][:, block], given[QUERY_CLASSES][:, block].transpose(1, 2), labels, ids, None
        )
        expected = expected + sum(factors[name] * part for name, part in parts.items())
    pixels = target.repeat_interleave(4, 1).repeat_interleave(4, 2).byte()
    found = loss()(given, pixels)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(value, list(given.values())) for value in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_class_weights_and_no_object_by_hand() -> None:
    """One block, one cell, two queries sure of class 0 and of none; all of the picture is class 0."""
    names = torch.tensor([[[[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]]]])  # (1, 1, K + 1, Q)
    masks = torch.tensor([math.log(4.0), 0.0]).view(1, 1, 2, 1, 1)
    target = torch.zeros(1, 4, 4, dtype=torch.uint8)
    found = loss(torch.tensor([3.0, 1.0]))({QUERY_CLASSES: names, QUERY_MASKS: masks}, target)
    first = math.log(math.e**2 + 2) - 2
    second = math.log(2 + math.e) - 1
    # In the mean over masks the only class's weight has no say.
    mask = 5 * -math.log(0.8) + 5 * (1 - (2 * 0.8 + 1) / (1.8 + 1))
    assert found.item() == pytest.approx(2 * (3 * first + 0.1 * second) / 3.1 + mask, rel=1e-5)


# ----------------------------------------------------------------------------------- what it promises


def test_ignored_pixels_add_nothing() -> None:
    mask, one, other = truth(), outputs(), outputs()
    mask[0, :4] = 255  # a row of cells
    with torch.no_grad():
        other[QUERY_MASKS][0, :, :, 0] += 100
    assert loss()(one, mask).item() == pytest.approx(loss()(other, mask).item())
    loss()(one, mask).backward()
    gradient = one[QUERY_MASKS].grad
    assert gradient is not None
    assert not gradient[0, :, :, 0].any()
    assert gradient[0, :, :, 1:].any()
    assert gradient[1].any()


def test_nothing_counted_costs_nothing_and_has_a_gradient_of_zeros() -> None:
    given = outputs()
    value = loss()(given, torch.full_like(truth(), 255))
    value.backward()
    assert value.item() == 0
    for name in loss().teaches:
        gradient = given[name].grad
        assert gradient is not None
        assert not gradient.any()


def test_a_batch_is_its_pictures_each_by_its_counted_pixels() -> None:
    given, mask = outputs(), truth()
    alone = [loss()({k: t[i : i + 1] for k, t in given.items()}, mask[i : i + 1]).item() for i in (0, 1)]
    counted = (mask != 255).sum((1, 2)).tolist()
    mean = (alone[0] * counted[0] + alone[1] * counted[1]) / sum(counted)
    assert loss()(given, mask).item() == pytest.approx(mean)
    assert alone[0] != pytest.approx(alone[1], rel=1e-3)


def test_half_precision_is_computed_in_float32() -> None:
    given = {key: tensor.detach().bfloat16() for key, tensor in outputs().items()}
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(torch.tensor([1.0, 2.0, 0.5]))(given, truth())
    assert found.dtype == torch.float32
    expected = loss(torch.tensor([1.0, 2.0, 0.5]))({k: t.float() for k, t in given.items()}, truth())
    assert found.item() == expected.item()


def test_its_parameters() -> None:
    assert EXTRA_LOSSES["mask_classification"] is MaskClassification
    with pytest.raises(ConfigError, match="mask_classification's dice must lie in"):
        build_extra_loss("mask_classification(dice=0)", class_weights=None)
    less = loss(text="mask_classification(classes=1, mask=2.5, dice=2.5)")(outputs(), truth())
    assert less.item() == pytest.approx(loss()(outputs(), truth()).item() / 2)
