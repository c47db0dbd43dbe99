"""Encoders: channels, strides, widths and dilation as published."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pixelwise.encoders import ENCODERS, build_encoder
from pixelwise.encoders.width import divisible_by_8
from pixelwise.errors import ConfigError

CHANNELS = {
    "mit_b0": (32, 64, 160, 256),
    "mit_b1": (64, 128, 320, 512),
    "mit_b2": (64, 128, 320, 512),
    "mobilenet_v1": (64, 128, 256, 512, 1024),
    "mobilenet_v2": (16, 24, 32, 96, 320),
    "mobilenet_v3_large": (16, 24, 40, 112, 960),
    "mobilenet_v3_small": (16, 16, 24, 48, 576),
    "resnet18": (64, 64, 128, 256, 512),
    "resnet34": (64, 64, 128, 256, 512),
    "vgg16": (64, 128, 256, 512, 512),
    "vgg16_bn": (64, 128, 256, 512, 512),
}
# Without their classifiers; VGG16's is the sum over its 13 convolutions of 9 in out + out.
PARAMETERS = {
    # Table 6: 3.4, 13.1 and 24.2 M; transformers counts these, with a classifier of 256 or 512 x 1000 + 1000.
    "mit_b0": 3_319_392,
    "mit_b1": 13_151_424,
    "mit_b2": 24_196_288,
    "mobilenet_v1": 3_206_976,
    "mobilenet_v2": 1_811_712,
    # torchvision counts 5,483,032 and 2,542,856 with classifiers of 960 x 1280 x 1000 and 576 x 1024 x 1000.
    "mobilenet_v3_large": 5_483_032 - (960 * 1280 + 1280 + 1280 * 1000 + 1000),
    "mobilenet_v3_small": 2_542_856 - (576 * 1024 + 1024 + 1024 * 1000 + 1000),
    # torchvision counts 11,689,512 and 21,797,672 with their classifiers of 512 x 1000 + 1000.
    "resnet18": 11_689_512 - 513_000,
    "resnet34": 21_797_672 - 513_000,
    "vgg16": 14_714_688,
    "vgg16_bn": 14_714_688 + 2 * 4_224,
}


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ENCODERS)
def test_features(name: str) -> None:
    encoder = build_encoder(name)
    assert encoder.channels == CHANNELS[name]
    # A Mix Transformer begins with patches of stride 4.
    assert encoder.strides == (2, 4, 8, 16, 32)[5 - len(encoder.channels) :]
    assert isinstance(encoder, nn.Module)
    assert sum(p.numel() for p in encoder.parameters()) == PARAMETERS[name]
    with torch.no_grad():
        features = encoder.eval()(picture(64, 96))
    shapes = [(1, c, 64 // s, 96 // s) for c, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(f.shape) for f in features] == shapes


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("channels", [1, 4])
def test_other_numbers_of_input_channels(name: str, channels: int) -> None:
    encoder = build_encoder(name, {"in_channels": channels})
    finest = 32 // encoder.strides[0]
    assert encoder(picture(32, 32, channels).expand(2, -1, -1, -1))[0].shape[2:] == (finest, finest)


def test_widths_of_mobilenet_v2() -> None:
    # 11.2 rounds to 8, which is more than a tenth below, so 16; 44.8 to 48; 16 x 0.35 = 5.6 to the least, 8.
    widths = {11.2: 16, 16: 16, 24: 24, 44.8: 48, 5.6: 8, 33.6: 32, 320 * 1.4: 448}
    assert {value: divisible_by_8(value) for value in widths} == widths
    assert build_encoder("mobilenet_v2", {"alpha": 0.35}).channels == (8, 8, 16, 32, 112)
    assert build_encoder("mobilenet_v2", {"alpha": 1.4}).channels == (24, 32, 48, 136, 448)


def test_widths_of_mobilenet_v1() -> None:
    assert build_encoder("vgg16_bn", {"alpha": 0.25}).channels == (16, 32, 64, 128, 128)
    assert build_encoder("mobilenet_v1", {"alpha": 0.5}).channels == (32, 64, 128, 256, 512)
    one, two = (build_encoder("mobilenet_v1", {"depth_multiplier": m}) for m in (1, 2))
    count = [sum(p.numel() for p in e.parameters() if p.shape[1:2] == (1,)) for e in (one, two)]
    assert count[1] == 2 * count[0]


@pytest.mark.parametrize(
    ("output_stride", "strides", "dilated"),
    [
        (32, (2, 4, 8, 16, 32), {}),
        (16, (2, 4, 8, 16, 16), {14: 2, 15: 2, 16: 2}),
        (8, (2, 4, 8, 8, 8), {**dict.fromkeys(range(7, 14), 2), **dict.fromkeys(range(14, 17), 4)}),
    ],
)
def test_dilation_of_mobilenet_v2(
    output_stride: int, strides: tuple[int, ...], dilated: dict[int, int]
) -> None:
    encoder = build_encoder("mobilenet_v2", {"output_stride": output_stride})
    assert encoder.strides == strides
    rates = [block.depthwise.conv.dilation for block in encoder.blocks]  # pyright: ignore[reportAttributeAccessIssue]
    assert {i: rate for i, rate in enumerate(rates) if rate > 1} == dilated


@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_dilated_encoder_computes_the_strided_one_at_more_places(output_stride: int) -> None:
    """With symmetric padding a stride looks at every second place; its dilated form computes all of them."""
    strided = build_encoder("mobilenet_v2", {"arithmetic": "torch"}).eval().double()  # pyright: ignore
    for module in strided.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics of one picture, so that the signal lives to the end
    strided.train()(picture(128, 160).double())
    dense = build_encoder("mobilenet_v2", {"arithmetic": "torch", "output_stride": output_stride})
    dense.double()  # pyright: ignore
    dense.load_state_dict(strided.state_dict())  # pyright: ignore
    with torch.no_grad():
        coarse = strided.eval()(picture(128, 160).double())[-1]
        fine = dense.eval()(picture(128, 160).double())[-1]  # pyright: ignore
    step = 32 // output_stride
    assert coarse.abs().max() > 0.1
    torch.testing.assert_close(fine[:, :, ::step, ::step], coarse, rtol=1e-9, atol=1e-9)


def test_arithmetic_decides_where_a_stride_looks() -> None:
    keras, other = (build_encoder("mobilenet_v2", {"arithmetic": a}) for a in ("keras", "torch"))
    other.load_state_dict(keras.state_dict())  # pyright: ignore
    assert {m.eps for m in keras.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3}  # pyright: ignore
    assert {m.eps for m in other.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-5}  # pyright: ignore
    # Stride 2 over an even side: Keras' windows begin at 0, 2, 4 …, PyTorch's at -1, 1, 3 …
    spot = torch.zeros(1, 3, 8, 8)
    spot[:, :, 7, 7] = 1
    a, b = (e.stem.conv(spot).abs().sum(1)[0] > 0 for e in (keras, other))  # pyright: ignore
    assert a.nonzero().tolist() == [[3, 3]]
    assert b.nonzero().tolist() == [[3, 3]]
    spot = spot.flip(2, 3)
    a, b = (e.stem.conv(spot)[0] for e in (keras, other))  # pyright: ignore
    kernel = keras.stem.conv.weight.sum(1)  # pyright: ignore
    torch.testing.assert_close(a[:, 0, 0], kernel[:, 0, 0])
    torch.testing.assert_close(b[:, 0, 0], kernel[:, 1, 1])


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "resnet50",
            {},
            "there is no encoder 'resnet50'; there are mit_b0, mit_b1, mit_b2, mobilenet_v1, mobilenet_v2, ",
        ),
        ("vgg16", {"tap": 1}, "encoder vgg16 has no argument tap; it has in_channels, alpha, activation"),
        ("mobilenet_v1", {"alpha": 0}, "alpha must be above 0"),
        ("mobilenet_v2", {"alpha": "wide"}, "encoder mobilenet_v2: alpha must be float, got 'wide'"),
        ("mobilenet_v2", {"output_stride": 4}, "output_stride must be one of 8, 16, 32, got 4"),
        (
            "mobilenet_v2",
            {"activation": "gelu"},
            "activation must be one of relu, relu6, leaky-relu, sigmoid, tanh",
        ),
        ("mobilenet_v1", {"depth_multiplier": 0}, "depth_multiplier must lie in 1..16"),
        ("mit_b0", {"drop_path": 1.0}, "drop_path must lie in 0..1, got 1.0"),
        ("mit_b1", {"eps": 0.0}, "eps must lie in 0..1"),
        ("vgg16", {"in_channels": 0}, "in_channels must lie in 1..1024"),
    ],
)
def test_wrong_arguments(name: str, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_encoder(name, arguments)
