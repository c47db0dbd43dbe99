"""The contestants of predict_speed.py: each a process that answers when it is told to.

    python predict_speed_contestants.py CONTESTANT NETWORK SIZE BATCH

Prints a line of facts when it is ready; then, for each number read, the seconds of that many answers. All get
the same pictures, `(N, H, W, 3) uint8`, and all cores: no library is told how many threads to use. Knows
nothing of the others. The file runs under the peers' interpreters too, so whatever a contestant needs is
imported by it alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = {"unet-xception": 3, "mobilenet-segnet": 2, "deeplabv3plus": 2, "unet": 2}
"""As many as in the layer tables of the first three."""

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
"""Has these three in Keras."""

Answer = Callable[[np.ndarray], Any]
Made = tuple[Answer, dict[str, Any]]  # and what there is to know about the contestant


def main() -> None:
    """Serves rounds until its input ends."""
    name, network, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    answer, facts = PEERS[name](network, size) if name in PEERS else ours(name, network, size)
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


def ours(name: str, network_name: str, size: int) -> Made:
    """One of this project's ways to compute a network."""
    import torch

    from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
    from pixelwise.backends.openvino import OpenVinoBackend
    from pixelwise.backends.torch import FoldedBackend
    from pixelwise.graph import capture, simplify
    from pixelwise.graph.onnx import to_onnx
    from pixelwise.models import build_model
    from pixelwise.torch_runtime import keep_large_blocks

    network = build_model(network_name, num_classes=CLASSES[network_name], seed=0).eval()
    facts = {"torch": torch.__version__}
    if name == "eager":
        return eager(network), facts
    keep_large_blocks()  # as `pixelwise predict` does
    graph = capture(network)
    if not name.endswith("-plain"):
        graph = simplify(graph)
    if name.startswith("torch"):
        half = name.endswith("-bf16")
        return FoldedBackend(graph, torch.device("cpu"), half=half).logits, facts
    model = to_onnx(graph).SerializeToString()
    pictures = list(np.random.default_rng(1).integers(0, 256, (4, size, size, 3), np.uint8))
    if name.startswith("onnxruntime"):
        facts = {"onnxruntime": version("onnxruntime")}
        if name.endswith("-int8"):
            from pixelwise.export.quantise import quantised_onnx

            model = quantised_onnx(model, pictures, keep=())
        return OnnxRuntimeBackend(model).logits, facts
    facts = {"openvino": version("openvino")}
    if name.endswith("-int8"):
        return quantised(model, pictures), facts
    return OpenVinoBackend(model, half=name.endswith("-bf16")).logits, facts


def quantised(model: bytes, pictures: list[np.ndarray]) -> Answer:
    """An ONNX model in 8-bit numbers, compiled by OpenVINO as `OpenVinoBackend` would."""
    from pixelwise.backends.openvino import core
    from pixelwise.export.quantise import quantised_openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core().compile_model(quantised_openvino(model, pictures, keep=()), "CPU", settings)
    return lambda images: compiled([images])[0]


def eager(network: Any) -> Answer:
    """A network as people run one: `network(x)` in evaluation mode, maps in PyTorch's usual order."""
    import torch

    def answer(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float()
            result = network(x)
            return (result["out"] if isinstance(result, dict) else result).numpy()

    return answer


def smp(network_name: str, size: int) -> Made:
    """segmentation_models.pytorch's DeepLabV3+ on MobileNetV2, output stride 16."""
    del size
    _with_torchvision()
    import segmentation_models_pytorch

    classes = CLASSES[network_name]
    network = segmentation_models_pytorch.DeepLabV3Plus("mobilenet_v2", encoder_weights=None, classes=classes)
    return eager(network.eval()), {"segmentation_models_pytorch": segmentation_models_pytorch.__version__}


def torchvision(name: str) -> Callable[[str, int], Made]:
    """One of torchvision's networks."""

    def make(network_name: str, size: int) -> Made:
        del size
        package = _with_torchvision()
        from torchvision.models import segmentation

        classes = CLASSES[network_name]
        made = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=classes)
        return eager(made.eval()), {"torchvision": package.__version__}

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


def _with_torchvision() -> Any:
    """Torchvision beside a processor-only torch: its compiled part is absent, and no network needs it."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    while True:
        try:
            import torchvision
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")
            for loaded in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[loaded]
        else:
            _KEPT.append(library)
            return torchvision


_KEPT: list[Any] = []

PEERS: dict[str, Callable[[str, int], Made]] = {
    "keras-predict": keras_predict,
    "keras-function": keras_function,
    "smp-deeplabv3plus": smp,
    "torchvision-deeplabv3_mobilenet_v3_large": torchvision("deeplabv3_mobilenet_v3_large"),
    "torchvision-lraspp_mobilenet_v3_large": torchvision("lraspp_mobilenet_v3_large"),
}

if __name__ == "__main__":
    main()
