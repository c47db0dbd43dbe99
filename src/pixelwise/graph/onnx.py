"""A graph as an ONNX model: bytes of pictures in, an answer for each pixel out, for any batch and size.

The model takes `(N, H, W, 3) uint8` RGB, as pictures lie in memory everywhere. The frame that the network
needs is inside, and whatever the form says of sizes and answers. Knows no runtime.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import onnx
from onnx import helper

from pixelwise.graph.graph import Graph
from pixelwise.graph.onnx_means import MEAN_WRITERS
from pixelwise.graph.onnx_nodes import WRITERS, OnnxWriter
from pixelwise.graph.onnx_queries import QUERY_WRITERS
from pixelwise.graph.onnx_resize import resized, resized_bytes
from pixelwise.graph.onnx_tokens import TOKEN_WRITERS
from pixelwise.header import LEAST_PROBABILITY, NETWORK_IMAGES, NETWORK_LOGITS, Answer, Form
from pixelwise.nn.frame import Frame, MirroredBorder

OPSET = 18
"""The oldest set with everything used here, so that the most runtimes read it."""

IR_VERSION = 8
"""Of that set's time; runtimes refuse files of a newer one, even where they could read them."""

_WRITERS = {**WRITERS, **MEAN_WRITERS, **TOKEN_WRITERS, **QUERY_WRITERS}

IMAGES = "images"
"""Name of the model's input; its output has the name of the answer."""


def to_onnx(
    graph: Graph, form: Form | None = None, *, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """The model of a graph, simplified or not.

    Args:
        graph: What it computes. With a stride the model's answer has it too, and is that of the whole frame.
        form: What it answers; logits of the pictures as they are where not given.
        metadata: Texts that it carries.

    Raises:
        ValueError: A graph with a stride, and another form than logits of the pictures as they are.
    """
    form = form or Form()
    if graph.stride > 1 and (form.answer != "logits" or form.resize is not None):
        raise ValueError("a graph that answers at a stride has logits of pictures as they are, nothing else")
    writer = OnnxWriter(graph.channels(), half=form.precision == "half")
    planes = writer.add("Transpose", [IMAGES], perm=[0, 3, 1, 2])
    photo = writer.sides(planes)
    if form.resize is not None:
        planes = resized_bytes(writer, planes, photo, form.resize)
    # Where a runtime takes the network alone, its pictures have sizes of their own: no size is a constant.
    planes = writer.add("Identity", [planes], NETWORK_IMAGES)
    size = writer.sides(planes)
    # Framed as bytes, which is a quarter of the memory to move.
    framed = _framed(writer, planes, size, graph.frame)
    writer.add("Cast", [framed], graph.input, to=writer.real_type)
    logits = _network(writer, graph)
    if form.precision == "half":
        logits = writer.add("Cast", [logits], to=onnx.TensorProto.FLOAT)
    if graph.stride == 1:
        logits = writer.add("Slice", [logits, writer.number([0, 0]), size, writer.number([2, 3])])
        if graph.coarse().stride == 1:
            logits = writer.add("Identity", [logits], f"{NETWORK_LOGITS}1")
    _answer(writer, logits, form, photo)
    count = writer.channels[graph.output]
    body = helper.make_graph(
        writer.nodes,
        "pixelwise",
        [helper.make_tensor_value_info(IMAGES, onnx.TensorProto.UINT8, ["N", "H", "W", 3])],
        [_output(form.answer, count, graph.stride)],
        writer.weights,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pixelwise")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    return model


def _network(writer: OnnxWriter, graph: Graph) -> str:
    """All nodes; the value that is their answer."""
    coarse = graph.coarse()
    for node in coarse.nodes:
        _WRITERS[type(node.op)](writer, node, node.op)
    if coarse.stride == 1:
        return graph.output
    native = writer.add("Identity", [coarse.output], f"{NETWORK_LOGITS}{coarse.stride}")
    if coarse is graph:
        return native
    (enlarging,) = (node for node in graph.nodes if node not in coarse.nodes)
    _WRITERS[type(enlarging.op)](writer, dataclasses.replace(enlarging, inputs=(native,)), enlarging.op)
    return graph.output


def _output(answer: Answer, count: int, stride: int) -> onnx.ValueInfoProto:
    if answer == "labels":
        return helper.make_tensor_value_info(answer, onnx.TensorProto.UINT8, ["N", "H", "W"])
    sides = ["H", "W"] if stride == 1 else ["rows", "columns"]
    return helper.make_tensor_value_info(answer, onnx.TensorProto.FLOAT, ["N", count, *sides])


def _answer(writer: OnnxWriter, logits: str, form: Form, photo: str) -> None:
    """From logits at the network's size to the answer at the pictures'."""
    scores = logits
    if form.resize is not None:
        # As prediction does it: probabilities are brought to the picture's size, not logits.
        probabilities = writer.add("Softmax", [logits], axis=1)
        scores = resized(writer, probabilities, form.resize, photo)
    match form.answer:
        case "labels":
            labels = writer.add("ArgMax", [scores], axis=1, keepdims=0)
            writer.add("Cast", [labels], form.answer, to=onnx.TensorProto.UINT8)
        case "probabilities" if form.resize is None:
            writer.add("Softmax", [logits], form.answer, axis=1)
        case "logits" if form.resize is not None:
            writer.add("Log", [writer.add("Max", [scores, writer.single(LEAST_PROBABILITY)])], form.answer)
        case _:
            writer.add("Identity", [scores], form.answer)


def _framed(writer: OnnxWriter, planes: str, size: str, frame: Frame) -> str:
    if isinstance(frame, MirroredBorder):
        return _mirrored(writer, planes, size, frame)
    multiple = writer.number([frame.multiple])
    # To the next multiple; nothing, where the side is one. No number is negative: runtimes differ there.
    short = writer.add("Sub", [multiple, writer.add("Mod", [size, multiple])])
    more = writer.add("Mod", [short, multiple])
    pads = writer.add("Concat", [writer.number([0] * 6), more], axis=0)
    return writer.add("Pad", [planes, pads], mode="edge")


def _mirrored(writer: OnnxWriter, planes: str, size: str, frame: MirroredBorder) -> str:
    """Which row and column stands where, as `nn.frame.mirror` has it."""

    def number(kind: str, one: str, other: int | str) -> str:
        return writer.add(kind, [one, writer.number(other) if isinstance(other, int) else other])

    for axis in (0, 1):
        length = writer.add("Gather", [size, writer.number(axis)], axis=0)
        rounded = number("Div", number("Add", length, frame.lost + frame.multiple - 1), frame.multiple)
        count = number("Add", number("Mul", rounded, frame.multiple), frame.gained)
        period = number("Max", number("Mul", number("Sub", length, 1), 2), 1)
        # As many periods later as rows come before: the same places, and no number is negative.
        first = number("Sub", number("Mul", period, frame.before), frame.before)
        steps = writer.add("Range", [writer.number(0), count, writer.number(1)])
        place = number("Mod", number("Add", steps, first), period)
        planes = writer.add(
            "Gather", [planes, number("Min", place, number("Sub", period, place))], axis=2 + axis
        )
    return planes
