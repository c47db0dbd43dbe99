"""The losses against published implementations, whose results lie in tests/golden/losses.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from drawn_losses import CLASSES, draw_logits, draw_target
from pixelwise.losses import build_loss

PUBLISHED = json.loads((Path(__file__).parents[1] / "golden" / "losses.json").read_text())


@pytest.mark.parametrize("expression", PUBLISHED)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradient(expression: str, memory_format: torch.memory_format) -> None:
    expected = PUBLISHED[expression]
    target = draw_target()
    if not expected["ignored_pixels"]:
        target = target.clamp(max=CLASSES - 1)
    logits = draw_logits().to(memory_format=memory_format).requires_grad_()
    loss = build_loss(expression, class_weights=None)(logits, target.to(torch.uint8))
    loss.backward()
    assert loss.item() == pytest.approx(expected["value"], rel=1e-5)
    assert logits.grad is not None
    assert logits.grad.norm().item() == pytest.approx(expected["gradient_norm"], rel=1e-5)
    assert logits.grad[0, :, 3, 4].tolist() == pytest.approx(expected["gradient"], abs=2e-8)
