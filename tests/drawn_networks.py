"""Every network small enough for tests, with weights as after some training, for all tests of networks."""

from __future__ import annotations

import copy
import functools

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.models import build_model

CLASSES = 4

CASES: dict[str, tuple[str, dict[str, object]]] = {
    "unet-xception": ("unet-xception", {}),
    "unet-xception-transposed": ("unet-xception", {"upsampling": "transposed"}),
    "mobilenet-segnet": ("mobilenet-segnet", {}),
    "mobilenet-segnet-f5": ("mobilenet-segnet", {"level": 5, "n_up": 5, "alpha": 0.25}),
    "segnet": ("segnet", {}),
    "fcn-32s": ("fcn-32s", {"head": "light"}),
    "fcn-16s": ("fcn-16s", {"head": "light", "encoder": "mobilenet_v1"}),
    "fcn-8s": ("fcn-8s", {"head": "light", "upsampling": "bilinear"}),
    "fcn-8s-mobilenet": ("fcn-8s", {"head": "light", "encoder": "mobilenet_v2"}),
    "unet": ("unet", {"width": 16}),
    "unet-valid": ("unet", {"width": 8, "padding": "valid", "batch_norm": True}),
    "unet-indices": ("unet", {"width": 8, "upsampling": "unpool-indices"}),
    "unet-mobilenet": ("unet", {"encoder": "mobilenet_v2", "upsampling": "nearest"}),
    "unet-resnet": (
        "unet",
        {
            "encoder": "resnet18",
            "encoder_arguments": {"alpha": 0.5},
            "native_stride": 4,
            "upsampling": "bilinear",
            "batch_norm": True,
        },
    ),
    "deeplabv3plus": ("deeplabv3plus", {}),
    "deeplabv3plus-auxiliary": ("deeplabv3plus", {"auxiliary": True, "output_stride": 32}),
    "deeplabv3plus-16": ("deeplabv3plus", {"output_stride": 16, "encoder_arguments": {"alpha": 0.5}}),
}
"""Every network, at its published size where that is quick, and its choices where they change the graph."""


def assert_off_by_rounding(found: np.ndarray, exact: np.ndarray, bound: float, case: str = "") -> None:
    """Holds every value to the bound, and half of SegNet's.

    SegNet carries the places of maxima over, and of two that are equal but for rounding either may be the
    larger one, which differs from processor to processor. It then lands on the pixel beside, and all that see
    it change; where the function is another one, all values do.
    """
    share = float((np.abs(found - exact) > bound).mean())
    assert share <= (0.5 if case == "segnet" else 0), f"{100 * share:.2f}% of the values are off by more"


def pictures(n: int, height: int, width: int, *, seed: int = 0) -> Tensor:
    """Raw RGB, `(N, 3, H, W) float32` in 0..255."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, height, width), generator=generator).float()


def fresh(case: str, *, seed: int) -> nn.Module:
    name, arguments = CASES[case]
    return build_model(name, num_classes=CLASSES, arguments=arguments, seed=seed)


@functools.cache
def _trained(case: str, seed: int) -> nn.Module:
    """A network as after some training: statistics of a few pictures, no layer that is still at zero."""
    network = fresh(case, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # a plain mean over what it sees
        for parameter in network.parameters():
            if parameter.ndim > 1 and not parameter.any():  # FCN scores begin at zero
                parameter.normal_(0, 0.05, generator=generator)
        network.train()(pictures(4, 64, 64, seed=9))
    return network.eval()


def build(case: str, *, seed: int = 0) -> nn.Module:
    return copy.deepcopy(_trained(case, seed))
