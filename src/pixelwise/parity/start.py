"""Where an export begins to differ: layer by layer beside the network's graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pixelwise.graph import Graph
from pixelwise.graph.run import values
from pixelwise.header import Precision


@dataclass(frozen=True)
class Start:
    """The layer where most of a difference is made.

    Attributes:
        layer: Its path in the network.
        operation: What it does.
        before: Relative error of what it reads, root mean square.
        after: Of what it answers.
    """

    layer: str
    operation: str
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"{self.layer} ({self.operation}): the relative error grows from {self.before:.2g} to "
            f"{self.after:.2g} there"
        )


ROUNDING: dict[Precision, float] = {"float32": 1e-5, "half": 1e-2, "int8": 5e-2}
"""The relative error that any layer has by rounding alone, about."""


def start(
    graph: Graph,
    image: npt.NDArray[np.uint8],
    found: Mapping[str, npt.NDArray[np.floating]],
    precision: Precision,
) -> Start | None:
    """The operation that multiplies the error of what it reads, or rounding's, by the most.

    Args:
        graph: What was exported, in float32.
        image: `(h, w, 3) uint8` RGB as the network gets it.
        found: Values of the export for this picture by their names in the graph; those that it lacks, because
            a runtime fused them with others, have the error of what they read.
        precision: Of the export.

    Returns:
        None where the export has none of the values.
    """
    with torch.inference_mode():
        expected = values(graph, torch.from_numpy(np.stack([image])).permute(0, 3, 1, 2).float())
    errors: dict[str, float] = {}
    best: tuple[float, Start] | None = None
    for node in graph.nodes:
        read = max((errors.get(name, 0.0) for name in node.inputs), default=0.0)
        if node.output not in found:
            errors[node.output] = read
            continue
        off = _relative(found[node.output], expected[node.output].numpy())
        errors[node.output] = off
        made = Start(node.layer or node.output, type(node.op).__name__, read, off)
        growth = off / max(read, ROUNDING[precision])
        if best is None or growth > best[0]:
            best = (growth, made)
    return None if best is None else best[1]


def _relative(found: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]) -> float:
    scale = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64))))
    error = float(np.sqrt(np.mean(np.square(found.astype(np.float64) - expected))))
    return error / scale if scale > 0 else error
