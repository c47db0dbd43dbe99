"""How fast does this machine multiply at best, in each kind of number? Shares of the peak are shares of this.

The peak is that of fat 3x3 convolutions, the fastest of several shapes and calls: three in a row of as many
channels in as out, through OpenVINO, as pixelwise runs a network there (`OpenVinoBackend`): in float32, with
`half` in bfloat16 where `choose_precision` says that the processor multiplies it, and in 8-bit numbers by
pixelwise's own `quantised_openvino`. They stand in a row so that the maps between them are in those numbers
too, as in a network. Torch's fastest convolution (`machine.peak_rate`) counts as well in float32 and
bfloat16: the larger of the two is the peak. Multiply-adds are those of the fat convolutions alone; what leads
to and from them is computed too, and makes the peak a little too small rather than too large.

A process that measures when it is told to, like the contestants: a line of facts when it is ready; then, for
each line read, multiply-adds a second of each kind.

    echo | python benchmarks/peaks.py        # half a minute
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from machine import peak_rate
from predict_speed_contestants import quantised

SHAPES = ((2, 256, 56), (8, 256, 20), (2, 512, 28), (1, 128, 112))
"""`(pictures, channels, side)`: small and large maps, and kernels that are fat in any case."""

LAYERS = 3
LEAST_SECONDS, LEAST_CALLS = 0.1, 3
"""Of each shape in each kind of number."""

Rates = dict[str, float]


def main() -> None:
    """Serves until its input ends."""
    probes = make_probes()
    print(json.dumps({name: version(name) for name in ("torch", "openvino", "nncf")}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure(probes)), flush=True)


def make_probes() -> dict[str, list[Callable[[], float]]]:
    """Kind of number -> functions that measure multiply-adds a second."""
    import torch

    from pixelwise.backends.openvino import OpenVinoBackend
    from pixelwise.torch_runtime import choose_precision

    half = choose_precision(torch.device("cpu"))[0] == torch.bfloat16
    probes: dict[str, list[Callable[[], float]]] = {"float32": [peak_rate]}
    if half:
        probes["bfloat16"] = [lambda: peak_rate(half=True)]
    probes["int8"] = []
    for shape in SHAPES:
        model = fat(shape)
        probes["float32"].append(probe(OpenVinoBackend(model).logits, shape))
        if half:
            probes["bfloat16"].append(probe(OpenVinoBackend(model, half=True).logits, shape))
        probes["int8"].append(probe(quantised(model, list(drawn(shape))), shape))
    return probes


def measure(probes: dict[str, list[Callable[[], float]]]) -> Rates:
    """Multiply-adds a second of each kind of number: the fastest of its probes."""
    return {kind: max(probe() for probe in found) for kind, found in probes.items()}


def probe(answer: Callable[[np.ndarray], Any], shape: tuple[int, int, int]) -> Callable[[], float]:
    """Measures a compiled model of `fat`: the fastest of its calls."""
    count, channels, side = shape
    work = LAYERS * count * channels * channels * 9 * side * side
    images = drawn(shape)

    def rate() -> float:
        answer(images)
        best, calls, start = float("inf"), 0, time.perf_counter()
        while calls < LEAST_CALLS or time.perf_counter() - start < LEAST_SECONDS:
            begin = time.perf_counter()
            answer(images)
            best = min(best, time.perf_counter() - begin)
            calls += 1
        return work / best

    return rate


def drawn(shape: tuple[int, int, int]) -> np.ndarray:
    """`(N, side, side, 3) uint8`."""
    count, _, side = shape
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def fat(shape: tuple[int, int, int]) -> bytes:
    """An ONNX model: pictures to maps, fat 3x3 convolutions with ReLU, and one answer a pixel."""
    import onnx
    from onnx import helper, numpy_helper

    _, channels, side = shape
    random = np.random.default_rng(0)
    widths = (3, *(channels,) * (LAYERS + 1), 1)
    last = len(widths) - 2
    nodes = [
        helper.make_node("Transpose", ["images"], ["planes"], name="planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["map0"], name="map0", to=onnx.TensorProto.FLOAT),
    ]
    weights = []
    for i, (before, after) in enumerate(itertools.pairwise(widths)):
        kernel = 1 if i == last else 3
        values = random.normal(0, (2 / (before * kernel**2)) ** 0.5, (after, before, kernel, kernel))
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"kernel{i}"))
        result = "logits" if i == last else f"sum{i}"
        sides = [kernel // 2] * 4
        nodes.append(
            helper.make_node("Conv", [f"map{i}", f"kernel{i}"], [result], name=f"conv{i}", pads=sides)
        )
        if i != last:
            nodes.append(helper.make_node("Relu", [result], [f"map{i + 1}"], name=f"relu{i}"))
    given = helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["N", side, side, 3])
    answer = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 1, side, side])
    graph = helper.make_graph(nodes, "fat", [given], [answer], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


if __name__ == "__main__":
    main()
