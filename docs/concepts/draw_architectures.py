"""Draws `docs/images/architecture-NAME.png` for every network, from the shapes that it produces.

    python docs/concepts/draw_architectures.py

Each box is a map: its height the map's side on a logarithmic scale, its width the number of channels
likewise. What is drawn is traced with a 256x256 picture through the modules named in `STAGES`; arrows above
the boxes are connections beside the main path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor, nn

from pixelwise.models import MODELS, build_model

IMAGES = Path(__file__).resolve().parents[1] / "images"
SIZE, CLASSES = 256, 21


@dataclass(frozen=True)
class Drawing:
    """Which modules' outputs are boxes, in order, and which boxes are joined beside the main path.

    Attributes:
        boxes: (module, label); the part of the network before the first dot decides the colour.
        skips: (from, to): places in `boxes`.
        joined: What a skip does at its end.
    """

    boxes: tuple[tuple[str, str], ...]
    skips: tuple[tuple[int, int], ...] = ()
    joined: str = "added"


@dataclass(frozen=True)
class Branches:
    """A network of several paths side by side.

    Attributes:
        boxes: (module, label, column, row); row 0 is the middle, 1 above it.
        arrows: (from, to): places in `boxes`.
        names: (column, row, name of the branch), written before that column.
    """

    boxes: tuple[tuple[str, str, float, int], ...]
    arrows: tuple[tuple[int, int], ...]
    names: tuple[tuple[int, int, str], ...]


def blocks(path: str, places: tuple[int, ...], label: str) -> tuple[tuple[str, str], ...]:
    """Several places of one module list under one label."""
    return tuple((f"{path}.{i}", label) for i in places)


FCN = (
    *blocks("encoder.blocks", (0, 1, 2, 3, 4), "VGG16"),
    ("classifier", "fc6, fc7"),
    ("score", "scores"),
)
SEGFORMER = Drawing(
    (
        *blocks("encoder.layers", (0, 1, 2, 3), "Mix Transformer"),
        ("fuse", "linear, enlarged, fused"),
        ("head", "scores"),
    ),
    ((2, 4), (1, 4), (0, 4)),
    "linear, enlarged, concatenated",
)
EOMT = Branches(
    (
        ("encoder.patch_embed.proj", "patches", 0, 0),
        ("encoder.blocks.0", "tokens: block 1", 1.2, 0),
        ("encoder.blocks.8", "block 9", 2.4, 0),
        ("encoder.blocks.9", "block 10, with queries", 3.8, 0),
        ("encoder.blocks.11", "block 12", 5.2, 0),
        ("upscale.0", "patches x2", 6.4, 1),
        ("upscale.1", "patches x4", 7.6, 1),
        ("mask_head.2", "masks of queries", 6.8, 0),
        ("class_head", "classes of queries", 6.4, -1),
    ),
    ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (4, 7), (4, 8)),
    (),
)
RESNET = (("encoder.stem", "stem"), *blocks("encoder.layers", (0, 1, 2, 3), "ResNet-18"))
STAGES: dict[str, Drawing | Branches] = {
    "unet-xception": Drawing(
        (
            ("stem.relu", "stem"),
            *((f"encoder.{i}.add", "separable") for i in range(3)),
            *((f"decoder.{i}.add", "transposed") for i in range(4)),
            ("head", "scores"),
        ),
        ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)),
        "residual, added",
    ),
    "mobilenet-segnet": Drawing(
        (
            ("encoder.stem", "stem"),
            *((f"encoder.blocks.{i}", f"f{n}") for n, i in enumerate((0, 2, 4, 10), start=1)),
            ("first_bn", "conv"),
            *((f"decoder.{i}.bn", "up, conv") for i in range(3)),
            ("head", "scores"),
        )
    ),
    "segnet": Drawing(
        (
            *blocks("encoder.blocks", (0, 1, 2, 3, 4), "VGG16-BN"),
            *blocks("stages", (0, 1, 2, 3), "unpool, conv"),
            ("last", "unpool, conv"),
            ("head", "scores"),
        ),
        ((4, 5), (3, 6), (2, 7), (1, 8), (0, 9)),
        "positions of the maxima",
    ),
    "fcn-32s": Drawing((*FCN, ("last_up", "x32"))),
    "fcn-16s": Drawing((*FCN, ("ups.0", "x2"), ("last_up", "x16")), ((3, 7),)),
    "fcn-8s": Drawing((*FCN, ("ups.0", "x2"), ("ups.1", "x2"), ("last_up", "x8")), ((3, 7), (2, 8))),
    "unet": Drawing(
        (
            *blocks("encoder.blocks", (0, 1, 2, 3, 4), "two convs"),
            *blocks("ups", (0, 1, 2, 3), "up, join, two convs"),
            ("head", "scores"),
        ),
        ((3, 5), (2, 6), (1, 7), (0, 8)),
        "concatenated",
    ),
    "deeplabv3plus": Drawing(
        (
            ("encoder.stem", "stem"),
            *blocks("encoder.blocks", (2, 5, 12, 16), "MobileNetV2"),
            ("aspp", "ASPP"),
            ("up", "x2"),
            *blocks("refine", (0, 1), "separable"),
            ("head", "scores"),
        ),
        ((1, 7),),
        "48 channels, concatenated",
    ),
    "fpn": Drawing(
        (
            *RESNET,
            *blocks("pyramid.outputs", (3, 2, 1, 0), "pyramid"),
            ("levels.0", "sum of levels"),
            ("head", "scores"),
        ),
        ((3, 6), (2, 7), (1, 8), (5, 9), (6, 9), (7, 9)),
    ),
    "upernet": Drawing(
        (
            *RESNET,
            ("pooling", "pooled 1, 2, 3, 6"),
            *blocks("pyramid.outputs", (2, 1, 0), "pyramid"),
            ("join", "joined levels"),
            ("head", "scores"),
        ),
        ((3, 6), (2, 7), (1, 8), (5, 9), (6, 9), (7, 9)),
        "added in the pyramid, concatenated where joined",
    ),
    "lraspp": Drawing(
        (
            ("encoder.stem", "stem"),
            *blocks("encoder.blocks", (1, 3, 6), "MobileNetV3"),
            ("encoder.last", "1x1"),
            ("pixel", "1x1, gated"),
            ("up", "x2"),
            ("high", "scores"),
        ),
        ((2, 7),),
        "scores of stride 8, added",
    ),
    "pidnet-s": Branches(
        (
            ("encoder.stem", "stem", 0, 0),
            *((f"encoder.integral.{i}", "residual", i + 1, 0) for i in range(5)),
            ("encoder.pyramid", "PAPPM", 6, 0),
            *((f"encoder.proportional.{i}", "residual", i + 3, 1) for i in range(3)),
            *((f"encoder.derivative.{i}", "residual", i + 3, -1) for i in range(3)),
            ("fuse", "Bag", 7, 0),
            ("head", "scores", 8, 0),
        ),
        (
            *((i, i + 1) for i in range(6)),
            *((2, first) for first in (7, 10)),
            *((3 + i, 8 + i) for i in range(2)),
            *((3 + i, 11 + i) for i in range(2)),
            *((7, 8), (8, 9), (9, 13), (10, 11), (11, 12), (12, 13), (6, 13), (13, 14)),
        ),
        ((3, 1, "P: details (Pag)"), (3, -1, "D: boundaries")),
    ),
    "eomt-s": EOMT,
    "eomt-b": EOMT,
    "segformer-b0": SEGFORMER,
    "segformer-b1": SEGFORMER,
    "segformer-b2": SEGFORMER,
}
COLOURS = {
    "encoder": "#9ecae1",
    "stem": "#9ecae1",
    "head": "#fdd0a2",
    "score": "#fdd0a2",
    "last_up": "#fdd0a2",
}
DECODER = "#a1d99b"


def shapes(name: str, modules: list[str]) -> list[tuple[int, float, str]]:
    """Each module's output: channels, side and how that is written; a list of tokens is a square of them."""
    with torch.device("meta"):
        network = build_model(name, num_classes=CLASSES).eval()
        picture = torch.empty(1, 3, SIZE, SIZE)
    found: dict[str, tuple[int, float, str]] = {}

    def watch(path: str) -> None:
        def keep(_module: nn.Module, _given: object, output: Tensor) -> None:
            channels, rows, columns = output.shape[1:]
            side = rows if rows == columns else math.sqrt(columns)
            found[path] = (channels, side, f"{rows}²" if rows == columns else str(columns))

        network.get_submodule(path).register_forward_hook(keep)

    for path in modules:
        watch(path)
    forward = getattr(network, "forward_published", network)
    with torch.no_grad():
        forward(picture)
    return [found[path] for path in modules]


def draw(name: str, drawing: Drawing, axis: Axes) -> None:
    """One network on an axis of its own."""
    at: list[tuple[float, float, float, float]] = []  # left, bottom, width, height
    x = 0.0
    for (path, label), (channels, side, text) in zip(
        drawing.boxes, shapes(name, [path for path, _ in drawing.boxes]), strict=True
    ):
        width, height = 0.16 * math.log2(channels + 1), 0.42 * math.log2(side)
        axis.add_patch(
            Rectangle(
                (x, -height / 2),
                width,
                height,
                facecolor=COLOURS.get(path.split(".")[0], DECODER),
                edgecolor="#555555",
            )
        )
        axis.text(x + width / 2, height / 2 + 0.1, f"{channels}", ha="center", va="bottom", fontsize=9)
        axis.text(x + width / 2, 0, text, ha="center", va="center", fontsize=7.5, rotation=90)
        axis.text(
            x + width / 2,
            -2.05,
            label,
            ha="center",
            va="top",
            fontsize=7,
            rotation=30,
            rotation_mode="anchor",
        )
        at.append((x, -height / 2, width, height))
        x += width + 0.42
    for (left, _, width, _), (right, *_) in pairwise(at):
        axis.add_patch(FancyArrowPatch((left + width, 0), (right, 0), arrowstyle="-|>", mutation_scale=9))
    for number, (start, end) in enumerate(drawing.skips):
        a, b, span = at[start], at[end], end - start
        bend = 0.6 if span == 1 else 0.25 if span < 7 else 0.19
        heights = a[3] / 2, b[3] / 2
        axis.add_patch(
            FancyArrowPatch(
                (a[0] + a[2] / 2, heights[0] + 0.42),
                (b[0] + b[2] / 2, heights[1] + 0.42),
                connectionstyle=f"arc3,rad={-bend}",
                arrowstyle="-|>",
                mutation_scale=9,
                color="#d55e00",
                label=drawing.joined if number == 0 else None,
            )
        )
    if drawing.skips:
        axis.text(x, 3.8, drawing.joined, color="#d55e00", ha="right", fontsize=9)
    axis.set(xlim=(-0.4, x), ylim=(-3.3, 4.1))
    axis.set_title(f"{name}: channels above the maps, sides for a {SIZE}x{SIZE} picture inside", fontsize=10)
    axis.set_axis_off()


def draw_branches(name: str, drawing: Branches, axis: Axes) -> None:
    """One network of several paths on an axis of its own."""
    at: list[tuple[float, float, float, float]] = []  # left, middle, width, height
    found = shapes(name, [path for path, *_ in drawing.boxes])
    for (path, label, column, row), (channels, side, text) in zip(drawing.boxes, found, strict=True):
        width, height = 0.1 * math.log2(channels + 1), 0.2 * math.log2(side)
        x, y = 1.55 * column, 2.2 * row
        colour = COLOURS.get(path.split(".")[0], DECODER)
        axis.add_patch(Rectangle((x, y - height / 2), width, height, facecolor=colour, edgecolor="#555555"))
        axis.text(x + width / 2, y + height / 2 + 0.06, f"{channels}", ha="center", va="bottom", fontsize=9)
        axis.text(x + width / 2, y, text, ha="center", va="center", fontsize=7.5, rotation=90)
        axis.text(x + width / 2, y - height / 2 - 0.08, label, ha="center", va="top", fontsize=7)
        at.append((x, y, width, height))
    for start, end in drawing.arrows:
        (a, b, width, _), (c, d, *_) = at[start], at[end]
        across = b != d
        axis.add_patch(
            FancyArrowPatch(
                (a + width, b),
                (c, d),
                arrowstyle="-|>",
                mutation_scale=9,
                color="#d55e00" if across else "black",
            )
        )
    for column, row, text in drawing.names:
        axis.text(1.55 * column - 0.4, 2.2 * row, text, ha="right", va="center", fontsize=9)
    axis.set(xlim=(-0.4, 1.55 * 9), ylim=(-3.3, 3.5))
    axis.set_title(f"{name}: channels above the maps, sides for a {SIZE}x{SIZE} picture inside", fontsize=10)
    axis.set_axis_off()


def main() -> None:
    """A picture for each network."""
    if set(STAGES) != set(MODELS):
        raise SystemExit(f"drawn are {sorted(STAGES)}, but there are {sorted(MODELS)}")
    for name, drawing in STAGES.items():
        figure, axis = plt.subplots(figsize=(9, 3.4), layout="constrained")
        if isinstance(drawing, Branches):
            draw_branches(name, drawing, axis)
        else:
            draw(name, drawing, axis)
        figure.savefig(IMAGES / f"architecture-{name}.png", dpi=100)
        plt.close(figure)


if __name__ == "__main__":
    main()
