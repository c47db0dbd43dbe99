"""DINOv2's weights for `encoders.vit`, as timm publishes them, brought to its patches and places by timm.

timm resamples the patches' kernel from 14 pixels to 16 (L. Beyer et al., "FlexiViT", CVPR 2023) and the
position embedding from 37 places to 32, which is what EoMT's authors do. Knows no decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pixelwise.encoders.timm_encoder import PREFIX
from pixelwise.encoders.timm_weights import fetch_timm, whole_tensors
from pixelwise.encoders.vit import GRID, PATCH

_TIMM = {"dinov2_small": "vit_small_patch14_{}dinov2", "dinov2_base": "vit_base_patch14_{}dinov2"}

DINOV2 = tuple(_TIMM)
"""Names of the encoders that have such weights."""


def fetch_dinov2(encoder: str, *, cache: Path | None = None) -> Path:
    """The file of an encoder's weights without registers; errors as of `fetch_timm`."""
    return fetch_timm(_timm_name(encoder, registers=False), cache=cache)


def dinov2_tensors(encoder: str, tensors: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors of an encoder, and how many registers they have.

    Args:
        encoder: One of `DINOV2`.
        tensors: Of the file: timm's whole network, or DINOv2's own.
        path: Of the file, for messages.

    Raises:
        ConfigError: They are those of another network, or not all are there.
    """
    registers = any(name.rpartition(".")[2] in ("reg_token", "register_tokens") for name in tensors)
    options = {"patch_size": PATCH, "img_size": PATCH * GRID, "num_classes": 0}
    found = whole_tensors(_timm_name(encoder, registers=registers), tensors, path, options)
    return found, 4 if registers else 0


def _timm_name(encoder: str, *, registers: bool) -> str:
    return PREFIX + _TIMM[encoder].format("reg4_" if registers else "")
