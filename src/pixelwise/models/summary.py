"""What a network is made of: its layer table, its parameters and its multiply-adds.

Any `nn.Module` can be described, because it is run once on tensors without data ("meta" tensors) while hooks
watch: nothing is computed, and no memory is taken, whatever the size. Where a network has a
`forward_published`, that graph is described, since it is the one that the source's tables show. Knows no
particular network and prints nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Layer:
    """A row of the layer table.

    Attributes:
        name: Its path in the network, e.g. `encoder.0.conv1`.
        kind: The name of its class.
        output: `(H, W, C)` of its output; another shape without the batch where it is not an image; empty
            where the layer does not run itself and others compute with its weights.
        parameters: Numbers in it, running statistics included, as Keras counts.
        fixed: How many of them are not trained: running statistics and frozen weights.
        inputs: Names of the layers that it reads, where a layer's output reaches it untouched.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    fixed: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A network's layers for one input size.

    Attributes:
        size: `(height, width)` of the input.
        rows: Its layers in the order in which they run.
        parameters: Numbers in all of them, running statistics included, as Keras counts.
        trainable: How many of them are trained.
    """

    size: tuple[int, int]
    rows: tuple[Layer, ...]
    parameters: int
    trainable: int


def summarize(network: nn.Module, size: tuple[int, int]) -> Summary:
    """The layer table of a network for inputs of `size` (height, width).

    Parameters that the way forward does not read are missing from the rows, and are counted in the totals.
    """
    twin = _without_data(network)
    names = {module: name for name, module in twin.named_modules()}
    rows: list[Layer] = []
    made: dict[int, str] = {}  # id of a tensor -> layer that made it
    alive: list[Tensor] = []  # an id is only unique while its tensor lives

    def watch(module: nn.Module, given: tuple[object, ...], output: object) -> None:
        if not isinstance(output, Tensor):
            return
        inputs = tuple(made[id(x)] for x in given if id(x) in made)
        rows.append(_row(names[module], module, output, inputs))
        made[id(output)] = names[module]
        alive.append(output)

    handles = [
        module.register_forward_hook(watch)
        for module in twin.modules()
        if not any(True for _ in module.children())
    ]
    with _Reads(twin, rows) as reads:
        _run(twin, size)
    for handle in handles:
        handle.remove()
    named = {row.name for row in rows}
    for module, place in reversed(reads.first.items()):
        if names[module] not in named:
            rows.insert(place, _row(names[module], module, None, ()))
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Summary(size, tuple(rows), count_parameters(network), trainable)


def count_parameters(network: nn.Module) -> int:
    """Weights, biases and running statistics: what Keras calls parameters."""
    return sum(map(_count, network.modules()))


def multiply_adds(network: nn.Module, size: tuple[int, int], *, published: bool = True) -> int:
    """Multiply-adds of one picture's way forward through convolutions and matrix products.

    Additions of biases, normalisation, activations and resampling are not counted, as is usual.

    Args:
        network: Any network.
        size: `(height, width)` of the picture.
        published: Count the graph as published, where the network has it; otherwise what `forward` computes,
        which
            may be less.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        _run(_without_data(network), size, published=published)
    return counter.get_total_flops() // 2


def _run(twin: nn.Module, size: tuple[int, int], *, published: bool = True) -> None:
    forward: Callable[[Tensor], Tensor] = getattr(twin, "forward_published", twin) if published else twin
    with torch.no_grad():
        forward(torch.empty(1, 3, *size, device="meta"))


def _without_data(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose tensors have shapes and no data; the network's data are not copied."""
    memo: dict[int, object] = {}
    for parameter in network.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    for buffer in network.buffers():
        memo[id(buffer)] = buffer.detach().to("meta")
    return copy.deepcopy(network, memo).eval()


class _Reads(TorchFunctionMode):
    """Sees who holds the parameters that are computed with, and how many rows there are at the first time.

    Attributes:
        first: That number of each module, in the order of these times.
    """

    def __init__(self, network: nn.Module, rows: Sequence[Layer]) -> None:
        super().__init__()
        self._owners = {id(p): m for m in network.modules() for p in m.parameters(recurse=False)}
        self._rows = rows
        self.first: dict[nn.Module, int] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Computes what was to be computed."""
        del types
        if getattr(func, "__name__", "") != "__get__":  # a shape or a device is no computation
            for leaf in tree_leaves((args, kwargs)):
                if isinstance(leaf, nn.Parameter) and id(leaf) in self._owners:
                    self.first.setdefault(self._owners[id(leaf)], len(self._rows))
        return func(*args, **(kwargs or {}))


def _row(name: str, module: nn.Module, output: Tensor | None, inputs: tuple[str, ...]) -> Layer:
    shape = () if output is None else tuple(output.shape[1:])
    if len(shape) == 3:
        shape = (shape[1], shape[2], shape[0])  # (C, H, W) to (H, W, C)
    trained = sum(p.numel() for p in module.parameters(recurse=False) if p.requires_grad)
    total = _count(module)
    return Layer(name, type(module).__name__, shape, total, total - trained, inputs)


def _count(module: nn.Module) -> int:
    """Numbers that a module itself holds; constants outside the state dict and step counters are none."""
    saved = module.state_dict().keys()
    buffers = [b for n, b in module.named_buffers(recurse=False) if n in saved and b.is_floating_point()]
    return sum(tensor.numel() for tensor in (*module.parameters(recurse=False), *buffers))
