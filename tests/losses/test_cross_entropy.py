"""The cross-entropy, worked by hand and against the definition in float64."""

import math

import numpy as np
import pytest
import torch

from pixelwise.losses import cross_entropy


def logits_of(*pixels):
    """One row of pixels, each a list of K logits -> (1, K, 1, W)."""
    return torch.tensor(pixels, dtype=torch.float32).T[None, :, None, :].clone().requires_grad_()


def target_of(*ids):
    return torch.tensor([[ids]], dtype=torch.uint8)


def test_hand_worked():
    # Pixel 1: logits (0, 0), truth 0      -> -ln(1/2)  = ln 2
    # Pixel 2: logits (0, ln 3), truth 1   -> -ln(3/4)  = ln 4 - ln 3
    # Pixel 3: logits (9, -9), ignored     -> left out of sum and count
    logits = logits_of([0, 0], [0, math.log(3)], [9, -9])
    loss = cross_entropy(logits, target_of(0, 1, 255))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4) - math.log(3)) / 2, rel=1e-6)
    loss.backward()
    # Gradient = (softmax - one-hot) / 2 counted pixels.
    expected = torch.tensor([[-0.5, 0.25, 0.0], [0.5, -0.25, 0.0]]) / 2
    torch.testing.assert_close(logits.grad[0, :, 0], expected)


def test_hand_worked_weights():
    # Weights (1, 3): (1 * ln 2 + 3 * ln(4/3)) / (1 + 3), PyTorch's weighted mean.
    loss = cross_entropy(
        logits_of([0, 0], [0, math.log(3)], [9, -9]),
        target_of(0, 1, 255),
        class_weights=torch.tensor([1.0, 3.0]),
    )
    assert loss.item() == pytest.approx((math.log(2) + 3 * math.log(4 / 3)) / 4, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 7, 8, 21])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_the_definition(classes, memory_format, weighted):
    generator = np.random.default_rng(classes)
    values = generator.normal(0, 3, (2, classes, 5, 7))
    ids = generator.integers(0, classes, (2, 5, 7)).astype(np.uint8)
    ids[0, :2] = 255
    weights = generator.random(classes) if weighted else np.ones(classes)
    total = share = 0.0
    for n, y, x in np.argwhere(ids != 255):
        pixel = values[n, :, y, x]
        truth = ids[n, y, x]
        total += weights[truth] * (math.log(np.exp(pixel).sum()) - pixel[truth])
        share += weights[truth]
    logits = torch.from_numpy(values).float().contiguous(memory_format=memory_format).requires_grad_()
    class_weights = torch.from_numpy(weights) if weighted else None
    for target in (torch.from_numpy(ids), torch.from_numpy(ids).long()):
        loss = cross_entropy(logits, target, class_weights=class_weights)
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(total / share, rel=1e-5)
    loss.backward()
    assert logits.grad.permute(0, 2, 3, 1)[torch.from_numpy(ids == 255)].abs().max() == 0
    # The gradients of a pixel's logits sum to zero, because softmax does not see a common offset.
    torch.testing.assert_close(logits.grad.sum(1), torch.zeros(2, 5, 7), atol=1e-7, rtol=0)


@pytest.mark.parametrize("classes", [3, 12])
@pytest.mark.parametrize("weights", [None, "ones", "zero for what occurs"])
def test_a_batch_without_counted_pixels_costs_nothing(classes, weights):
    logits = torch.randn(2, classes, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.full((2, 4, 4), 255, dtype=torch.uint8)
    class_weights = None if weights is None else torch.ones(classes)
    if weights == "zero for what occurs":
        target[:] = 1
        class_weights[1] = 0
    loss = cross_entropy(logits, target, class_weights=class_weights)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_float32_inside_autocast():
    logits = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    target = torch.randint(0, 3, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    expected = cross_entropy(logits, target)
    with torch.autocast("cpu", torch.bfloat16):
        inside = cross_entropy(logits, target)
        half = cross_entropy(logits.bfloat16(), target)
    assert inside.item() == expected.item()
    assert half.dtype == torch.float32
    assert half.item() == cross_entropy(logits.bfloat16().float(), target).item()


def test_large_logits_don_t_overflow():
    loss = cross_entropy(logits_of([3e38, -3e38], [1e4, 1e4 - 2]), target_of(0, 0))
    # The first pixel is certain and right: 0. The second: ln(1 + e^-2).
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)) / 2, rel=1e-4)


def test_the_mean_is_exact_over_many_pixels():
    # 3.3 million equal losses: a running float32 sum would drift in the third digit.
    loss = cross_entropy(torch.zeros(2, 2, 1280, 1280), torch.zeros(2, 1280, 1280, dtype=torch.uint8))
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
