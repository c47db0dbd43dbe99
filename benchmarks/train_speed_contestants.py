"""The contestants of `train_speed.py`: each trains the same network on the same batch in its own process.

A contestant is started once, warms up, and then waits: a line with a number on its standard input makes it
train that many steps and answer with their seconds. So the machine belongs to one contestant at a time, and
they can take turns. The file runs under other interpreters too (TensorFlow, segmentation_models.pytorch), so
pixelwise, torch and Keras are imported by those contestants only that need them.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Step = Callable[[], float]  # one training step; returns the loss
Made = tuple[Step, dict[str, Any]]  # and what there is to know about the contestant

CLASSES, RATE = 3, 1e-3

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
"""Has the tutorial's network in Keras."""


def batch(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """`(N, H, W, 3) float32` in 0..255 and `(N, H, W, 1) uint8` train ids, as a loader hands them over."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, size, size, 3)).astype(np.float32)
    return pictures, random.integers(0, CLASSES, (count, size, size, 1)).astype(np.uint8)


def ours(count: int, size: int) -> Made:
    """Pixelwise as `pixelwise train` sets it up."""
    from pixelwise.torch_runtime import choose_precision, keep_large_blocks

    allocator = keep_large_blocks()  # before torch allocates anything
    import torch

    from pixelwise.losses import cross_entropy
    from pixelwise.models import build_model
    from pixelwise.training.rmsprop import KerasRMSprop

    precision, why = choose_precision(torch.device("cpu"))
    network = build_model("unet-xception", num_classes=CLASSES, seed=0)
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = KerasRMSprop(network.parameters(), lr=RATE)
    pictures, masks = batch(count, size)

    def step() -> float:
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # a view: NHWC memory is channels_last
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            logits = network(x)
        loss = cross_entropy(logits, torch.from_numpy(masks[..., 0]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step, {"torch": torch.__version__, "precision": why, "allocator": allocator}


def plain(count: int, size: int) -> Made:
    """The published graph in PyTorch as most would write it: NCHW, torch's RMSprop, nothing set."""
    import torch
    import torch.nn.functional as F

    from pixelwise.models.unet_xception import UNetXception

    torch.manual_seed(0)
    network = UNetXception(num_classes=CLASSES)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=RATE, alpha=0.9, eps=1e-7)
    return _torch_step(network.forward_published, optimizer, F.cross_entropy, count, size)


def smp(count: int, size: int) -> Made:
    """segmentation_models.pytorch's U-Net on MobileNetV2, as its users run it: another, larger network."""
    import segmentation_models_pytorch
    import torch
    import torch.nn.functional as F

    torch.manual_seed(0)
    network = segmentation_models_pytorch.Unet("mobilenet_v2", encoder_weights=None, classes=CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    step, facts = _torch_step(network, optimizer, F.cross_entropy, count, size)
    return step, {**facts, "segmentation_models_pytorch": segmentation_models_pytorch.__version__}


def _torch_step(forward: Any, optimizer: Any, loss_of: Any, count: int, size: int) -> Made:
    import torch

    pictures, masks = batch(count, size)
    x = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
    y = torch.from_numpy(masks[..., 0].astype(np.int64))

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(forward(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, {"torch": torch.__version__}


def keras_float32(count: int, size: int) -> Made:
    """Keras on TensorFlow, as the tutorial writes it."""
    return _keras("float32", count, size)


def keras_bfloat16(count: int, size: int) -> Made:
    """The same under Keras' mixed_bfloat16 policy."""
    return _keras("mixed_bfloat16", count, size)


def _keras(policy: str, count: int, size: int) -> Made:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow

    sys.path.append(str(GOLDEN))
    from keras_networks import build

    keras.mixed_precision.set_global_policy(policy)
    keras.utils.set_random_seed(0)
    model = build("unet-xception", (size, size))
    model.compile(optimizer=keras.optimizers.RMSprop(RATE), loss="sparse_categorical_crossentropy")
    pictures, masks = batch(count, size)
    facts = {
        "keras": keras.__version__,
        "tensorflow": tensorflow.__version__,
        "parameters": model.count_params(),
        "jit_compile": model.jit_compile,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "TensorFlow's default (on)"),
    }
    return lambda: float(model.train_on_batch(pictures, masks)), facts


def peak(count: int, size: int) -> Made:
    """No training: the rate of fat float32 convolutions, the fastest of a few shapes and layouts.

    A step's "loss" is the best rate in multiply-adds a second; the share of the peak is taken against it.
    """
    del count, size
    import torch
    from machine import peak_rate

    return peak_rate, {"torch": torch.__version__}


CONTESTANTS: dict[str, Callable[[int, int], Made]] = {
    "ours": ours,
    "plain": plain,
    "keras-float32": keras_float32,
    "keras-bfloat16": keras_bfloat16,
    "smp": smp,
    "peak": peak,
}


def main() -> None:
    """Arguments: contestant, batch size, picture size, steps to warm up."""
    name, count, size, warm_up = sys.argv[1], *map(int, sys.argv[2:5])
    # Libraries print to standard output as they like; the answers go through a copy that they don't know.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    step, facts = CONTESTANTS[name](count, size)
    for _ in range(warm_up):
        step()
    answer(python=sys.version.split()[0], numpy=np.__version__, **facts)
    for line in sys.stdin:
        seconds, loss = [], 0.0
        for _ in range(int(line)):
            start = time.perf_counter()
            loss = step()
            seconds.append(time.perf_counter() - start)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer(seconds=seconds, loss=loss, peak_memory_mib=round(memory))


if __name__ == "__main__":
    main()
