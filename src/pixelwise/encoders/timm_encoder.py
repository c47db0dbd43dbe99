"""Any network of timm that hands out its features, as an encoder: `timm:resnet50`, `timm:convnext_tiny`.

Source: R. Wightman, "PyTorch Image Models", 2019, https://github.com/huggingface/pytorch-image-models, with
the papers that its networks cite. Channels, strides and the range of its pictures are what timm says of them,
and a small picture checks that it is so. Knows no weights.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pixelwise.encoders.leading import leading_layers
from pixelwise.encoders.timm_package import load_timm
from pixelwise.encoders.width import check_width
from pixelwise.errors import ConfigError
from pixelwise.nn.normalise import convention_of

PREFIX = "timm:"
"""What the name of an encoder of timm begins with."""

STRIDES = (2, 4, 8, 16, 32)

_NAME = re.compile(r"\w+(\.\w+)?", re.ASCII)
"""A network of timm's own list, perhaps with the tag of its weights. Names from elsewhere, which timm takes
too, would make it fetch or open what a stranger's model file names."""


class TimmEncoder(nn.Module):
    """Features at those of the strides 2, 4, 8, 16 and 32 that the network has; patch stems begin at 4.

    Args:
        name: Of the encoder, with `timm:`.
        in_channels: Channels of the input.
        output_stride: 8 or 16 keep the deeper maps larger and dilate their convolutions instead, where timm
            has that for the network.
        drop_path: Share of residual branches that are left out in training (stochastic depth), rising from
            zero at the first one to this at the last, where timm has that for the network.

    Raises:
        ConfigError: timm is not installed, has no such network, or the network has no features, no dilated
            form, no drop-path, or takes pictures of one size only.
    """

    def __init__(
        self,
        *,
        name: str,
        in_channels: int = 3,
        output_stride: Literal[8, 16, 32] = 32,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels)
        if not 0 <= drop_path < 1:
            raise ConfigError(f"drop_path must lie in 0..1, got {drop_path}")
        self.name, self.in_channels = name, in_channels
        self.body = _build(name, in_channels=in_channels, output_stride=output_stride, drop_path=drop_path)
        self.channels: tuple[int, ...] = tuple(self.body.feature_info.channels())
        self.strides: tuple[int, ...] = tuple(self.body.feature_info.reduction())
        self._channels_last = str(getattr(self.body, "output_fmt", "NCHW")).endswith("NHWC")
        self._check()

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to maps, `(N, channels[i], H / strides[i], W / strides[i])`."""
        features = list(self.body(x))
        return [x.permute(0, 3, 1, 2) for x in features] if self._channels_last else features

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        return leading_layers(self, torch.zeros(1, self.in_channels, *(2 * [self.strides[-1]])))

    def _check(self) -> None:
        """Raises `ConfigError` where features are not what timm says, or need sides of other multiples."""
        side = self.strides[-1]
        self.eval()
        for height, width in ((side, side), (2 * side, 3 * side)):
            device = next(self.parameters()).device
            try:
                with torch.no_grad():
                    features = self(torch.zeros(1, self.in_channels, height, width, device=device))
            except Exception as error:  # a network's own words for a size that it does not take
                raise ConfigError(
                    f"{self.name} does not take pictures of any size ({short(error)}), which segmentation "
                    "needs: take another encoder"
                ) from error
            found = [tuple(feature.shape[1:]) for feature in features]
            sides = zip(self.channels, self.strides, strict=True)
            expected = [(count, height // stride, width // stride) for count, stride in sides]
            if found != expected:
                raise ConfigError(
                    f"{self.name} answers maps of {found} (channels, height, width) for a picture of "
                    f"{height} x {width}, where timm says {expected}: take another encoder"
                )
        self.train()


def create(name: str, options: Mapping[str, Any]) -> Any:
    """The module of timm, which answers features; its own errors for options that the network lacks."""
    own, build = name.removeprefix(PREFIX), load_timm().create_model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if timm_config(name).fixed_input_size:
            # Made for pictures of one size; those of windows can be had without that.
            with contextlib.suppress(TypeError):
                return build(own, features_only=True, strict_img_size=False, **options)
        return build(own, features_only=True, **options)


def features_at_strides(name: str, body: Any) -> tuple[int, ...]:
    """Which of a network's features are the deepest ones at each stride of `STRIDES`.

    Raises:
        ConfigError: None is.
    """
    reductions = [int(info["reduction"]) for info in body.feature_info.info]
    last = {stride: place for place, stride in enumerate(reductions) if stride in STRIDES}
    if not last:
        raise ConfigError(
            f"{name} has features at strides {', '.join(map(str, reductions))}, and decoders take those at "
            f"{', '.join(map(str, STRIDES))}: take another encoder"
        )
    return tuple(last[stride] for stride in sorted(last))


def timm_config(name: str) -> Any:
    """What timm says of a network's weights: `.mean` and `.std` of their pictures, `.hf_hub_id`, ….

    Raises:
        ConfigError: It has no such network, or none with weights of that tag.
    """
    own = name.removeprefix(PREFIX)
    timm = load_timm()
    network, _, tag = own.partition(".")
    if not _NAME.fullmatch(own) or not timm.is_model(network):
        close = difflib.get_close_matches(network, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(PREFIX + one for one in close)}? " if close else ""
        raise ConfigError(
            f"timm {timm.__version__} has no network {own!r}: {hint}timm.list_models() lists them"
        )
    try:
        return timm.get_pretrained_cfg(own)
    except RuntimeError as error:
        tags = sorted(found.partition(".")[2] for found in timm.list_pretrained(f"{network}.*"))
        raise ConfigError(
            f"timm {timm.__version__} has no weights {tag!r} of {network}; it has {', '.join(tags) or 'none'}"
        ) from error


def timm_convention(name: str) -> str:
    """The range of the pictures that an encoder's weights were trained with, as `nn.normalise` calls it.

    Raises:
        ConfigError: timm names a range that has no name there.
    """
    config = timm_config(name)
    found = convention_of(config.mean, config.std)
    if found is None:
        raise ConfigError(
            f"{name} wants pictures of mean {config.mean} and deviation {config.std}, which is none of the "
            "ranges known here: give the argument normalisation yourself"
        )
    return found


def _build(name: str, *, in_channels: int, output_stride: int, drop_path: float) -> Any:
    """The module with features at the strides of `STRIDES`, or what those have become by dilation."""
    options: dict[str, Any] = {"in_chans": in_channels}
    if output_stride != 32:
        # Which features they are is what the strides say before some of them are given up.
        with torch.device("meta"):
            options["out_indices"] = features_at_strides(name, _whole(name, {}))
        options["output_stride"] = output_stride
    if drop_path:
        options["drop_path_rate"] = drop_path
    body = _whole(name, options)
    if output_stride != 32:
        if max(body.feature_info.reduction()) != output_stride:
            raise _no_dilated_form(name)
        return body
    wanted = features_at_strides(name, body)
    count = len(body.feature_info.info)
    if wanted == tuple(place % count for place in body.feature_info.out_indices):
        return body
    return _whole(name, {**options, "out_indices": wanted})


def _whole(name: str, options: dict[str, Any]) -> Any:
    """`create`, with a sentence where the network lacks what is asked of it."""
    try:
        return create(name, options)
    except ConfigError:
        raise
    except Exception as error:  # of whatever kind the network's author took
        raise _what_it_lacks(name, options, error) from error


def _what_it_lacks(name: str, options: dict[str, Any], error: Exception) -> ConfigError:
    for option, sentence in (
        ("output_stride", _no_dilated_form(name)),
        ("drop_path_rate", ConfigError(f"{name} has no drop_path in timm: leave it away")),
    ):
        if option in options and _is_created(name, {k: v for k, v in options.items() if k != option}):
            return sentence
    return ConfigError(
        f"{name} hands out no features ({short(error)}): take another encoder, e.g. timm:resnet50"
    )


def _is_created(name: str, options: dict[str, Any]) -> bool:
    try:
        with torch.device("meta"):
            create(name, options)
    except Exception:
        return False
    return True


def _no_dilated_form(name: str) -> ConfigError:
    return ConfigError(f"{name} has no dilated form, so its output_stride must be 32")


def short(error: Exception) -> str:
    """The beginning of what timm, or a network of it, says of a failure."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text[:160]}"
