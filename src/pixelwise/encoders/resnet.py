"""ResNet-18 and ResNet-34, up to their last residual block.

Source: K. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1, with the 1x1
projections of its option B, as torchvision has them. Plain 3x3 convolutions throughout: more multiply-adds
than a MobileNet, and fewer milliseconds for each of them, on processors above all.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.encoders.width import check_width
from pixelwise.nn.activation import Activation, make_activation
from pixelwise.nn.conv import ARITHMETICS, Arithmetic, ConvNorm

_WIDTHS = (64, 128, 256, 512)
_ARITHMETIC = ARITHMETICS["torch"]


class ResNet(nn.Module):
    """Features of 64, 64, 128, 256 and 512 channels (at alpha 1) at strides 2, 4, 8, 16, 32.

    Args:
        blocks: Residual blocks of each of the four stages.
        in_channels: Channels of the input.
        alpha: Factor of all channels.
        activation: After every convolution but those of the projections.

    Raises:
        ConfigError: An argument out of its range.
    """

    def __init__(
        self, *, blocks: tuple[int, int, int, int], in_channels: int, alpha: float, activation: Activation
    ) -> None:
        super().__init__()
        check_width(in_channels=in_channels, alpha=alpha)
        widths = [max(1, int(width * alpha)) for width in _WIDTHS]
        self.channels = (widths[0], *widths)
        self.strides = (2, 4, 8, 16, 32)
        self.stem = ConvNorm(
            in_channels, widths[0], kernel_size=7, stride=2, arithmetic=_ARITHMETIC, activation=activation
        )
        layers: list[nn.Sequential] = []
        for number, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            before = widths[max(0, number - 1)]
            layers.append(
                nn.Sequential(
                    *(
                        BasicBlock(
                            before if place == 0 else width,
                            width,
                            stride=2 if place == 0 and number > 0 else 1,
                            arithmetic=_ARITHMETIC,
                            activation=activation,
                        )
                        for place in range(count)
                    )
                )
            )
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(N, C, H, W)` normalised to five maps, `(N, channels[i], H / strides[i], W / strides[i])`."""
        x = self.stem(x)
        features = [x]
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features

    def stages(self) -> list[list[nn.Module]]:
        """The layers by the feature that they lead to, finest first."""
        return [[self.stem], *([layer] for layer in self.layers)]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 projection where size or width change.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Of the first convolution and of the projection.
        arithmetic: Padding, eps and momentum.
        activation: After the first convolution, and after the sum.
        open_ended: Leave the activation after the sum out.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        arithmetic: Arithmetic,
        activation: Activation,
        open_ended: bool = False,
    ) -> None:
        super().__init__()
        self.first = ConvNorm(
            in_channels, out_channels, stride=stride, arithmetic=arithmetic, activation=activation
        )
        self.second = ConvNorm(out_channels, out_channels, arithmetic=arithmetic, activation=None)
        self.project = _projection(in_channels, out_channels, stride, arithmetic)
        self.act = nn.Identity() if open_ended else make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        return self.act(self.second(self.first(x)) + self.project(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, the last twice as wide, beside the identity or a projection.

    Nothing follows the sum.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, even.
        stride: Of the 3x3 convolution and of the projection.
        arithmetic: Padding, eps and momentum.
        activation: After the first two convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        arithmetic: Arithmetic,
        activation: Activation,
    ) -> None:
        super().__init__()
        narrow = out_channels // 2
        self.first = ConvNorm(
            in_channels, narrow, kernel_size=1, arithmetic=arithmetic, activation=activation
        )
        self.second = ConvNorm(narrow, narrow, stride=stride, arithmetic=arithmetic, activation=activation)
        self.third = ConvNorm(narrow, out_channels, kernel_size=1, arithmetic=arithmetic, activation=None)
        self.project = _projection(in_channels, out_channels, stride, arithmetic)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', ceil(H / stride), ceil(W / stride))`."""
        return self.third(self.second(self.first(x))) + self.project(x)


def _projection(in_channels: int, out_channels: int, stride: int, arithmetic: Arithmetic) -> nn.Module:
    """What stands beside a block: a 1x1 convolution where size or width change."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return ConvNorm(
        in_channels, out_channels, kernel_size=1, stride=stride, arithmetic=arithmetic, activation=None
    )


def resnet18(*, in_channels: int = 3, alpha: float = 1.0, activation: Activation = "relu") -> nn.Module:
    """ResNet-18: two blocks in each stage."""
    return ResNet(blocks=(2, 2, 2, 2), in_channels=in_channels, alpha=alpha, activation=activation)


def resnet34(*, in_channels: int = 3, alpha: float = 1.0, activation: Activation = "relu") -> nn.Module:
    """ResNet-34: 3, 4, 6 and 3 blocks."""
    return ResNet(blocks=(3, 4, 6, 3), in_channels=in_channels, alpha=alpha, activation=activation)


def torchvision_name(key: str) -> str | None:
    """Our name of a tensor in torchvision's ResNet-18 or 34; None for its classifier."""
    top, *rest = key.split(".")
    if top in ("conv1", "bn1"):
        return f"stem.{top[:-1]}.{rest[0]}"
    if not top.startswith("layer"):
        return None
    layer, (block, part, *last) = int(top[5:]) - 1, rest
    names = {"conv1": "first.conv", "bn1": "first.bn", "conv2": "second.conv", "bn2": "second.bn"}
    if part == "downsample":
        place, *last = last
        return f"layers.{layer}.{block}.project.{'conv' if place == '0' else 'bn'}.{last[0]}"
    return f"layers.{layer}.{block}.{names[part]}.{last[0]}"
