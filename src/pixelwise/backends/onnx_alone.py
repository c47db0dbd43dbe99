"""The network alone, taken out of an exported ONNX model: pictures of its size in, its own logits out."""

from __future__ import annotations

import importlib.util

from pixelwise.header import NETWORK_IMAGES, network_stride


def network_alone(model: bytes) -> tuple[bytes, int] | None:
    """Without what an exported model does around its network: resizing, enlarging, probabilities, labels.

    Args:
        model: The file's content.

    Returns:
        A model of input `images` `(N, H, W, 3) uint8` and logits at a stride as its only output, with the
        file's metadata, and the stride; None where the file does not say which values those are (or is none,
        which its runtime says better), or the package onnx is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        return None
    import onnx
    from google.protobuf.message import DecodeError  # what onnx itself stands on
    from onnx import TensorProto, helper

    try:
        proto = onnx.load_from_string(model)
    except DecodeError:
        return None
    found = [(name, network_stride(name)) for node in proto.graph.node for name in node.output]
    answers = [(name, stride) for name, stride in found if stride is not None]
    if len(answers) != 1 or NETWORK_IMAGES not in dict(found) or len(proto.graph.input) != 1:
        return None
    (logits, stride), images = answers[0], proto.graph.input[0].name
    wanted, nodes = {logits}, [helper.make_node("Cast", [logits], ["logits"], to=TensorProto.FLOAT)]
    for node in reversed(proto.graph.node):
        if NETWORK_IMAGES in node.output:
            node = helper.make_node("Transpose", [images], [NETWORK_IMAGES], perm=[0, 3, 1, 2])
        if wanted.isdisjoint(node.output):
            continue
        nodes.append(node)
        wanted.update(node.input)
    weights = [weight for weight in proto.graph.initializer if weight.name in wanted]
    del proto.graph.node[:], proto.graph.initializer[:], proto.graph.output[:], proto.graph.value_info[:]
    proto.graph.node.extend(reversed(nodes))
    proto.graph.initializer.extend(weights)
    proto.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, None))
    return proto.SerializeToString(), stride
