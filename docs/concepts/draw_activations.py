"""Draws `docs/images/activations.png` and `vanishing.png`, and prints the figures of `activations.md`.

    python docs/concepts/draw_activations.py

The second picture is measured: plain stacks of layers of 128 units with each activation, weights as Glorot
and Bengio (2010) draw them, the mean square of the output as loss, 256 normal inputs, ten seeds, float64.
What is shown is the norm of the loss's gradient at the first layer's weights, divided by that at the last
layer's.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import torch
from torch import nn

from pixelwise.nn.activation import ACTIVATIONS, make_activation

IMAGES = Path(__file__).resolve().parents[1] / "images"
PALETTE = ("#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#e69f00")
COLOURS = dict(zip(ACTIVATIONS, PALETTE, strict=True))
WIDTH, PICTURES, SEEDS = 128, 256, 10
DEPTHS = (2, 4, 8, 12, 16, 24, 32)


def curves() -> None:
    """Each function above its derivative."""
    figure, axes = plt.subplots(2, len(ACTIVATIONS), figsize=(14, 4.2), sharex=True, layout="constrained")
    for (top, bottom), name in zip(axes.T, ACTIVATIONS, strict=True):
        x = torch.linspace(-8, 8, 1601, requires_grad=True)
        y = make_activation(name)(x * 1)  # some work in place, which a leaf must not be
        (slope,) = torch.autograd.grad(y.sum(), x)
        top.plot(x.detach(), y.detach(), color=COLOURS[name], linewidth=2)
        bottom.plot(x.detach(), slope, color=COLOURS[name], linewidth=2)
        top.set_title(name)
        top.set_ylim(-1.5, 7)
        bottom.set_ylim(-0.6, 1.6)
        for axis in (top, bottom):
            axis.axhline(0, color="#999999", linewidth=0.8)
            axis.axvline(0, color="#999999", linewidth=0.8)
            axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("value")
    axes[1, 0].set_ylabel("derivative")
    figure.savefig(IMAGES / "activations.png", dpi=110)


def ratio(name: str, depth: int, seed: int) -> float:
    """Gradient norm at the first layer over that at the last."""
    torch.manual_seed(seed)
    layers = [nn.Linear(WIDTH, WIDTH) for _ in range(depth)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    network = nn.Sequential(*(part for layer in layers for part in (layer, make_activation(name)))).double()
    network(torch.randn(PICTURES, WIDTH, dtype=torch.float64)).square().mean().backward()
    first, last = (layer.weight.grad for layer in (layers[0], layers[-1]))
    if first is None or last is None:
        raise RuntimeError("backward left a layer without a gradient")
    return float(first.norm() / last.norm())


def vanishing() -> None:
    """Depth against the gradient that arrives at the first layer."""
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    lines = ["| depth | " + " | ".join(ACTIVATIONS) + " |", "|---|" + "---|" * len(ACTIVATIONS)]
    found = {
        name: [[ratio(name, depth, seed) for seed in range(SEEDS)] for depth in DEPTHS]
        for name in ACTIVATIONS
    }
    for name, ratios in found.items():
        middle = [median(values) for values in ratios]
        axis.plot(DEPTHS, middle, color=COLOURS[name], marker="o", linewidth=2, label=name)
        axis.fill_between(
            DEPTHS,
            [min(v) for v in ratios],
            [max(v) for v in ratios],
            color=COLOURS[name],
            alpha=0.15,
            linewidth=0,
        )
    for row, depth in enumerate(DEPTHS):
        cells = [f"{median(found[name][row]):.2g}" for name in ACTIVATIONS]
        lines.append(f"| {depth} | " + " | ".join(cells) + " |")
    axis.set(yscale="log", xlabel="layers", ylabel="gradient at the first layer / at the last")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(IMAGES / "vanishing.png", dpi=110)
    print("\n".join(lines))


if __name__ == "__main__":
    curves()
    vanishing()
