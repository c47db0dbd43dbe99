"""Each input convention at black and white, and the frame around odd sizes."""

from __future__ import annotations

import pytest
import torch

from pixelwise.errors import ConfigError
from pixelwise.nn.frame import crop, full_precision, pad_to_multiple
from pixelwise.nn.normalise import Normalise


@pytest.mark.parametrize(
    ("convention", "black", "white"),
    [
        ("identity", [0.0, 0.0, 0.0], [255.0, 255.0, 255.0]),
        ("unit", [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
        ("symmetric", [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]),
        # -0.485 / 0.229 and (1 - 0.485) / 0.229, and so on
        ("imagenet", [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.6400]),
    ],
)
def test_conventions(convention: str, black: list[float], white: list[float]) -> None:
    layer = Normalise(convention)  # pyright: ignore[reportArgumentType]
    for value, expected in ((0, black), (255, white)):
        for dtype in (torch.uint8, torch.float32):
            got = layer(torch.full((1, 3, 1, 1), value, dtype=dtype))
            assert got.dtype == torch.float32
            torch.testing.assert_close(got.flatten(), torch.tensor(expected), rtol=0, atol=1e-4)
    assert not layer.state_dict()


def test_unknown_convention_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"identity, unit, symmetric, imagenet.*'zscore'"):
        Normalise("zscore")  # pyright: ignore[reportArgumentType]


def test_frame_repeats_the_border_below_and_right_only() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).view(1, 1, 3, 2)
    padded = pad_to_multiple(x, 4)
    expected = torch.tensor([[1.0, 2, 2, 2], [3, 4, 4, 4], [5, 6, 6, 6], [5, 6, 6, 6]])
    assert torch.equal(padded[0, 0], expected)
    assert torch.equal(crop(padded, 3, 2), x)
    assert pad_to_multiple(padded, 4) is padded


def test_logits_become_float32_unless_they_are_wider() -> None:
    assert full_precision(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert full_precision(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
