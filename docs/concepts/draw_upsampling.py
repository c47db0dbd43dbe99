"""Draws `docs/images/upsampling.png`: each way from a 2x2 map to a 4x4 one, by the library's own layers.

python docs/concepts/draw_upsampling.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from pixelwise.nn.resample import TransposedConv2d, UnpoolIndices, make_upsampling

IMAGES = Path(__file__).resolve().parents[1] / "images"
SMALL = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
LARGE = torch.tensor([[5.0, 1, 2, 8], [0, 2, 3, 1], [1, 0, 0, 0], [4, 9, 0, 7]])


def grid(axis: Axes, values: Tensor, title: str) -> None:
    """A map as coloured squares with their numbers."""
    axis.imshow(values, cmap="YlGnBu", vmin=0, vmax=max(5.0, float(values.max())))
    for (row, column), value in (
        (tuple(p), float(values[tuple(p)])) for p in values.ge(-1).nonzero().tolist()
    ):
        dark = value > 0.6 * max(5.0, float(values.max()))
        text = f"{value:.4g}" if abs(value) < 10 else f"{value:.0f}"
        size = 9 if len(text) > 3 else 12
        axis.text(
            column, row, text, ha="center", va="center", fontsize=size, color="white" if dark else "black"
        )
    axis.set_title(title, fontsize=10)
    axis.set_xticks([])
    axis.set_yticks([])


def main() -> None:
    """One panel for the small map, one for the pooled one, one for each way."""
    figure, axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
    x = SMALL[None, None]
    _, indices = F.max_pool2d(LARGE[None, None], 2, return_indices=True)
    with torch.no_grad():
        ways = {
            "nearest = unpool-repeat": make_upsampling("nearest", 1)(x),
            "bilinear": make_upsampling("bilinear", 1)(x),
            "unpool-corner": make_upsampling("unpool-corner", 1)(x),
            "unpool-indices": UnpoolIndices()(x, indices),
            "transposed, as it begins": TransposedConv2d(1, 2)(x),
        }
    grid(axes[0, 0], SMALL, "the map")
    grid(axes[0, 1], LARGE, "what max-pooling had seen\n(for unpool-indices)")
    for axis, (title, values) in zip(axes.flat[2:], ways.items(), strict=False):
        grid(axis, values[0, 0], title)
    grid(axes[1, 3], TransposedConv2d(1, 2).weight[0, 0].detach(), "the transposed kernel,\nbefore it learns")
    figure.savefig(IMAGES / "upsampling.png", dpi=110)


if __name__ == "__main__":
    main()
