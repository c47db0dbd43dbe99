"""The contestants of predict_speed.py: each a process that answers when it is told to.

    python predict_speed_contestants.py CONTESTANT NETWORK SIZE BATCH

Prints a line of facts when it is ready; then, for each number read, the seconds of that many answers. Knows
nothing of the others.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

CLASSES = {"unet-xception": 3, "mobilenet-segnet": 2, "deeplabv3plus": 2, "unet": 2}
"""As many as in the layer tables of the first three."""

Answer = Callable[[np.ndarray], Any]


def main() -> None:
    """Serves rounds until its input ends."""
    name, network, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    answer, facts = PEERS[name](CLASSES[network]) if name in PEERS else ours(name, network)(size)
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


def ours(name: str, network_name: str) -> Callable[[int], tuple[Answer, dict[str, Any]]]:
    """One of this project's ways to compute a network."""

    def make(size: int) -> tuple[Answer, dict[str, Any]]:
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
        if name == "openvino-bf16":
            return OpenVinoBackend(model, half=True).logits, facts
        backend = OnnxRuntimeBackend if name.startswith("onnxruntime") else OpenVinoBackend
        if not name.endswith("-int8"):
            return backend(model).logits, facts
        from pixelwise.export.quantise import quantised_onnx, quantised_openvino

        pictures = list(np.random.default_rng(1).integers(0, 256, (4, size, size, 3), np.uint8))
        if name == "onnxruntime-int8":
            return backend(quantised_onnx(model, pictures, keep=())).logits, facts
        from pixelwise.backends.openvino import core

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        quantised = quantised_openvino(model, pictures, keep=())
        compiled = core().compile_model(quantised, "CPU", settings)
        return lambda images: compiled([images])[0], facts

    return make


def eager(network: Any) -> Answer:
    """A network as people run one: `network(x)` in evaluation mode, maps in PyTorch's usual order."""
    import torch

    def answer(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float()
            result = network(x)
            return (result["out"] if isinstance(result, dict) else result).numpy()

    return answer


def smp(classes: int) -> tuple[Answer, dict[str, Any]]:
    """segmentation_models.pytorch's DeepLabV3+ on MobileNetV2, output stride 16."""
    _with_torchvision()
    import segmentation_models_pytorch

    network = segmentation_models_pytorch.DeepLabV3Plus("mobilenet_v2", encoder_weights=None, classes=classes)
    return eager(network.eval()), {"segmentation_models_pytorch": segmentation_models_pytorch.__version__}


def torchvision(name: str) -> Callable[[int], tuple[Answer, dict[str, Any]]]:
    """One of torchvision's networks."""

    def make(classes: int) -> tuple[Answer, dict[str, Any]]:
        package = _with_torchvision()
        from torchvision.models import segmentation

        made = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=classes)
        return eager(made.eval()), {"torchvision": package.__version__}

    return make


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

PEERS: dict[str, Callable[[int], tuple[Answer, dict[str, Any]]]] = {
    "smp-deeplabv3plus": smp,
    "torchvision-deeplabv3_mobilenet_v3_large": torchvision("deeplabv3_mobilenet_v3_large"),
    "torchvision-lraspp_mobilenet_v3_large": torchvision("lraspp_mobilenet_v3_large"),
}

if __name__ == "__main__":
    main()
