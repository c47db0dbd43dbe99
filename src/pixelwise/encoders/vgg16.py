"""VGG16, the encoder of FCN and SegNet.

Source: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks", ICLR 2015, table 1, column D,
without its fully connected layers; with batch normalisation as SegNet uses it.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders.width import check_width
from pixelwise.nn.activation import Activation, make_activation
from pixelwise.nn.conv import ARITHMETICS, ConvNorm

# (channels, convolutions) of each block; a 2x2 max-pooling follows each.
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VGG16(nn.Module):
    """Features after the five poolings: 64, 128, 256, 512, 512 channels (at alpha 1) at strides of 2 to 32.

    Args:
        in_channels: Channels of the input.
        alpha: Factor of all channels.
        batch_norm: After every convolution.
        activation: After every convolution.

    Raises:
        ConfigError: An argument out of its range.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        alpha: float = 1.0,
        batch_norm: bool = False,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels, alpha=alpha)
        widths = [max(1, int(width * alpha)) for width, _ in _BLOCKS]
        blocks: list[nn.Sequential] = []
        channels = in_channels
        for width, (_, count) in zip(widths, _BLOCKS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers.append(conv3x3(channels, width, batch_norm=batch_norm, activation=activation))
                channels = width
            blocks.append(nn.Sequential(*layers))
        self.blocks = nn.ModuleList(blocks)
        self.channels = tuple(widths)
        self.strides = (2, 4, 8, 16, 32)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to five maps, `(N, channels[i], H / strides[i], W / strides[i])`."""
        features: list[Tensor] = []
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2)
            features.append(x)
        return features

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        return [[block] for block in self.blocks]

    def forward_with_indices(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last feature, and for each pooling where its maxima lay (as `UnpoolIndices` takes them)."""
        places: list[Tensor] = []
        for block in self.blocks:
            x, indices = F.max_pool2d(block(x), 2, return_indices=True)
            places.append(indices)
        return x, places


class ConvAct(nn.Module):
    """A 3x3 convolution with bias and zeros around, and an activation."""

    def __init__(self, in_channels: int, out_channels: int, activation: Activation) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(cast("Tensor", self.conv.bias))
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H, W)`."""
        return self.act(self.conv(x))


def conv3x3(in_channels: int, out_channels: int, *, batch_norm: bool, activation: Activation) -> nn.Module:
    """A 3x3 convolution with bias, perhaps batch normalisation, and activation, at the input's size."""
    if not batch_norm:
        return ConvAct(in_channels, out_channels, activation)
    layer = ConvNorm(
        in_channels, out_channels, bias=True, arithmetic=ARITHMETICS["torch"], activation=activation
    )
    nn.init.kaiming_normal_(layer.conv.weight, mode="fan_out", nonlinearity="relu")
    return layer


def torchvision_names(batch_norm: bool) -> dict[str, str]:
    """Torchvision's name of each layer of VGG16's features -> ours."""
    names: dict[str, str] = {}
    place = 0
    for block, (_, count) in enumerate(_BLOCKS):
        for layer in range(count):
            names[f"features.{place}"] = f"blocks.{block}.{layer}.conv"
            if batch_norm:
                names[f"features.{place + 1}"] = f"blocks.{block}.{layer}.bn"
            place += 3 if batch_norm else 2  # with its activation
        place += 1  # the pooling
    return names
