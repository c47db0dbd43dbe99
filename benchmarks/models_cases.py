"""The networks that `models.py` and `latency.py` measure, and whose they are measured beside.

Knows nothing of how they are measured. The nearest networks of segmentation_models.pytorch and torchvision
are those of the same architecture over the same encoder, or over the one that the library has for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A network of ours.

    Attributes:
        network: A name of `pixelwise models`.
        arguments: Of it, as `--model-args` has them.
        peers: The nearest of `peer_networks.PEERS`.
    """

    network: str
    arguments: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()


NEAREST: dict[str, tuple[str, ...]] = {
    "deeplabv3plus": ("smp-deeplabv3plus", "torchvision-deeplabv3_mobilenet_v3_large"),
    "fcn-8s": ("torchvision-fcn_resnet50",),
    "fpn": ("smp-fpn-resnet18",),
    "segformer-b0": ("smp-segformer-b0",),
    "segformer-b1": ("smp-segformer-b1",),
    "segformer-b2": ("smp-segformer-b2",),
    "lraspp": ("torchvision-lraspp_mobilenet_v3_large",),
}
"""Of networks as they are by default; neither library has the others, or not as wide."""

PAIRS: dict[str, Case] = {
    "unet on mobilenet_v2": Case(
        "unet", ("encoder=mobilenet_v2", "batch_norm=true"), ("smp-unet-mobilenet_v2",)
    ),
    "unet on resnet18": Case("unet", ("encoder=resnet18", "batch_norm=true"), ("smp-unet-resnet18",)),
    "unet on timm:efficientnet_b0": Case(
        "unet", ("encoder=timm:efficientnet_b0", "batch_norm=true"), ("smp-unet-efficientnet_b0",)
    ),
    "deeplabv3plus on resnet18": Case(
        "deeplabv3plus", ("encoder=resnet18", "output_stride=32"), ("smp-deeplabv3plus-resnet18",)
    ),
    "fpn on mobilenet_v2": Case("fpn", ("encoder=mobilenet_v2",), ("smp-fpn-mobilenet_v2",)),
    "upernet of width 256": Case("upernet", ("width=256",), ("smp-upernet-resnet18",)),
    "lraspp on mobilenet_v2": Case("lraspp", ("encoder=mobilenet_v2",)),
}
"""Networks over encoders that people pick, and as wide as the others' are."""


def all_cases() -> dict[str, Case]:
    """Every network of `pixelwise models` as it is by default, and then `PAIRS`."""
    from pixelwise.models import MODELS

    return {name: Case(name, peers=NEAREST.get(name, ())) for name in MODELS} | PAIRS


def result_name(question: str, only: str) -> str:
    """The name of a result's file without its date; one of some networks alone bears theirs."""
    return question + ("-" + re.sub(r"[^\w.,]+", "-", only) if only else "")


def chosen(text: str, cases: dict[str, Case]) -> dict[str, Case]:
    """The cases that a command line names, with commas between; all of them for an empty text.

    Raises:
        SystemExit: There is no such case; it lists what there is.
    """
    names = [name.strip() for name in text.split(",")] if text else list(cases)
    unknown = [name for name in names if name not in cases]
    if unknown:
        raise SystemExit(f"there is no network {', '.join(unknown)}; there are {', '.join(cases)}")
    return {name: cases[name] for name in names}
