"""The contestants of predict_speed.py: each a process that answers when it is told to.

    python predict_speed_contestants.py CONTESTANT NETWORK SIZE BATCH [CLASSES [NAME=VALUE ...]]

SIZE is a side or HEIGHTxWIDTH; number of classes and arguments of the network are for our own.
Prints a line of facts when it is ready; then, for each number read, the seconds of that many answers. All get
the same pictures, `(N, H, W, 3) uint8`, and all cores: no library is told how many threads to use. Knows
nothing of the others. The file runs under the peers' interpreters too, so whatever a contestant needs is
imported by it alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from peer_networks import PEERS, build_peer

CLASSES = {"unet-xception": 3, "mobilenet-segnet": 2, "deeplabv3plus": 2, "unet": 2}
"""As many as in the layer tables of the first three."""

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
"""Has these three in Keras."""

Answer = Callable[[np.ndarray], Any]
Made = tuple[Answer, dict[str, Any]]  # and what there is to know about the contestant


def main() -> None:
    """Serves rounds until its input ends."""
    name, network, size, count, *more = sys.argv[1:]
    height, width = map(int, size.split("x")) if "x" in size else (int(size), int(size))
    images = np.random.default_rng(0).integers(0, 256, (int(count), height, width, 3), np.uint8)
    if name in OTHERS:
        answer, facts = OTHERS[name](network, height)
    else:
        classes, arguments = (int(more[0]), more[1:]) if more else (CLASSES[network], [])
        answer, facts = ours(name, build_ours(network, classes, arguments), (height, width))
    answer(images)
    answer(images)
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            answer(images)
            seconds.append(time.perf_counter() - begin)
        print(json.dumps(seconds), flush=True)


def build_ours(name: str, classes: int, arguments: list[str]) -> Any:
    """A network of this project with drawn weights, as it predicts; arguments as `--model-args` has them."""
    from pixelwise.models import build_model
    from pixelwise.models.auxiliary import drop_auxiliary
    from pixelwise.nn.arguments import parse_arguments

    network = build_model(name, num_classes=classes, arguments=parse_arguments(arguments), seed=0)
    drop_auxiliary(network)
    return network.eval()


def ours(name: str, network: Any, size: tuple[int, int]) -> Made:
    """One of this project's ways to compute a network."""
    import torch

    from pixelwise.graph import capture, simplify
    from pixelwise.torch_runtime import keep_large_blocks

    facts = {"torch": torch.__version__}
    if name == "eager":
        return eager(network), facts
    keep_large_blocks()  # as `pixelwise predict` does
    graph = capture(network)
    if not name.endswith("-plain"):
        graph = simplify(graph)
    if not name.endswith("-labels"):
        return computed(name, graph, size)
    from pixelwise.inference.coarse import CoarseLogits

    graph = graph.coarse()
    logits, facts = computed(name.removesuffix("-labels"), graph, size)
    return lambda images: [CoarseLogits(one, graph.stride, size).labels() for one in logits(images)], facts


def computed(name: str, graph: Any, size: tuple[int, int]) -> Made:
    """A graph in one of the backends."""
    import torch

    from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
    from pixelwise.backends.openvino import OpenVinoBackend
    from pixelwise.backends.torch import FoldedBackend
    from pixelwise.graph.onnx import to_onnx

    facts = {"torch": torch.__version__}
    if name.startswith("torch"):
        half = name.endswith("-bf16")
        return FoldedBackend(graph, torch.device("cpu"), half=half).logits, facts
    model = to_onnx(graph).SerializeToString()
    pictures = list(np.random.default_rng(1).integers(0, 256, (4, *size, 3), np.uint8))
    if name.startswith("onnxruntime"):
        facts = {"onnxruntime": version("onnxruntime")}
        if name.endswith("-int8"):
            from pixelwise.export.quantise import quantised_onnx

            model = quantised_onnx(model, pictures, keep=())
        return OnnxRuntimeBackend(model).logits, facts
    facts = {"openvino": version("openvino")}
    if name.endswith("-int8"):
        # As predict computes the network alone: free rows and columns are another thing in 8 bits.
        return quantised(model, pictures, size if graph.stride > 1 else None), facts
    return OpenVinoBackend(model, half=name.endswith("-bf16")).logits, facts


def quantised(model: bytes, pictures: list[np.ndarray], size: tuple[int, int] | None = None) -> Answer:
    """An ONNX model in 8-bit numbers, compiled by OpenVINO as `OpenVinoBackend` would."""
    from pixelwise.backends.openvino import core
    from pixelwise.export.quantise import quantised_openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    network = quantised_openvino(model, pictures, keep=())
    if size is not None:
        network.reshape([-1, *size, 3])
    compiled = core().compile_model(network, "CPU", settings)
    return lambda images: compiled([images])[0]


def eager(network: Any) -> Answer:
    """A network as people run one: `network(x)` in evaluation mode, maps in PyTorch's usual order."""
    import torch

    def answer(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float()
            return network(x).numpy()

    return answer


def peer(name: str) -> Callable[[str, int], Made]:
    """One of `peer_networks.PEERS`, eager."""

    def make(network_name: str, size: int) -> Made:
        del size
        network, facts = build_peer(name, CLASSES[network_name])
        return eager(network.eval()), facts

    return make


def keras_predict(network_name: str, size: int) -> Made:
    """`model.predict`, as Keras' tutorials call it: probabilities of the pictures as they are."""
    model, facts = _keras(network_name, size)

    def answer(images: np.ndarray) -> np.ndarray:
        return model.predict(images, verbose=0)

    answer(np.zeros((1, size, size, 3), np.uint8))
    return answer, {**facts, "jit_compile": model.jit_compile}  # which Keras decides at the first answer


def keras_function(network_name: str, size: int) -> Made:
    """The same model as a graph of TensorFlow, without the data pipeline that `predict` makes each time."""
    model, facts = _keras(network_name, size)
    import tensorflow

    function = tensorflow.function(lambda images: model(images, training=False))
    return lambda images: function(images).numpy(), facts


def _keras(network_name: str, size: int) -> tuple[Any, dict[str, Any]]:
    """The network as its source has it, checked against its layer table; TensorFlow's own settings.

    Its pictures' normalisation stands outside of it there and is left out, in Keras' favour.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow

    sys.path.append(str(GOLDEN))
    from keras_networks import build

    keras.utils.set_random_seed(0)
    model = build(network_name, (size, size))
    return model, {
        "keras": keras.__version__,
        "tensorflow": tensorflow.__version__,
        "parameters": model.count_params(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "TensorFlow's default (on)"),
    }


OTHERS: dict[str, Callable[[str, int], Made]] = {
    "keras-predict": keras_predict,
    "keras-function": keras_function,
    **{name: peer(name) for name in PEERS},
}

if __name__ == "__main__":
    main()
