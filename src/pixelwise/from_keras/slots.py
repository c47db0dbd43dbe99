"""Which layer of ours each Keras layer of the tutorials' networks is, in the order of their layer tables.

Where the tutorials name a layer, the name stands here; elsewhere Keras numbers layers by class in the order
in which they were made, from whatever number the process had come to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

CONV, DEPTHWISE, SEPARABLE = "conv2d", "depthwise_conv2d", "separable_conv2d"
TRANSPOSED, NORM = "conv2d_transpose", "batch_normalization"


@dataclass(frozen=True)
class Slot:
    """A layer of ours that wants a Keras layer's weights.

    Attributes:
        kind: The Keras layer's class in snake case.
        target: Our module: the convolution or the batch normalisation itself.
        name: Its name in Keras; None where Keras numbers it.
    """

    kind: str
    target: str
    name: str | None = None


def _unet_xception(network: nn.Module) -> list[Slot]:
    """Chollet's script names nothing."""
    slots = [Slot(CONV, "stem.conv"), Slot(NORM, "stem.bn")]
    for part, kind, count in (("encoder", SEPARABLE, 3), ("decoder", TRANSPOSED, 4)):
        for i in range(count):
            block = f"{part}.{i}"
            for j in (1, 2):
                slots += [Slot(kind, f"{block}.conv{j}"), Slot(NORM, f"{block}.bn{j}")]
            slots.append(Slot(CONV, f"{block}.residual"))
    return [*slots, Slot(CONV, "head")]


def _mobilenet_segnet(network: nn.Module) -> list[Slot]:
    """The encoder has names, the decoder numbers."""
    slots = [Slot(CONV, "encoder.stem.conv", "conv1"), Slot(NORM, "encoder.stem.bn", "conv1_bn")]
    for i in range(_count(network, "encoder.blocks")):
        for part, kind, short in (("depthwise", DEPTHWISE, "dw"), ("pointwise", CONV, "pw")):
            ours, name = f"encoder.blocks.{i}.{part}", f"conv_{short}_{i + 1}"
            slots += [Slot(kind, f"{ours}.conv", name), Slot(NORM, f"{ours}.bn", f"{name}_bn")]
    slots += [Slot(CONV, "first"), Slot(NORM, "first_bn")]
    for i in range(_count(network, "decoder")):
        slots += [Slot(CONV, f"decoder.{i}.conv"), Slot(NORM, f"decoder.{i}.bn")]
    return [*slots, Slot(CONV, "head")]


def _deeplabv3plus(network: nn.Module) -> list[Slot]:
    """All but the last layer have names."""

    def both(kind: str, ours: str, conv: str, norm: str) -> list[Slot]:
        return [Slot(kind, f"{ours}.conv", conv), Slot(NORM, f"{ours}.bn", norm)]

    slots = both(CONV, "encoder.stem", "Conv", "Conv_BN")
    for i in range(_count(network, "encoder.blocks")):
        name = "expanded_conv" + (f"_{i}" if i else "")
        parts = [("expand", CONV)] if i else []
        for part, kind in (*parts, ("depthwise", DEPTHWISE), ("project", CONV)):
            slots += both(kind, f"encoder.blocks.{i}.{part}", f"{name}_{part}", f"{name}_{part}_BN")
    # Branches that run side by side: the table sorts their layers by depth.
    rates = range(_count(network, "aspp.atrous"))
    for i in rates:
        slots += both(
            DEPTHWISE, f"aspp.atrous.{i}.depthwise", f"aspp{i + 1}_depthwise", f"aspp{i + 1}_depthwise_BN"
        )
    slots += both(CONV, "aspp.image_pooling", "image_pooling", "image_pooling_BN")
    slots += both(CONV, "aspp.pixel", "aspp0", "aspp0_BN")
    for i in rates:
        slots += both(
            CONV, f"aspp.atrous.{i}.pointwise", f"aspp{i + 1}_pointwise", f"aspp{i + 1}_pointwise_BN"
        )
    slots += both(CONV, "aspp.project", "concat_projection", "concat_projection_BN")
    slots += both(CONV, "skip", "feature_projection0", "feature_projection0_BN")
    for i in range(2):
        name = f"decoder_conv{i}"
        for part, kind in (("depthwise", DEPTHWISE), ("pointwise", CONV)):
            slots += both(kind, f"refine.{i}.{part}", f"{name}_{part}", f"{name}_{part}_BN")
    return [*slots, Slot(CONV, "head")]


def _count(network: nn.Module, path: str) -> int:
    """How many modules a list of the network holds."""
    module = network.get_submodule(path)
    return sum(1 for _ in module.children())


SLOTS: dict[str, Callable[[nn.Module], list[Slot]]] = {
    "unet-xception": _unet_xception,
    "mobilenet-segnet": _mobilenet_segnet,
    "deeplabv3plus": _deeplabv3plus,
}
"""Networks that the Keras tutorials train."""
