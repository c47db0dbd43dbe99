"""What PIDNet's boundary head learns and teaches: edges and both losses by hand, and what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from drawn_weights import draw_masks
from pixelwise.errors import ConfigError
from pixelwise.losses import build_extra_loss, build_loss
from pixelwise.losses.edge import edges
from pixelwise.nn.outputs import BOUNDARY, LOGITS

EDGE_LOSSES = ("edge", "edge_ce")
every_loss = pytest.mark.parametrize("name", EDGE_LOSSES)


def outputs() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits, boundary = (torch.randn(2, channels, 20, 23, generator=generator) for channels in (3, 1))
    return {LOGITS: logits.requires_grad_(), BOUNDARY: (3 * boundary).requires_grad_()}


def masks() -> Tensor:
    mask = torch.from_numpy(draw_masks(2, 20, 23, 3))
    mask[0, :3] = 255
    return mask


def test_an_edge_is_as_wide_on_both_sides() -> None:
    row = torch.tensor([[[0, 0, 0, 0, 1, 1, 1, 1, 1]]], dtype=torch.uint8)
    assert edges(row, 2).int().tolist() == [[[0, 0, 0, 1, 1, 0, 0, 0, 0]]]
    assert edges(row, 4).int().tolist() == [[[0, 0, 1, 1, 1, 1, 0, 0, 0]]]
    assert torch.equal(edges(row.transpose(1, 2), 4), edges(row, 4).transpose(1, 2))


def test_no_edge_runs_along_what_is_ignored() -> None:
    row = torch.tensor([[[0, 0, 255, 0, 255, 255, 1, 1, 1, 0]]], dtype=torch.uint8)
    # Across one ignored pixel nothing changes; across two, 0 and 1 are 3 pixels apart, so width 4 sees none.
    assert edges(row, 4).int().tolist() == [[[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]]]
    assert edges(row, 6).int().tolist() == [[[0, 0, 0, 1, 0, 0, 1, 1, 1, 1]]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 6]), st.integers(1, 9), st.integers(1, 9))
def test_edges_pixel_by_pixel(seed: int, width: int, height: int, length: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.choice([0, 1, 5, 254, 255], (1, height, length)).astype(np.uint8)
    found, half = edges(torch.from_numpy(mask), width).numpy(), width // 2
    for y, x in np.ndindex(height, length):
        window = mask[0, max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
        own = mask[0, y, x]
        assert found[0, y, x] == (own != 255 and bool(np.any((window != own) & (window != 255))))


def test_edge_by_hand() -> None:
    # Two edge pixels of five counted ones: those weigh 3/5, the other three 2/5. Scores are ln 4, -ln 4 or 0:
    # probabilities 0.8, 0.2, 0.5. Edges: -ln 0.8, -ln 0.5; the rest: -ln(1 - 0.2), -ln 0.5, -ln(1 - 0.8).
    target = torch.tensor([[[0, 0, 1, 1, 1, 255]]], dtype=torch.uint8)
    four = math.log(4.0)
    scores = torch.tensor([[[[-four, four, 0.0, 0.0, four, 9.0]]]])
    expected = (0.6 * (math.log(1.25) + math.log(2)) + 0.4 * (math.log(1.25) + math.log(2) + math.log(5))) / 5
    found = build_extra_loss("edge(width=2)", class_weights=None)({BOUNDARY: scores}, target)
    assert found.item() == pytest.approx(expected)


def test_edge_ce_by_hand() -> None:
    # The head sees an edge at the first two pixels (0.9 and 0.85 > 0.8); the second is ignored in the mask.
    target = torch.tensor([[[1, 255, 0]]], dtype=torch.uint8)
    scores = torch.logit(torch.tensor([[[[0.9, 0.85, 0.79]]]]))
    logits = torch.tensor([[[[0.0, 0.0, 5.0]], [[math.log(4.0), 0.0, 0.0]]]])
    given = {LOGITS: logits, BOUNDARY: scores}
    assert build_extra_loss("edge_ce", class_weights=None)(given, target).item() == pytest.approx(
        math.log(1.25)
    )
    # From 0.7 on the third counts too: its true class has 1 / (1 + exp(-5)).
    both = (math.log(1.25) + math.log1p(math.exp(-5))) / 2
    lower = build_extra_loss("edge_ce(threshold=0.7)", class_weights=None)
    assert lower(given, target).item() == pytest.approx(both)


@every_loss
def test_ignored_pixels_add_nothing(name: str) -> None:
    loss, mask = build_extra_loss(name, class_weights=None), masks()
    one, other = outputs(), outputs()
    with torch.no_grad():
        for key in other:
            other[key][0, :, :3] += 100
    assert loss(one, mask).item() == loss(other, mask).item()
    loss(one, mask).backward()
    for key in (LOGITS, BOUNDARY):
        gradient = one[key].grad
        assert (gradient is not None) == (key in loss.teaches)
        if gradient is not None:
            assert not gradient[0, :, :3].any()
            assert gradient[1].any()


@every_loss
def test_nothing_counted_costs_nothing_and_has_a_gradient_of_zeros(name: str) -> None:
    loss, given, mask = build_extra_loss(name, class_weights=None), outputs(), masks()
    value = loss(given, torch.full_like(mask, 255))
    value.backward()
    assert value.item() == 0
    (taught,) = loss.teaches
    gradient = given[taught].grad
    assert gradient is not None
    assert not gradient.any()


def test_a_picture_without_edges_costs_nothing() -> None:
    loss, given = build_extra_loss("edge", class_weights=None), outputs()
    assert loss(given, torch.zeros_like(masks())).item() == 0


def test_edge_of_a_batch_is_that_of_its_pictures() -> None:
    """So pieces of a batch, and ranks, add up to it: each picture counts by its counted pixels."""
    loss, given, mask = build_extra_loss("edge", class_weights=None), outputs(), masks()
    alone = [loss({k: t[i : i + 1] for k, t in given.items()}, mask[i : i + 1]).item() for i in range(2)]
    counted = (mask != 255).sum((1, 2)).tolist()
    mean = (alone[0] * counted[0] + alone[1] * counted[1]) / sum(counted)
    assert loss(given, mask).item() == pytest.approx(mean)
    assert alone[0] != pytest.approx(alone[1], rel=1e-3)


@every_loss
def test_half_precision_is_computed_in_float32(name: str) -> None:
    loss, mask = build_extra_loss(name, class_weights=torch.tensor([1.0, 2.0, 0.5])), masks()
    given = {key: tensor.detach().bfloat16() for key, tensor in outputs().items()}
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(given, mask)
    assert found.dtype == torch.float32
    assert found.item() == loss({key: tensor.float() for key, tensor in given.items()}, mask).item()


def test_a_sum_of_both() -> None:
    given, mask = outputs(), masks()
    parts = {n: build_extra_loss(n, class_weights=None)(given, mask).item() for n in EDGE_LOSSES}
    whole = build_extra_loss("20*edge + edge_ce", class_weights=None)
    assert whole(given, mask).item() == pytest.approx(20 * parts["edge"] + parts["edge_ce"])
    assert whole.reads == {LOGITS, BOUNDARY}
    assert whole.teaches == {LOGITS, BOUNDARY}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("edge(width=3)", "edge's width must be an even number of pixels up to 98, got 3"),
        ("edge_ce(threshold=1)", "edge_ce's threshold must lie in 0..1, got 1"),
        ("edg", "there is no loss 'edg': did you mean edge"),
        ("ce", "the loss ce reads the network's logits: give it with --loss"),
    ],
)
def test_wrong_expressions(expression: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_extra_loss(expression, class_weights=None)
    with pytest.raises(ConfigError, match="edge reads a head that only training has: give it with --extra"):
        build_loss("ce + edge", class_weights=None)
