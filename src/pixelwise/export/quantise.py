"""Networks in whole numbers of 8 bits: static, per channel, calibrated on pictures.

ONNX models become QDQ through ONNX Runtime's quantiser, OpenVINO's through NNCF. Kernels use 7 of their 8
bits: processors without VNNI add pairs of products in 16 bits, which overflow otherwise (18% of the pixels of
`unet-xception` changed class on such a processor, against 0.9%), and a file should be right on every one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.backends.openvino import core
from pixelwise.errors import BackendError, DataError
from pixelwise.graph import Graph
from pixelwise.graph.ops import Conv, TransposedConv
from pixelwise.header import NETWORK_IMAGES, network_stride

Images = Sequence[npt.NDArray[np.uint8]]

QUANTISED = ("Conv", "ConvTranspose", "Add", "Concat", "MaxPool", "Relu", "Clip")
"""Of a network's operations; none of these makes sizes, normalises or decides."""


def convolutions(graph: Graph) -> list[str]:
    """Names of what can be left in float: the values that convolutions answer, in their order."""
    return [node.output for node in graph.nodes if isinstance(node.op, Conv | TransposedConv)]


def quantised_onnx(model: bytes, images: Images, *, keep: Collection[str]) -> bytes:
    """An ONNX model as QDQ.

    Args:
        model: In float32, as `graph.onnx` writes it.
        images: `(h, w, 3) uint8` RGB each, to calibrate on: smallest and largest value of each map.
        keep: Values whose convolutions stay in float32.

    Raises:
        BackendError: onnx or onnxruntime is not installed, or its quantiser fails.
        DataError: No picture.
    """
    _check(images, "onnxruntime", "onnx")
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    from pixelwise.graph.onnx_nodes import EXACT

    class Reader(CalibrationDataReader):
        """The pictures, one by one."""

        def __init__(self) -> None:
            self._left = ({"images": np.stack([image])} for image in images)

        def get_next(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
            return next(self._left, None)

    proto = onnx.load_from_string(model)
    network = set(_network_nodes(proto))
    left = [
        n.name
        for n in proto.graph.node
        if n.name not in network or n.output[0] in keep or n.name.startswith(EXACT)
    ]
    try:
        # It recommends a step that is done already.
        with _only_errors_of("root"), tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "model.onnx"
            quantize_static(
                proto,
                str(target),
                Reader(),
                quant_format=QuantFormat.QDQ,
                calibrate_method=CalibrationMethod.MinMax,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                op_types_to_quantize=list(QUANTISED),
                nodes_to_exclude=left,
                # A map is rounded for who reads whole numbers, so that a layer in float reads it exactly.
                extra_options={"OpTypesToExcludeOutputQuantization": list(QUANTISED)},
            )
            result = onnx.load(target)
    except (RuntimeError, ValueError) as error:
        raise BackendError(f"ONNX Runtime cannot quantise this model: {error}") from error
    del result.metadata_props[:]
    result.metadata_props.extend(onnx.load_from_string(model).metadata_props)
    return result.SerializeToString()


def quantised_openvino(model: bytes, images: Images, *, keep: Collection[str]) -> Any:
    """An ONNX model as an `openvino.Model` of 8-bit numbers; arguments and errors as `quantised_onnx`."""
    _check(images, "nncf", "openvino")
    # It reports its use over the network otherwise, and nobody who quantises a model here asked for that.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf
    import onnx
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    network = core().read_model(model)
    names = {n.name for n in onnx.load_from_string(model).graph.node if n.output[0] in keep}
    ignored = [
        op.get_friendly_name()
        for op in network.get_ops()
        # With a bias, a convolution is two operations there.
        if op.get_friendly_name().removesuffix("/WithoutBiases") in names
        and "Convolution" in op.get_type_name()
    ]
    ignored += _around_network(network)
    try:
        # It shows progress on stdout, where results belong.
        with _only_errors_of("nncf"), contextlib.redirect_stdout(sys.stderr):
            return nncf.quantize(
                network,
                nncf.Dataset(images, lambda image: np.stack([image])),
                subset_size=len(images),
                preset=nncf.QuantizationPreset.MIXED,
                target_device=nncf.TargetDevice.CPU,
                ignored_scope=nncf.IgnoredScope(names=ignored, types=["MatMul"], validate=False),
                advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
            )
    except Exception as error:  # its errors have no common base of their own
        raise BackendError(f"NNCF cannot quantise this model: {error}") from error


def _around_network(model: Any) -> list[str]:
    """Names of the operations of an `openvino.Model` that size pictures, enlarge logits or decide.

    Quantised too, logits and probabilities would be steps of a 255th of their range before they are enlarged.
    """
    operations = model.get_ordered_ops()
    made = {name: op for op in operations for port in op.outputs() for name in port.get_names()}
    answers = [op for name, op in made.items() if network_stride(name) is not None]
    behind, before = _reached(answers, forwards=True), _reached([made[NETWORK_IMAGES]], forwards=False)
    computes = {op.get_friendly_name(): op.get_type_name() not in _HOLDS for op in operations}
    return sorted(name for name in behind | before if computes[name])


_HOLDS = ("Constant", "Parameter", "Result")
"""Kinds of operations that compute nothing."""


def _reached(start: list[Any], *, forwards: bool) -> set[str]:
    """Names of what reads some operations, what reads that, and so on; or of what they read."""
    found: set[str] = set()
    left = list(start)
    while left:
        op = left.pop()
        if forwards:
            others = [reader.get_node() for port in op.outputs() for reader in port.get_target_inputs()]
        else:
            others = [port.get_source_output().get_node() for port in op.inputs()]
        new = [other for other in others if other.get_friendly_name() not in found]
        found.update(other.get_friendly_name() for other in new)
        left += new
    return found


def _check(images: Images, package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise BackendError(f"int8 needs the package {package}: pip install 'pixelwise[{extra}]'")
    if not images:
        raise DataError("int8 needs pictures to calibrate on, and there is none")


@contextlib.contextmanager
def _only_errors_of(logger: str) -> Iterator[None]:
    """Lets a logger say nothing below an error for a while; its handlers may be the caller's own."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _network_nodes(proto: Any) -> list[str]:
    """Names of the nodes that the network consists of, which have real weights or stand between such."""
    first = next(i for i, node in enumerate(proto.graph.node) if node.op_type in ("Conv", "ConvTranspose"))
    last = max(i for i, node in enumerate(proto.graph.node) if node.op_type in ("Conv", "ConvTranspose"))
    return [node.name for node in proto.graph.node[first : last + 1]]
