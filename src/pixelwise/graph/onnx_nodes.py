"""Each operation of a graph in the terms of ONNX. Knows one node at a time, and neither frames nor models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from pixelwise.graph import ops
from pixelwise.graph.graph import Node

EXACT = "exact."
"""What the names of values begin with whose nodes stay in float where a model is quantised."""

_END = 2**62
"""As an end of a slice: all there is."""

_WINDOW = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column in a 2x2 window, in the order in which equal maxima win."""


class OnnxWriter:
    """Collects the nodes and weights of a model.

    Args:
        channels: How many each value of the graph has.
        half: Write the weights in float16, and so compute with them.

    Attributes:
        channels: How many each value of the graph has.
        real_type: ONNX's number for the type of the maps.
        nodes: So far.
        weights: So far.
        masks: Of the places of a max-pooling: the names of four masks, see `_max_pool`.
    """

    def __init__(self, channels: Mapping[str, int], *, half: bool = False) -> None:
        self.channels = channels
        self.real_type = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
        self._type = np.float16 if half else np.float32
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.masks: dict[str, list[str]] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A node of one output, whose name is the answer."""
        name = output or f"{kind.lower()}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{name}.{kind}", **attributes))
        return name

    def weight(self, array: npt.NDArray[Any], name: str, *, whole: bool = False) -> str:
        """A named weight; real numbers become those of the maps, or stay `whole`."""
        if np.issubdtype(array.dtype, np.floating) and not whole:
            array = array.astype(self._type, copy=False)
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def number(self, value: int | Sequence[int]) -> str:
        """A whole number, or a row of them; equal ones are one constant."""
        return self._constant(np.asarray(value, np.int64))

    def real(self, value: float) -> str:
        """A real number of the maps' type."""
        return self._constant(np.asarray(value, self._type))

    def single(self, value: float | Sequence[float]) -> str:
        """A float32, or a row of them, whatever the maps' type."""
        return self._constant(np.asarray(value, np.float32))

    def sides(self, value: str) -> str:
        """Height and width of `(N, C, H, W)`, as two whole numbers."""
        return self.add("Slice", [self.add("Shape", [value]), self.number([2]), self.number([4])])

    def _constant(self, array: npt.NDArray[Any]) -> str:
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self.weight(array, f"constant.{len(self._shared)}", whole=True)
        return self._shared[key]


def _conv(writer: OnnxWriter, node: Node, op: ops.Conv) -> None:
    _convolution(writer, node, op, "Conv", pads=list(op.padding), dilations=[op.dilation] * 2)


def _transposed_conv(writer: OnnxWriter, node: Node, op: ops.TransposedConv) -> None:
    _convolution(writer, node, op, "ConvTranspose", pads=[op.padding] * 4)


def _convolution(
    writer: OnnxWriter, node: Node, op: ops.Conv | ops.TransposedConv, kind: str, **attributes: list[int]
) -> None:
    inputs = [node.inputs[0], writer.weight(op.weight, f"{node.output}.weight")]
    if op.bias is not None:
        inputs.append(writer.weight(op.bias, f"{node.output}.bias"))
    common = {"strides": [op.stride] * 2, "group": op.groups, "kernel_shape": list(op.weight.shape[2:])}
    writer.add(kind, inputs, node.output, **common, **attributes)


def _scale(writer: OnnxWriter, node: Node, op: ops.Scale) -> None:
    x = node.inputs[0]
    factor, shift = (array.reshape(1, -1, 1, 1) for array in (op.factor, op.shift))
    if not shift.any():
        writer.add("Mul", [x, writer.weight(factor, f"{node.output}.factor")], node.output)
        return
    if (factor != 1).any():
        x = writer.add("Mul", [x, writer.weight(factor, f"{node.output}.factor")])
    writer.add("Add", [x, writer.weight(shift, f"{node.output}.shift")], node.output)


def _max_pool(writer: OnnxWriter, node: Node, op: ops.MaxPool) -> None:
    """A max-pooling; the places of 2x2 windows as four masks.

    Rounding up is a longer border behind, because OpenVINO gives a map of no pixels where a rounded-up window
    is larger than the whole map.

    Where a maximum stood is told by comparing it with the four pixels of its window, one after the other, the
    first one winning as in PyTorch. Positions in a plane would need scattering, which few runtimes do well.
    """
    writer.add(
        "MaxPool",
        node.inputs,
        node.output,
        kernel_shape=[op.kernel] * 2,
        strides=[op.stride] * 2,
        pads=[op.padding] * 2 + [op.padding + (op.stride - 1 if op.ceil else 0)] * 2,
    )
    if not op.places:
        return
    masks: list[str] = []
    free = ""
    for row, column in _WINDOW:
        steps = [writer.number([row, column]), writer.number([_END] * 2), writer.number([2, 3])]
        pixel = writer.add("Slice", [node.inputs[0], *steps, writer.number([2, 2])])
        here = writer.add("Equal", [pixel, node.output])
        mask = writer.add("And", [here, free]) if free else here
        taken = writer.add("Not", [here])
        free = writer.add("And", [free, taken]) if free else taken
        masks.append(writer.add("Cast", [mask], to=writer.real_type))
    writer.masks[node.outputs[1]] = masks


def _unpool_places(writer: OnnxWriter, node: Node, _: ops.UnpoolPlaces) -> None:
    x, places = node.inputs
    pixels = [writer.add("Mul", [x, mask]) for mask in writer.masks[places]]
    writer.add("DepthToSpace", [writer.add("Concat", pixels, axis=1)], node.output, blocksize=2, mode="DCR")


def _unpool_corner(writer: OnnxWriter, node: Node, op: ops.UnpoolCorner) -> None:
    """A transposed convolution of each channel with a one in the corner."""
    channels = writer.channels[node.inputs[0]]
    stamp = np.zeros((channels, 1, op.factor, op.factor), np.float32)
    stamp[:, :, 0, 0] = 1
    _transposed_conv(writer, node, ops.TransposedConv(weight=stamp, stride=op.factor, groups=channels))


def _spread(writer: OnnxWriter, node: Node, _: ops.Spread) -> None:
    x, like = node.inputs
    sides = writer.add("Concat", [writer.number([1, 1]), writer.sides(like)], axis=0)
    writer.add("Expand", [x, sides], node.output)


def _pad(writer: OnnxWriter, node: Node, op: ops.Pad) -> None:
    top, left, bottom, right = op.margins
    pads = writer.number([0, 0, top, left, 0, 0, bottom, right])
    writer.add("Pad", [*node.inputs, pads, writer.real(0.0)], node.output, mode="constant")


def _trim(writer: OnnxWriter, node: Node, op: ops.Trim) -> None:
    top, left, bottom, right = op.margins
    ends = writer.number([-bottom or _END, -right or _END])
    places = [writer.number([top, left]), ends, writer.number([2, 3])]
    writer.add("Slice", [*node.inputs, *places], node.output)


def _clamp(writer: OnnxWriter, node: Node, op: ops.Clamp) -> None:
    if (op.low, op.high) == (0.0, None):
        writer.add("Relu", node.inputs, node.output)
        return
    limits = [writer.real(op.low), *([] if op.high is None else [writer.real(op.high)])]
    writer.add("Clip", [*node.inputs, *limits], node.output)


def _enlarge(writer: OnnxWriter, node: Node, op: ops.Enlarge) -> None:
    inputs = [*node.inputs, "", writer.single([1, 1, op.factor, op.factor])]
    if op.mode == "nearest":
        places = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        writer.add("Resize", inputs, node.output, mode="nearest", **places)
    else:
        writer.add("Resize", inputs, node.output, mode="linear", coordinate_transformation_mode="half_pixel")


def _leaky(writer: OnnxWriter, node: Node, op: ops.Leaky) -> None:
    writer.add("LeakyRelu", node.inputs, node.output, alpha=op.slope)


def _concat(writer: OnnxWriter, node: Node, op: ops.Concat) -> None:
    writer.add("Concat", node.inputs, node.output, axis=op.axis)


def _part(writer: OnnxWriter, node: Node, op: ops.Part) -> None:
    counts = (op.rows, op.columns)
    starts, ends = [min(count, 0) for count in counts], [count if count > 0 else _END for count in counts]
    places = [writer.number(starts), writer.number(ends), writer.number([2, 3])]
    writer.add("Slice", [*node.inputs, *places], node.output)


def _shuffle(writer: OnnxWriter, node: Node, op: ops.Shuffle) -> None:
    writer.add("DepthToSpace", node.inputs, node.output, blocksize=op.factor, mode="CRD")


def _mean_pool(writer: OnnxWriter, node: Node, op: ops.MeanPool) -> None:
    sizes = {"kernel_shape": [op.kernel] * 2, "strides": [op.stride] * 2, "pads": [op.padding] * 4}
    writer.add("AveragePool", node.inputs, node.output, count_include_pad=1, **sizes)


def _fit(writer: OnnxWriter, node: Node, _: ops.Fit) -> None:
    x, like = node.inputs
    planes = writer.add("Slice", [writer.add("Shape", [x]), writer.number([0]), writer.number([2])])
    wanted = writer.add("Concat", [planes, writer.sides(like)], axis=0)
    places = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    writer.add("Resize", [x, "", "", wanted], node.output, **places)


def _channel_sum(writer: OnnxWriter, node: Node, _: ops.ChannelSum) -> None:
    writer.add("ReduceSum", [*node.inputs, writer.number([1])], node.output, keepdims=1)


def _hard_sigmoid(writer: OnnxWriter, node: Node, _: ops.HardSigmoid) -> None:
    writer.add("HardSigmoid", node.inputs, node.output, alpha=1 / 6, beta=0.5)


def _plain(kind: str) -> Callable[[OnnxWriter, Node, Any], None]:
    def write(writer: OnnxWriter, node: Node, _: object) -> None:
        writer.add(kind, node.inputs, node.output)

    return write


WRITERS: dict[type, Callable[[OnnxWriter, Node, Any], None]] = {
    ops.Conv: _conv,
    ops.TransposedConv: _transposed_conv,
    ops.Scale: _scale,
    ops.Clamp: _clamp,
    ops.Leaky: _leaky,
    ops.Sigmoid: _plain("Sigmoid"),
    ops.Tanh: _plain("Tanh"),
    ops.HardSigmoid: _hard_sigmoid,
    ops.HardSwish: _plain("HardSwish"),
    ops.Add: _plain("Add"),
    ops.Multiply: _plain("Mul"),
    ops.ChannelSum: _channel_sum,
    ops.Concat: _concat,
    ops.MaxPool: _max_pool,
    ops.MeanPool: _mean_pool,
    ops.Enlarge: _enlarge,
    ops.Pad: _pad,
    ops.Trim: _trim,
    ops.Part: _part,
    ops.Shuffle: _shuffle,
    ops.Mean: _plain("GlobalAveragePool"),
    ops.Spread: _spread,
    ops.Fit: _fit,
    ops.UnpoolCorner: _unpool_corner,
    ops.UnpoolPlaces: _unpool_places,
}
