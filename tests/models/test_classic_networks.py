"""What the papers say of SegNet, FCN, U-Net and DeepLabv3+, counted by hand; and every wrong argument."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.models import build_model
from pixelwise.models.summary import count_parameters, summarize
from pixelwise.models.unet import VALID_FRAME


def pictures(n: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, height, width), generator=generator).float()


def meta(name: str, num_classes: int = 21, **arguments: object) -> nn.Module:
    """Shapes without weights, for counting."""
    with torch.device("meta"):
        return build_model(name, num_classes=num_classes, arguments=arguments)


# ------------------------------------------------------------------------------------------ FCN

VGG16 = 14_714_688


@pytest.mark.parametrize(("name", "skips"), [("fcn-32s", 0), ("fcn-16s", 1), ("fcn-8s", 2)])
def test_parameters_of_fcn(name: str, skips: int) -> None:
    k, stride = 21, {0: 32, 1: 16, 2: 8}[skips]
    head = 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * k + k
    scores = sum(c * k + k for c in (512, 256)[:skips])
    ups = (
        skips * k * k * 16 + k * (2 * stride) ** 2
    )  # learned 4x4 for each pair; the last, fixed, for each class
    network = meta(name)
    assert count_parameters(network) == VGG16 + head + scores + ups
    fixed = [n for n, p in network.named_parameters() if not p.requires_grad]
    assert fixed == ["last_up.weight"]


def test_fcn_begins_without_an_opinion() -> None:
    network = build_model("fcn-8s", num_classes=3, arguments={"head": "light"}, seed=0).eval()
    with torch.no_grad():
        assert not network(pictures(1, 64, 64)).any()


def test_the_last_upsampling_of_fcn_is_bilinear() -> None:
    network = build_model("fcn-32s", num_classes=2, arguments={"head": "light"}, seed=0)
    scores = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(scores, scale_factor=32, mode="bilinear", align_corners=False)
    with torch.no_grad():
        found = network.last_up(scores)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(found[..., 16:-16, 16:-16], expected[..., 16:-16, 16:-16])


def test_skips_of_fcn_are_added_where_they_belong() -> None:
    """FCN-8s with silent skips is FCN-32s up to how it enlarges: scores pass two doublings."""
    arguments = {"head": "light", "upsampling": "nearest"}
    coarse, fine = (
        build_model(n, num_classes=2, arguments=arguments, seed=4).eval() for n in ("fcn-32s", "fcn-8s")
    )
    with torch.no_grad():
        coarse.score.weight.normal_(generator=torch.Generator().manual_seed(1))  # pyright: ignore
        fine.load_state_dict({**fine.state_dict(), **coarse.state_dict()})
        x = pictures(1, 64, 96)
        torch.testing.assert_close(fine(x), coarse(x))
        fine.scores[1].bias.copy_(torch.tensor([2.0, 0.0]))  # pyright: ignore
        difference = fine(x) - coarse(x)
    torch.testing.assert_close(difference[:, 0], torch.full((1, 64, 96), 2.0), rtol=0, atol=1e-4)
    assert difference[:, 1].abs().max() < 1e-4


# --------------------------------------------------------------------------------------- SegNet


def test_parameters_of_segnet() -> None:
    # 26 convolutions of 3x3 with bias; batch normalisation after all but the last.
    encoder = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    decoder = [512, 512, 512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64]
    k = 11
    expected = 0
    for widths in (encoder, decoder):
        for i, o in pairwise(widths):
            expected += 9 * i * o + o + 4 * o
    expected += 9 * 64 * k + k
    assert count_parameters(meta("segnet", k)) == expected


def test_segnet_unpools_by_the_encoders_indices() -> None:
    network = build_model("segnet", num_classes=2, seed=0).eval()
    seen: list[tuple[Tensor, Tensor]] = []
    for up in network.ups:  # pyright: ignore
        up.register_forward_hook(lambda _m, given, out: seen.append((given[1], out)))
    with torch.no_grad():
        network(pictures(1, 64, 64))
    assert [tuple(out.shape[1:]) for _, out in seen] == [
        (512, 4, 4),
        (512, 8, 8),
        (256, 16, 16),
        (128, 32, 32),
        (64, 64, 64),
    ]
    for indices, out in seen:
        places = torch.zeros_like(out).flatten(2).scatter(2, indices.flatten(2), 1.0).bool()
        assert not out.flatten(2)[~places].any()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_segnet_on_vgg16_without_batch_normalisation(activation: str) -> None:
    network = meta("segnet", 2, encoder="vgg16", activation=activation)
    assert count_parameters(network) == count_parameters(meta("segnet", 2)) - 4 * 4_224
    assert {type(layer.act) for block in network.encoder.blocks for layer in block} == {  # pyright: ignore
        nn.ReLU if activation == "relu" else nn.Tanh
    }


def test_segnet_mirrors_a_slim_encoder_and_gives_others_the_published_decoder() -> None:
    slim = meta("segnet", 2, encoder_arguments={"alpha": 0.25})
    assert [stage[-1].bn.num_features for stage in slim.stages] == [128, 64, 32, 16]  # pyright: ignore
    assert slim.head.in_channels == 16  # pyright: ignore
    other = meta("segnet", 2, encoder="mobilenet_v2", upsampling="bilinear")
    assert [stage[-1].bn.num_features for stage in other.stages] == [512, 256, 128, 64]  # pyright: ignore


# ---------------------------------------------------------------------------------------- U-Net


def test_unet_as_published() -> None:
    # 23 convolutions; 1 input channel and 2 classes in the paper, 3 and 2 here.
    assert count_parameters(meta("unet", 2, padding="valid")) == 31_030_658 + 2 * 9 * 64
    network = build_model("unet", num_classes=2, arguments={"padding": "valid", "width": 4}, seed=0).eval()
    sizes: list[int] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[-1]))
    with torch.no_grad():
        assert network.forward_native(torch.zeros(1, 3, 572, 572)).shape == (1, 2, 388, 388)  # pyright: ignore
    # Figure 1, left to right.
    assert (
        sizes
        == [570, 568, 282, 280, 138, 136, 66, 64, 30, 28, 54, 52, 102, 100, 198, 196, 390, 388, 388][:19]
    )


def test_valid_sizes() -> None:
    assert VALID_FRAME.side(388) == 572
    assert VALID_FRAME.side(389) == 588
    assert VALID_FRAME.side(1) == VALID_FRAME.side(4) == 188
    for size in range(1, 600):
        side = VALID_FRAME.side(size)
        for _ in range(4):
            side -= 4
            assert side % 2 == 0
            side //= 2
        for _ in range(4):
            side = (side - 4) * 2
        assert size <= side - 4 < size + 16


def test_unet_has_batch_normalisation_over_a_named_encoder_alone() -> None:
    def norms(**arguments: object) -> int:
        ups = meta("unet", 2, **arguments).ups
        return sum(isinstance(module, nn.BatchNorm2d) for module in ups.modules())  # pyright: ignore

    assert norms() == norms(encoder="mobilenet_v2", batch_norm=False) == 0
    assert norms(encoder="mobilenet_v2") == norms(encoder="mobilenet_v2", batch_norm=True) == 2 * 5
    arguments = meta("unet", 2, encoder="mobilenet_v2").architecture.arguments  # pyright: ignore
    assert arguments["batch_norm"] is True  # written down, whatever the default becomes


def test_unet_without_padding_does_not_see_the_frame() -> None:
    """Far from the border a picture and a crop of it get the same logits: nothing was padded with zeros."""
    network = build_model("unet", num_classes=2, arguments={"padding": "valid", "width": 4}, seed=0).eval()
    picture = pictures(1, 420, 420)
    with torch.no_grad():
        whole, part = network(picture), network(picture[:, :, 16:404, 16:404])
    inner = slice(100, 280)
    torch.testing.assert_close(whole[:, :, 116:296, 116:296], part[:, :, inner, inner], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", ["nearest", "bilinear", "unpool-corner", "unpool-indices", "transposed"])
def test_unet_upsamples_every_way(way: str) -> None:
    network = build_model("unet", num_classes=2, arguments={"upsampling": way, "width": 4}, seed=0)
    logits = network(pictures(2, 32, 48))
    logits.square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


# -------------------------------------------------------------------------------------- DeepLab


def test_rates_of_deeplab() -> None:
    for arguments, rates in (({}, [6, 12, 18]), ({"double_rates": True}, [12, 24, 36])):
        network = meta("deeplabv3plus", **arguments)
        assert [b.depthwise.conv.dilation for b in network.aspp.atrous] == rates  # pyright: ignore


def test_deeplab_answers_at_a_quarter() -> None:
    for stride in (8, 16, 32):
        rows = summarize(meta("deeplabv3plus", output_stride=stride), (256, 256)).rows
        assert rows[-1].output == (64, 64, 21)
        pyramid = next(row for row in rows if row.name == "aspp.project.conv")
        assert pyramid.output == (256 // stride, 256 // stride, 256)


# ---------------------------------------------------------------------------- choices of all of them

DECODERS = (
    "unet-xception",
    "mobilenet-segnet",
    "segnet",
    "fcn-32s",
    "fcn-16s",
    "fcn-8s",
    "unet",
    "deeplabv3plus",
    "fpn",
    "upernet",
)


@pytest.mark.parametrize("way", ["nearest", "bilinear", "unpool-corner", "unpool-repeat", "transposed"])
@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_upsamples_three_ways(name: str, way: str) -> None:
    network = meta(name, upsampling=way)
    assert network(torch.empty(2, 3, 64, 96, device="meta")).shape == (2, 21, 64, 96)


@pytest.mark.parametrize("encoder", ["mobilenet_v1", "mobilenet_v2", "vgg16", "vgg16_bn"])
@pytest.mark.parametrize(
    "name", ["segnet", "fcn-32s", "fcn-16s", "fcn-8s", "unet", "deeplabv3plus", "fpn", "upernet"]
)
def test_decoders_stand_on_every_encoder(name: str, encoder: str) -> None:
    own = {"deeplabv3plus": {"output_stride": 32}, "segnet": {"upsampling": "nearest"}}.get(name, {})
    network = meta(name, encoder=encoder, **own)
    assert network(torch.empty(1, 3, 61, 83, device="meta")).shape == (1, 21, 61, 83)


@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky-relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("name", DECODERS[1:])
def test_activations_are_one_argument(name: str, activation: str) -> None:
    kinds = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leaky-relu": nn.LeakyReLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
    }
    network = meta(name, activation=activation)
    assert any(type(module) is kinds[activation] for module in network.modules())
    assert network(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 21, 64, 64)


# ------------------------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("mobilenet-segnet", {"n_up": 1}, "n_up must be at least 2, got 1"),
        ("mobilenet-segnet", {"n_up": 5}, "level 4 has stride 16, so n_up must be at most 4"),
        ("mobilenet-segnet", {"level": 6}, "level must be one of 1, 2, 3, 4, 5, got 6"),
        ("mobilenet-segnet", {"upsampling": "unpool-indices"}, "unpool-indices needs a decoder that mirrors"),
        (
            "segnet",
            {"encoder": "mobilenet_v1"},
            "puts values back where max-pooling found them, and mobilenet",
        ),
        (
            "segnet",
            {"encoder_arguments": {"activation": "tanh"}},
            "segnet decides the encoder's activation itself",
        ),
        (
            "segnet",
            {
                "encoder": "mobilenet_v2",
                "encoder_arguments": {"output_stride": 8},
                "upsampling": "nearest",
            },
            "segnet doubles its maps five times, but mobilenet_v2 here has strides",
        ),
        ("segnet", {"upsampling": "cubic"}, "upsampling must be one of nearest, bilinear, unpool-corner, "),
        ("fcn-8s", {"stride": 4}, "fcn-8s has no argument stride; it has encoder, "),
        ("fcn-8s", {"head": "heavy"}, "head must be one of published, light, got 'heavy'"),
        ("fcn-8s", {"dropout": 1.0}, "dropout must lie in 0..1"),
        (
            "fcn-8s",
            {"encoder": "mobilenet_v2", "encoder_arguments": {"output_stride": 8}},
            "output stride 32",
        ),
        ("fcn-32s", {"encoder": "vgg19"}, "there is no encoder 'vgg19'; there are mit_b0, mit_b1, "),
        ("fcn-32s", {"encoder_arguments": {"in_channels": 4}}, "decides the encoder's in_channels itself"),
        ("unet", {"padding": "reflect"}, "padding must be one of valid, same, got 'reflect'"),
        ("unet", {"padding": "valid", "upsampling": "unpool-indices"}, "maps shrink after the pooling"),
        ("unet", {"padding": "valid", "encoder": "vgg16"}, "a named encoder pads its convolutions"),
        ("unet", {"encoder_arguments": {"alpha": 1.0}}, "encoder_arguments need an encoder"),
        ("unet", {"encoder": "mobilenet_v2", "encoder_arguments": {"output_stride": 8}}, "here has strides"),
        ("unet", {"width": 0}, "width must lie in 1..1024"),
        ("unet", {"batch_norm": "yes"}, "batch_norm must be bool, got 'yes'"),
        ("deeplabv3plus", {"output_stride": 4}, "output_stride must be one of 8, 16, 32, got 4"),
        ("deeplabv3plus", {"encoder": "vgg16"}, "vgg16 has no dilated form, so its output_stride must be 32"),
        (
            "deeplabv3plus",
            {"encoder_arguments": {"output_stride": 8}},
            "output_stride is|decides the encoder's",
        ),
        ("lraspp", {"encoder": "vgg16"}, "vgg16 has no dilated form, so its output_stride must be 32"),
        (
            "lraspp",
            {"encoder_arguments": {"output_stride": 16}},
            "decides the encoder's output_stride itself",
        ),
        ("lraspp", {"encoder_arguments": {"tap": "last"}}, "decides the encoder's tap itself"),
        ("deeplabv3plus", {"eps": 0}, "eps must lie in 0..1"),
        ("fpn", {"width": 0}, "width must lie in 1..2048, got 0"),
        ("fpn", {"head_width": 30}, "head_width must be a multiple of 4 in 4..2048, got 30"),
        ("fpn", {"norm": "layer"}, "norm must be one of group, batch, got 'layer'"),
        ("fpn", {"dropout": 1}, "dropout must lie in 0..1"),
        (
            "fpn",
            {"encoder": "mobilenet_v2", "encoder_arguments": {"output_stride": 16}},
            "fpn halves its maps",
        ),
        ("upernet", {"width": 4000}, "width must lie in 1..2048"),
        ("upernet", {"dropout": -1}, "dropout must lie in 0..1"),
        ("upernet", {"upsampling": "unpool-indices"}, "unpool-indices needs a decoder that mirrors"),
        ("deeplabv3plus", {"normalisation": "zscore"}, "normalisation must be one of identity, unit, "),
    ],
)
def test_wrong_arguments(name: str, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        meta(name, 2, **arguments)
