"""A network as a TorchScript archive, for libtorch in C++ and on phones.

PyTorch has declared TorchScript deprecated; it is written all the same, because it is the form that a
libtorch already deployed reads. What the network does with pictures is traced from its graph, which holds
nothing that depends on their size; the sizes around it are scripted.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.graph import Graph
from pixelwise.graph.run import compute
from pixelwise.header import LEAST_PROBABILITY, Form
from pixelwise.nn.frame import Frame, MirroredBorder
from pixelwise.nn.pillow_resize import resize_bytes, resize_maps

INSIDE = "graph_"
"""What the names of a graph's values begin with in a program."""


def torchscript_form(graph: Graph, texts: Mapping[str, str], form: Form) -> bytes:
    """The archive's content; `torch.jit.load` needs nothing else.

    Args:
        graph: What the network does.
        texts: Go into the archive as extra files of these names.
        form: What it answers.

    Raises:
        ConfigError: Another precision than float32.
    """
    if form.precision != "float32":
        raise ConfigError(
            f"TorchScript exports are float32, not {form.precision}: take --to onnx or openvino"
        )
    framed = graph.frame(torch.zeros(1, 3, 64, 64))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+` is deprecated")
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        core = torch.jit.trace(_Core(graph).eval(), framed, check_trace=False)
        program = torch.jit.script(_Program(cast("nn.Module", core), graph.frame, form).eval())
        buffer = io.BytesIO()
        torch.jit.save(program, buffer, _extra_files={name: text.encode() for name, text in texts.items()})
    return buffer.getvalue()


class _Core(nn.Module):
    """A graph without its frame, for tracing: its weights become constants of the program.

    What each node answers gets the name that it has in the graph, behind `INSIDE`; archives keep it.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph

    def forward(self, framed: Tensor) -> Tensor:
        values = {self._graph.input: framed}
        for node in self._graph.nodes:
            results = compute(node.op, [values[name] for name in node.inputs])
            values |= dict(zip(node.outputs, results, strict=True))
            traced = torch._C._get_value_trace(results[0])  # pyright: ignore[reportAttributeAccessIssue]
            traced.setDebugName(f"{INSIDE}{node.output}")
        return values[self._graph.output]


class _Program(nn.Module):
    """Everything around the network that depends on sizes. Scripted, so plain numbers and tensors only."""

    def __init__(self, core: nn.Module, frame: Frame, form: Form) -> None:
        super().__init__()
        self.core = core
        self.multiple: int = frame.multiple
        self.mirrored: bool = isinstance(frame, MirroredBorder)
        self.before: int = frame.before if isinstance(frame, MirroredBorder) else 0
        self.lost: int = frame.lost if isinstance(frame, MirroredBorder) else 0
        self.gained: int = frame.gained if isinstance(frame, MirroredBorder) else 0
        self.resized: bool = form.resize is not None
        self.height: int = form.resize[0] if form.resize is not None else 0
        self.width: int = form.resize[1] if form.resize is not None else 0
        self.answer: str = form.answer
        self.least: float = LEAST_PROBABILITY

    def forward(self, images: Tensor) -> Tensor:
        """`(N, H, W, 3) uint8` RGB to the answer."""
        x = images.permute(0, 3, 1, 2).float()
        rows, columns = x.shape[2], x.shape[3]
        if self.resized:
            x = resize_bytes(x, self.height, self.width)
        height, width = x.shape[2], x.shape[3]
        vertical, horizontal = self.places(height, x), self.places(width, x)
        scores = self.core(x[:, :, vertical][:, :, :, horizontal])[:, :, :height, :width]
        if self.resized:
            scores = resize_maps(torch.softmax(scores, 1), rows, columns)
        if self.answer == "labels":
            return scores.argmax(1).to(torch.uint8)
        if self.answer == "probabilities":
            return scores if self.resized else torch.softmax(scores, 1)
        return torch.log(scores.clamp(min=self.least)) if self.resized else scores.contiguous()

    def places(self, side: int, like: Tensor) -> Tensor:
        """Which row or column of a picture stands where in its frame; see `nn.frame`."""
        up = side + self.lost + self.multiple - 1
        count = up // self.multiple * self.multiple + self.gained
        steps = torch.arange(count, device=like.device)
        if not self.mirrored:
            return steps.clamp(max=side - 1)
        period = max(2 * (side - 1), 1)
        place = torch.remainder(steps - self.before, period)
        return torch.minimum(place, period - place).clamp(max=side - 1)
