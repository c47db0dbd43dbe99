"""Networks of other libraries, by name, with drawn weights: what our own are measured beside.

Imported under the peers' interpreter, which has segmentation_models.pytorch and torchvision; both are
imported when one of theirs is built, and torchvision works beside a processor-only torch. All answer raw
logits at the input's size; what their users do to pictures before is left out, in their favour. Knows nothing
of measuring.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[int], "nn.Module"]
"""Given the number of classes."""


def build_peer(name: str, classes: int) -> tuple[nn.Module, dict[str, Any]]:
    """A network of `PEERS` in training mode, and which version of which library it is."""
    network = PEERS[name](classes)
    library = library_of(name)
    return network, {"library": library, library: version(library)}


def library_of(name: str) -> str:
    """The distribution that a network of `PEERS` comes from."""
    return "torchvision" if name.startswith("torchvision-") else "segmentation_models_pytorch"


def smp(decoder: str, encoder: str, classes: int) -> nn.Module:
    """One of segmentation_models.pytorch's, all else as it is by default."""
    with_torchvision()
    import segmentation_models_pytorch

    return getattr(segmentation_models_pytorch, decoder)(encoder, encoder_weights=None, classes=classes)


def torchvision(name: str, classes: int) -> nn.Module:
    """One of torchvision's, its dictionary opened."""
    with_torchvision()
    from torch import nn
    from torchvision.models import segmentation

    class Out(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return self.network(x)["out"]

    return Out(getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=classes))


def with_torchvision() -> None:
    """Torchvision beside a processor-only torch: its compiled part is absent, and no network needs it."""
    import torch

    if _KEPT:
        return
    library = torch.library.Library("torchvision", "DEF")
    while True:
        try:
            import torchvision  # noqa: F401
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")
            for loaded in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[loaded]
        else:
            _KEPT.append(library)
            return


_KEPT: list[Any] = []

PEERS: dict[str, Build] = {
    "smp-unet-mobilenet_v2": partial(smp, "Unet", "mobilenet_v2"),
    "smp-unet-resnet18": partial(smp, "Unet", "resnet18"),
    "smp-unet-efficientnet_b0": partial(smp, "Unet", "tu-efficientnet_b0"),
    "smp-deeplabv3plus": partial(smp, "DeepLabV3Plus", "mobilenet_v2"),
    "smp-deeplabv3plus-resnet18": partial(smp, "DeepLabV3Plus", "resnet18"),
    "smp-fpn-mobilenet_v2": partial(smp, "FPN", "mobilenet_v2"),
    "smp-fpn-resnet18": partial(smp, "FPN", "resnet18"),
    "smp-upernet-resnet18": partial(smp, "UPerNet", "resnet18"),
    "smp-segformer-b0": partial(smp, "Segformer", "mit_b0"),
    "smp-segformer-b1": partial(smp, "Segformer", "mit_b1"),
    "smp-segformer-b2": partial(smp, "Segformer", "mit_b2"),
    "torchvision-fcn_resnet50": partial(torchvision, "fcn_resnet50"),
    "torchvision-deeplabv3_mobilenet_v3_large": partial(torchvision, "deeplabv3_mobilenet_v3_large"),
    "torchvision-lraspp_mobilenet_v3_large": partial(torchvision, "lraspp_mobilenet_v3_large"),
}
"""`smp-deeplabv3plus` stands on MobileNetV2 at output stride 16."""
