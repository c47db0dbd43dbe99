"""Every network small enough for tests, with weights as after some training, for all tests of networks."""

from __future__ import annotations

import copy
import functools
import importlib.util
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pixelwise.models import build_model

CLASSES = 4

CASES: dict[str, tuple[str, dict[str, object]]] = {
    "unet-xception": ("unet-xception", {}),
    "unet-xception-transposed": ("unet-xception", {"upsampling": "transposed"}),
    "mobilenet-segnet": ("mobilenet-segnet", {}),
    "mobilenet-segnet-f5": ("mobilenet-segnet", {"level": 5, "n_up": 5, "alpha": 0.25}),
    "segnet": ("segnet", {"encoder_arguments": {"alpha": 0.25}}),
    "fcn-32s": ("fcn-32s", {"head": "light", "encoder_arguments": {"alpha": 0.25}}),
    "fcn-16s": ("fcn-16s", {"head": "light", "encoder": "mobilenet_v1"}),
    "fcn-8s": (
        "fcn-8s",
        {"head": "light", "upsampling": "bilinear", "encoder_arguments": {"alpha": 0.25}},
    ),
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
    "fpn": ("fpn", {"width": 32, "head_width": 32, "encoder_arguments": {"alpha": 0.5}}),
    "upernet": ("upernet", {"width": 32, "encoder_arguments": {"alpha": 0.5}}),
    "lraspp": ("lraspp", {}),
    "lraspp-small": (
        "lraspp",
        {"encoder": "mobilenet_v3_small", "output_stride": 32, "tap": "last", "upsampling": "nearest"},
    ),
    "pidnet-s": ("pidnet-s", {"width": 16}),
    "deeplabv3plus-16": ("deeplabv3plus", {"output_stride": 16, "encoder_arguments": {"alpha": 0.5}}),
    "segformer-b0": ("segformer-b0", {}),
    "segformer-b1": ("segformer-b1", {"encoder_arguments": {"alpha": 0.25}}),
    "segformer-b2": ("segformer-b2", {"encoder_arguments": {"alpha": 0.125, "eps": 1e-5}}),
    "eomt-s": ("eomt-s", {"alpha": 0.125, "depth": 4}),
    "eomt-b": ("eomt-b", {"alpha": 0.0625, "depth": 2, "query_blocks": 1, "registers": 4}),
}
"""Every network, at its published size where that is quick, and its choices where they change the graph."""

needs_timm = pytest.mark.skipif(
    importlib.util.find_spec("timm") is None, reason="timm is missing: pip install 'pixelwise[timm]'"
)

TIMM_CASES: dict[str, tuple[str, dict[str, object]]] = {
    "unet-timm-convnext": ("unet", {"encoder": "timm:test_convnext", "upsampling": "nearest"}),
    "deeplabv3plus-timm-resnet": ("deeplabv3plus", {"encoder": "timm:test_resnet"}),
    "fpn-timm-efficientnet": ("fpn", {"encoder": "timm:test_efficientnet", "width": 32, "head_width": 32}),
}
"""Networks over the encoders that timm has for tests: a stem of patches, a dilated one, gates."""

with_timm = [*CASES, *(pytest.param(case, marks=needs_timm) for case in TIMM_CASES)]
"""All of them, for `parametrize`."""


def pictures(n: int, height: int, width: int, *, seed: int = 0) -> Tensor:
    """Raw RGB, `(N, 3, H, W) float32` in 0..255."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, height, width), generator=generator).float()


def fresh(case: str, *, seed: int) -> nn.Module:
    name, arguments = {**CASES, **TIMM_CASES}[case]
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
                if not module.weight.any():  # the last ones of timm's residual branches begin at zero
                    nn.init.ones_(module.weight)
        for parameter in network.parameters():
            if parameter.ndim > 1 and not parameter.any():  # FCN scores begin at zero
                parameter.normal_(0, 0.05, generator=generator)
        network.train()(pictures(4, 64, 64, seed=9))
    return network.eval()


def build(case: str, *, seed: int = 0) -> nn.Module:
    return copy.deepcopy(_trained(case, seed))


def photos(case: str, height: int, width: int) -> np.ndarray:
    """Two pictures, `(2, H, W, 3) uint8`, on which answers of different arithmetic can be compared.

    SegNet carries the places of maxima over. Where two values of a window are equal but for rounding, either
    is the larger one, which differs from processor to processor, and the answer jumps. For it pictures are
    drawn until no maximum is in doubt, and they are small, since there is one in doubt in 100,000.
    """
    if case != "segnet" or min(height, width) == 1:
        return np.random.default_rng(height).integers(0, 256, (2, height, width, 3), np.uint8)
    network = build(case)
    exact = copy.deepcopy(network).double()
    half = ((height + 1) // 2, (width + 1) // 2)
    drawn = (
        np.random.default_rng((height, seed)).integers(0, 256, (*half, 3), np.uint8)
        for seed in itertools.count()
    )
    sure = (image for image in itertools.islice(drawn, 200) if _sure_of_maxima(network, exact, image))
    return np.stack(list(itertools.islice(sure, 2)))


def _sure_of_maxima(network: nn.Module, exact: nn.Module, image: np.ndarray) -> bool:
    """Whether all maxima stand out by five times what float32 is off on their map."""
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    found = []
    for model, real in ((network, torch.float32), (exact, torch.float64)):
        with torch.no_grad(), _Pooled() as pooled:
            model(batch.to(real))
        found.append(pooled.inputs)
    for rounded, x in zip(*found, strict=True):
        off = (rounded - x).abs().max()
        first, second = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).topk(2).values.unbind(-1)
        # Windows on the border's copies have equal values, and the first of them wins everywhere; a maximum
        # that is nearly zero does no harm on the pixel beside.
        doubted = (first > 5 * off) & (first - second > 1e-9) & (first - second < 5 * off)
        if doubted.any():
            return False
    return True


class _Pooled(TorchDispatchMode):
    """Keeps what goes into each max-pooling that tells places."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket == torch.ops.aten.max_pool2d_with_indices:
            self.inputs.append(args[0].clone())
        return func(*args, **(kwargs or {}))
