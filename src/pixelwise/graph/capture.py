"""Writes down what a network does, by watching it do it.

The network runs once on a small picture while every call of a torch function is seen. What is computed of
weights alone (e.g. a kernel of sub-pixel phases) is a weight; what is computed of the picture becomes a node.
A second, larger picture must give the very same nodes: nothing then depends on the size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from pixelwise.errors import BackendError
from pixelwise.graph.calls import Call
from pixelwise.graph.graph import Graph, Node
from pixelwise.graph.ops import Fit, Op, UnpoolCorner, UnpoolPlaces
from pixelwise.graph.rules import RULES, Rule, changes_nothing
from pixelwise.graph.turned import POINTWISE, TURNED_RULES, turns_back
from pixelwise.nn import resample
from pixelwise.nn.frame import Frame

_STRIDE = 32
"""Of the deepest maps of most networks, where the frame does not say."""


def capture(network: nn.Module) -> Graph:
    """The graph of a network of `pixelwise.models` in evaluation.

    Args:
        network: On the processor, in float32 or float64; it is left as it was. Its modules' names become the
            layers of the nodes.

    Raises:
        BackendError: It does what a graph has no operation for, or other things for pictures of other sizes.
    """
    frame = cast("Frame", network.frame)
    # Large enough that the deepest maps have more than one pixel and are told from each other.
    step = max(frame.multiple, _STRIDE)
    sides = [frame.side(1 + count * step) for count in (1, 2, 4)]
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        small = _watched(network, frame, (sides[0], sides[1]))
        large = _watched(network, frame, (sides[2], sides[1]))
    finally:
        for module, training in modes.items():
            module.training = training
    _compare(small, large)
    return small


def _watched(network: nn.Module, frame: Frame, size: tuple[int, int]) -> Graph:
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 255
    picture = picture.to(next(network.parameters()).dtype)
    recorder = _Recorder(picture)
    normalise, framed = (cast("Callable[[Tensor], Tensor]", f) for f in (network.normalise, network.framed))
    with torch.no_grad(), _layers(network, recorder), recorder:
        logits = framed(normalise(picture))
    return Graph(frame, tuple(recorder.nodes), recorder.names[id(picture)], recorder.name(logits))


def _compare(one: Graph, other: Graph) -> None:
    for first, second in zip(one.nodes, other.nodes, strict=False):
        if not _same(first, second):
            raise BackendError(
                f"{first.layer} computes {first.op} for one picture and {second.op} for a larger one, so "
                "there is no one graph for all sizes"
            )
    if len(one.nodes) != len(other.nodes):
        raise BackendError(
            "the network does more for a larger picture, so there is no one graph for all sizes"
        )


def _same(first: Node, second: Node) -> bool:
    """Whether two nodes do the same to the same values, with the same weights."""
    one, other = vars(first.op), vars(second.op)
    kinds = (type(first.op), first.inputs, first.outputs) == (type(second.op), second.inputs, second.outputs)
    return kinds and all(np.array_equal(one[name], other[name]) for name in one)


@contextlib.contextmanager
def _layers(network: nn.Module, recorder: _Recorder) -> Generator[None, None, None]:
    """Tells the recorder which module is at work, and hands it whole those that are one operation."""
    handles: list[RemovableHandle] = []
    for name, module in network.named_modules():
        whole = _WHOLE.get(type(module))
        handles.append(module.register_forward_pre_hook(lambda *_, n=name, w=whole: recorder.enter(n, w)))
        handles.append(
            module.register_forward_hook(
                lambda module, inputs, output, w=whole: recorder.leave(module, inputs, output, w)
            )
        )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


_WHOLE: dict[type[nn.Module], Callable[[Any], Op]] = {
    resample.UnpoolCorner: lambda module: UnpoolCorner(module.factor),
    resample.UnpoolIndices: lambda module: UnpoolPlaces(),
    resample.Fit: lambda module: Fit(),
}
"""Modules whose steps would depend on the size, while they themselves do not."""


class _Recorder(TorchFunctionMode):
    """Sees every torch function that is called and keeps those that work on the picture."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        # By the identity of the tensors, which are all kept: a new one may not get an old one's place.
        self.names: dict[int, str] = {id(picture): "picture"}
        self._kept = [picture]
        self._turned: set[int] = set()
        self._path: list[str] = []
        self._whole = 0

    def enter(self, name: str, whole: object) -> None:
        self._path.append(name)
        self._whole += whole is not None

    def leave(self, module: nn.Module, inputs: Sequence[Tensor], output: Tensor, whole: Any) -> None:
        if whole is not None:
            self._whole -= 1
            if not self._whole:
                self.add(whole(module), inputs, output)
        self._path.pop()

    @property
    def layer(self) -> str:
        """Path of the module at work."""
        return self._path[-1] if self._path else ""

    def name(self, tensor: Tensor) -> str:
        """Of a value that was computed of the picture."""
        return self.names[id(tensor)]

    def add(self, op: Op, inputs: Sequence[Tensor], output: Tensor | Sequence[Tensor]) -> None:
        """A node."""
        outputs = (output,) if isinstance(output, Tensor) else tuple(output)
        read = tuple(self.name(tensor) for tensor in inputs)
        made = tuple(f"v{len(self.nodes)}{'abc'[i] if i else ''}" for i in range(len(outputs)))
        self.nodes.append(Node(op, read, made, self.layer))
        for tensor, name in zip(outputs, made, strict=True):
            self.names[id(tensor)] = name
            self._kept.append(tensor)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        before = [tensor for tensor in _tensors((args, kwargs)) if id(tensor) in self.names]
        names = [self.name(tensor) for tensor in before]
        turned = [id(tensor) in self._turned for tensor in before]
        result = func(*args, **kwargs)
        if not before or self._whole or not _computes(result):
            return result
        key = getattr(func, "__name__", str(func))
        call = Call(args, kwargs, result, self._kept)
        if key == "permute":
            self._note(result, names[0], turned=not turns_back(call, turned=turned[0]))
        elif changes_nothing(key, call):
            self._note(result, names[0], turned=turned[0])
        else:
            op, inputs = self._rule(key, turned)(call)
            self._check_alone(key, result)
            self.add(op, inputs, result)
            if any(turned):
                self._turned.add(id(result))
        return result

    def _note(self, tensor: Tensor, name: str, *, turned: bool) -> None:
        """Another tensor for a value that there is."""
        self._kept.append(tensor)
        self.names[id(tensor)] = name
        (self._turned.add if turned else self._turned.discard)(id(tensor))

    def _rule(self, key: str, turned: Sequence[bool]) -> Rule:
        """How a function that reads these values, turned or not, becomes an operation."""
        if any(turned):
            rules = {**TURNED_RULES, **{name: RULES[name] for name in POINTWISE if name in RULES}}
            where = " of a map with its channels last"
        else:
            rules, where = RULES, ""
        if key not in rules:
            raise BackendError(f"{self.layer} calls {key}{where}, which a graph has no operation for")
        return rules[key]

    def _check_alone(self, key: str, result: Any) -> None:
        """Refuses a change in place that another tensor would see, whose name stays that of the old value."""
        if not key.endswith("_") or key.endswith("__") or not isinstance(result, Tensor):
            return
        memory = result.untyped_storage().data_ptr()
        others = (x for x in self._kept if x is not result)
        if any(x.untyped_storage().data_ptr() == memory for x in others):
            raise BackendError(f"{self.layer} calls {key} on a part of another value, which has no operation")


def _tensors(value: Any) -> list[Tensor]:
    match value:
        case Tensor():
            return [value]
        case tuple() | list():
            return [tensor for item in value for tensor in _tensors(item)]
        case dict():
            return [tensor for item in value.values() for tensor in _tensors(item)]
        case _:
            return []


def _computes(result: Any) -> bool:
    """Whether something is a value of its own, not a size or a type."""
    return bool(_tensors(result)) if isinstance(result, Tensor | tuple) else False
