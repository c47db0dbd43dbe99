"""What `predict_speed.py` measures, and what is required of it. Knows nothing of how it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WHOLE = ("onnxruntime-int8", "openvino-int8")
HALF = ("torch-bf16", "openvino-bf16")
"""Where the processor multiplies bfloat16."""
REAL = ("onnxruntime", "openvino")
OURS = ("eager", "torch", "onnxruntime-plain", *REAL, *WHOLE, *HALF)
KERAS = ("keras-predict", "keras-function")
SMP = "smp-deeplabv3plus"
AT_416 = (SMP, "torchvision-deeplabv3_mobilenet_v3_large", "torchvision-lraspp_mobilenet_v3_large")

MUST_BESIDE = {SMP: 2.0}
"""Times as fast as this peer that the best of ours must be, wherever the two are measured."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network at one size and batch.

    Attributes:
        counted: The contestants of which the best counts.
        must: Times as fast as eager that it must be; None where nothing is required.
        aim: And should be.
        peers: Who else takes part, given an interpreter.
    """

    network: str
    size: int
    batch: int
    counted: tuple[str, ...]
    must: float | None = None
    aim: float | None = None
    peers: tuple[str, ...] = ()


ALL = (*REAL, *HALF, *WHOLE)
CASES = (
    Case(network="unet-xception", size=160, batch=1, counted=REAL, must=3.5, aim=5.0, peers=KERAS),
    Case(
        network="unet-xception",
        size=160,
        batch=8,
        counted=(*HALF, *WHOLE),
        must=10.0,
        aim=14.0,
        peers=KERAS,
    ),
    Case(
        network="mobilenet-segnet",
        size=416,
        batch=1,
        counted=(*HALF, *WHOLE),
        must=5.0,
        aim=8.0,
        peers=KERAS,
    ),
    Case(
        network="deeplabv3plus",
        size=416,
        batch=1,
        counted=ALL,
        must=4.0,
        aim=6.0,
        peers=(*KERAS, *AT_416),
    ),
    Case(network="deeplabv3plus", size=416, batch=8, counted=ALL),
    Case(network="unet", size=256, batch=1, counted=ALL, must=3.0, aim=5.0),
)

# Written before the measurement.
EXPECTED = (
    "Cores with AVX2 alone have no bfloat16 and gain little from 8-bit products: 2 to 3 times eager for "
    "unet-xception, 2 for the others, under 1.5 for the fat convolutions of unet. Cores with AVX-512 in "
    "float32: 3.5 times eager for unet-xception, 2 to 3 for the others. Those with tiles of bfloat16 "
    "(AMX): 10 times and more with it, and 8-bit numbers no faster than that. Keras: `predict` takes tens of "
    "ms more than its network, so that a single small picture is ten times as fast with ours; the network "
    "alone, as a function, is about as fast as eager PyTorch. Of its own peak unet, with its fat "
    "convolutions, reaches 60 to 90% in float32, and less in fewer bits, where moving maps weighs more; "
    "networks of depthwise convolutions stay below half of that."
)


def kind(name: str) -> str:
    """The numbers that one of ours multiplies."""
    return "int8" if name in WHOLE else "bfloat16" if name in HALF else "float32"


def title(row: dict[str, Any]) -> str:
    """Names a case."""
    return f"{row['network']} {row['size']}x{row['size']}, batch {row['batch']}"


def shortfalls(rows: list[dict[str, Any]], path: dict[str, Any] | None) -> list[str]:
    """What is short of what is required, in words."""
    short = [
        f"{title(row)}: {row['best']:.2f} times eager, must be {row['must']}"
        for row in rows
        if row["must"] is not None and row["best"] < row["must"]
    ]
    for row in rows:
        for name, times in row["best_beside"].items():
            must = MUST_BESIDE.get(name)
            if must is not None and times["median"] < must:
                short.append(f"{title(row)}: {times['median']:.2f} times as fast as {name}, must be {must}")
    if path is not None and path["more_than_network"]["median"] > path["must"]:
        more = path["more_than_network"]["median"]
        short.append(f"from JPEG to PNG: {more:.0%} beyond the network, may be {path['must']:.0%}")
    return short
