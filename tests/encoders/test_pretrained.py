"""Pretrained weights: the real ones against an independent forward pass, fetching, and every refusal."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from pixelwise.encoders import build_encoder
from pixelwise.encoders.pretrained import adapt_first_layer, load_pretrained, read_pretrained
from pixelwise.encoders.published import PUBLISHED, Published, fetch_published
from pixelwise.errors import ConfigError, DataError
from pixelwise.header import ModelHeader
from pixelwise.model_file import save_model
from pixelwise.models import build_model
from pixelwise.types import Classes, SizePolicy

REAL = Path(__file__).resolve().parents[3] / "shared" / "weights" / "mobilenet_v2-b0353104.pth"
needs_weights = pytest.mark.skipif(not REAL.is_file(), reason="the real weights are not beside the checkout")


def picture(height: int = 96, width: int = 128) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def torchvision_mobilenet_v2(weights: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """The forward pass of torchvision's network, from its own names, by plain functions."""

    def norm(x: Tensor, key: str) -> Tensor:
        mean, var = weights[f"{key}.running_mean"], weights[f"{key}.running_var"]
        return F.batch_norm(x, mean, var, weights[f"{key}.weight"], weights[f"{key}.bias"], eps=1e-5)

    def conv(x: Tensor, key: str, stride: int = 1) -> Tensor:
        kernel = weights[f"{key}.weight"]
        groups = x.shape[1] if kernel.shape[1] == 1 else 1
        return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)

    x = F.relu6(norm(conv(x, "features.0.0", 2), "features.0.1"))
    features = []
    for i in range(1, 18):
        before, key = x, f"features.{i}.conv"
        stride = 2 if i in (2, 4, 7, 14) else 1
        if i == 1:
            x = F.relu6(norm(conv(x, f"{key}.0.0", stride), f"{key}.0.1"))
            x = norm(conv(x, f"{key}.1"), f"{key}.2")
        else:
            x = F.relu6(norm(conv(x, f"{key}.0.0"), f"{key}.0.1"))
            x = F.relu6(norm(conv(x, f"{key}.1.0", stride), f"{key}.1.1"))
            x = norm(conv(x, f"{key}.2"), f"{key}.3")
        if stride == 1 and before.shape[1] == x.shape[1]:
            x = x + before
        if i in (1, 3, 6, 13, 17):
            features.append(x)
    return features


@needs_weights
def test_the_real_mobilenet_v2_computes_what_torchvisions_does() -> None:
    found = read_pretrained("mobilenet_v2", str(REAL))
    assert found.normalisation == "imagenet"
    encoder = build_encoder("mobilenet_v2", found.arguments)
    load_pretrained(encoder, found)  # pyright: ignore[reportArgumentType]
    weights = torch.load(REAL, weights_only=True)
    with torch.no_grad():
        ours = encoder.eval()(picture())  # pyright: ignore[reportAttributeAccessIssue]
        theirs = torchvision_mobilenet_v2(weights, picture())
    for a, b in zip(ours, theirs, strict=True):
        assert b.abs().max() > 0.1
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@needs_weights
@pytest.mark.parametrize("name", ["deeplabv3plus", "unet", "fcn-8s"])
def test_networks_follow_their_weights(name: str) -> None:
    arguments = {"encoder": "mobilenet_v2", **({"head": "light"} if name == "fcn-8s" else {})}
    network = build_model(name, num_classes=2, arguments=arguments, weights=str(REAL), seed=0)
    own = network.architecture.arguments  # pyright: ignore[reportAttributeAccessIssue]
    assert own["normalisation"] == "imagenet"  # pyright: ignore
    assert own["encoder_arguments"]["arithmetic"] == "torch"  # pyright: ignore
    weights = torch.load(REAL, weights_only=True)
    assert torch.equal(network.encoder.stem.conv.weight, weights["features.0.0.weight"])  # pyright: ignore
    again = build_model(name, num_classes=2, arguments=dict(own))  # pyright: ignore
    again.load_state_dict(network.state_dict())
    batch = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0)).float()
    with torch.no_grad():
        assert torch.equal(again.eval()(batch), network.eval()(batch))


@needs_weights
def test_arguments_that_contradict_the_weights() -> None:
    def build(**arguments: object) -> None:
        build_model("deeplabv3plus", num_classes=2, arguments=arguments, weights=str(REAL))

    with pytest.raises(ConfigError, match="trained with normalisation=imagenet, so unit cannot be"):
        build(normalisation="unit")
    with pytest.raises(ConfigError, match="trained with arithmetic=torch, so keras cannot be"):
        build(encoder_arguments={"arithmetic": "keras"})
    with pytest.raises(ConfigError, match=r"stem\.conv\.weight is .*; its width \(alpha\) must be that"):
        build(encoder_arguments={"alpha": 0.5})
    with pytest.raises(
        ConfigError, match="no tensor has a name of torchvision's vgg16_bn; it holds features"
    ):
        build_model("segnet", num_classes=2, weights=str(REAL))
    with pytest.raises(ConfigError, match="no foreign weights can be read for mobilenet_v1"):
        build_model("mobilenet-segnet", num_classes=2, weights=str(REAL))
    with pytest.raises(ConfigError, match="unet-xception has no encoder that weights are known for"):
        build_model("unet-xception", num_classes=2, weights="imagenet")
    with pytest.raises(ConfigError, match="name one with the argument encoder"):
        build_model("unet", num_classes=2, weights="imagenet")


def torchvision_vgg16(batch_norm: bool) -> tuple[dict[str, Tensor], list[tuple[str, str]]]:
    """Drawn weights under torchvision's names, and the steps of its forward pass."""
    generator = torch.Generator().manual_seed(2)
    weights: dict[str, Tensor] = {}
    steps: list[tuple[str, str]] = []
    channels = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            key = f"features.{len(steps)}"
            kernel = torch.randn(width, channels, 3, 3, generator=generator)
            weights[f"{key}.weight"] = kernel * (2 / (9 * channels)) ** 0.5
            weights[f"{key}.bias"] = torch.randn(width, generator=generator)
            steps.append(("conv", key))
            if batch_norm:
                key = f"features.{len(steps)}"
                for part in ("weight", "bias", "running_mean", "running_var"):
                    weights[f"{key}.{part}"] = torch.rand(width, generator=generator) + 0.5
                weights[f"{key}.num_batches_tracked"] = torch.tensor(7)
                steps.append(("norm", key))
            steps.append(("relu", ""))
            channels = width
        steps.append(("pool", ""))
    weights["classifier.0.weight"] = torch.zeros(4, 4)
    return weights, steps


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn"])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_vgg16_from_torchvisions_names(name: str, ending: str, tmp_path: Path) -> None:
    weights, steps = torchvision_vgg16(name == "vgg16_bn")
    path = tmp_path / f"vgg.{ending}"
    if ending == "pth":
        torch.save(weights, path)
    else:
        save_file(weights, path)
    x, theirs = picture(32, 64), []
    for kind, key in steps:  # the number of a layer is its place, activations and poolings counted
        if kind == "conv":
            x = F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], padding=1)
        elif kind == "norm":
            mean, var = weights[f"{key}.running_mean"], weights[f"{key}.running_var"]
            x = F.batch_norm(x, mean, var, weights[f"{key}.weight"], weights[f"{key}.bias"])
        elif kind == "relu":
            x = x.relu()
        else:
            x = F.max_pool2d(x, 2)
            theirs.append(x)
    encoder = build_encoder(name)
    load_pretrained(encoder, read_pretrained(name, str(path)))  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        ours = encoder.eval()(picture(32, 64))  # pyright: ignore[reportAttributeAccessIssue]
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def torchvision_resnet18() -> tuple[dict[str, Tensor], list[str]]:
    """Drawn weights under torchvision's names, classifier included, and the names of its blocks."""
    generator = torch.Generator().manual_seed(3)
    weights: dict[str, Tensor] = {}

    def conv(name: str, *shape: int) -> None:
        weights[f"{name}.weight"] = (
            torch.randn(shape, generator=generator) / (shape[1] * shape[2] ** 2) ** 0.5
        )

    def norm(name: str, channels: int) -> None:
        weights[f"{name}.weight"] = 0.5 + torch.rand(channels, generator=generator)
        for part in ("bias", "running_mean"):
            weights[f"{name}.{part}"] = 0.1 * torch.randn(channels, generator=generator)
        weights[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=generator)

    conv("conv1", 64, 3, 7, 7)
    norm("bn1", 64)
    blocks, before = [], 64
    for layer, width in enumerate((64, 128, 256, 512), start=1):
        for place in range(2):
            name = f"layer{layer}.{place}"
            blocks.append(name)
            conv(f"{name}.conv1", width, before, 3, 3)
            norm(f"{name}.bn1", width)
            conv(f"{name}.conv2", width, width, 3, 3)
            norm(f"{name}.bn2", width)
            if width != before:
                conv(f"{name}.downsample.0", width, before, 1, 1)
                norm(f"{name}.downsample.1", width)
            before = width
    weights["fc.weight"], weights["fc.bias"] = torch.zeros(1000, 512), torch.zeros(1000)
    return weights, blocks


def test_resnet18_from_torchvisions_names(tmp_path: Path) -> None:
    """Against a forward pass written from the published names alone."""
    weights, blocks = torchvision_resnet18()

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, scale, shift = (
            weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, scale, shift, eps=1e-5)

    x = picture(64, 96)
    expected = [norm(F.conv2d(x, weights["conv1.weight"], stride=2, padding=3), "bn1").relu()]
    y = F.max_pool2d(expected[0], 3, 2, 1)
    for name in blocks:
        stride = 2 if f"{name}.downsample.0.weight" in weights else 1
        z = norm(F.conv2d(y, weights[f"{name}.conv1.weight"], stride=stride, padding=1), f"{name}.bn1").relu()
        z = norm(F.conv2d(z, weights[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
        if stride == 2:
            y = norm(F.conv2d(y, weights[f"{name}.downsample.0.weight"], stride=2), f"{name}.downsample.1")
        y = (y + z).relu()
        if name.endswith(".1"):
            expected.append(y)
    path = tmp_path / "resnet18.pth"
    torch.save(weights, path)
    encoder = build_encoder("resnet18")
    assert isinstance(encoder, nn.Module)
    published = read_pretrained("resnet18", str(path))
    assert published.normalisation == "imagenet"
    load_pretrained(encoder, published)
    with torch.no_grad():
        features = encoder.eval()(x)
    for found, wanted in zip(features, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


def test_the_first_layer_for_other_channels() -> None:
    kernel = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(3))
    grey = picture()[:, :1]
    same = F.conv2d(grey, adapt_first_layer(kernel, 1))
    torch.testing.assert_close(same, F.conv2d(grey.expand(-1, 3, -1, -1), kernel), rtol=1e-5, atol=1e-5)
    assert torch.equal(adapt_first_layer(kernel, 3), kernel)
    five = adapt_first_layer(kernel, 5)
    assert torch.equal(five, kernel[:, [0, 1, 2, 0, 1]] * (3 / 5))


def test_a_trained_network_gives_its_encoder_away(tmp_path: Path) -> None:
    network = build_model("mobilenet-segnet", num_classes=2, arguments={"alpha": 0.25}, seed=1)
    header = ModelHeader(
        network.architecture,  # pyright: ignore[reportArgumentType]
        Classes(("a", "b")),
        SizePolicy("resize", (32, 32)),
    )
    save_model(tmp_path / "run.safetensors", network, header)
    path = str(tmp_path / "run.safetensors")
    arguments = {"alpha": 0.25, "normalisation": "symmetric"}
    other = build_model("mobilenet-segnet", num_classes=5, arguments=arguments, weights=path, seed=2)
    assert torch.equal(other.encoder.stem.conv.weight, network.encoder.stem.conv.weight)  # pyright: ignore
    assert not torch.equal(other.first.weight, network.first.weight)  # pyright: ignore
    with pytest.raises(ConfigError, match="trained with normalisation=symmetric, so unit cannot be"):
        build_model(
            "mobilenet-segnet",
            num_classes=5,
            arguments={**arguments, "normalisation": "unit"},
            weights=path,
        )


class _Code:
    """What a hostile pickle would run; here it only leaves a mark."""

    ran = False

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (_mark, ("x",))


def _mark(_: str) -> None:
    _Code.ran = True


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    def refuse(name: str, error: type[Exception], said: str) -> None:
        with pytest.raises(error, match=said):
            read_pretrained("vgg16", str(tmp_path / name))

    refuse("gone.pth", ConfigError, "no such weights; give imagenet, or a .pth or .safetensors file")
    torch.save({"features.0.weight": _Code()}, tmp_path / "code.pth")
    refuse("code.pth", ConfigError, "holds more than tensors .*could run code")
    assert not _Code.ran
    (tmp_path / "text.pth").write_text("weights")
    refuse("text.pth", ConfigError, "holds more than tensors|no torch file")
    torch.save([1, 2], tmp_path / "list.pth")
    refuse("list.pth", ConfigError, "holds no state dict")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    refuse("other.pth", ConfigError, "no tensor has a name of torchvision's vgg16")
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "cut.safetensors")
    content = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-100])
    refuse("cut.safetensors", DataError, "truncated or damaged")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "cut.pth")
    content = (tmp_path / "cut.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    refuse("cut.pth", DataError, "truncated, damaged or no torch file")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.pth")
    with pytest.raises(ConfigError, match=r"the weights lack blocks\.0\.0\.conv\.bias"):
        load_pretrained(build_encoder("vgg16"), read_pretrained("vgg16", str(tmp_path / "part.pth")))  # pyright: ignore


# ------------------------------------------------------------------------------------- fetching


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serves drawn VGG16 weights under their published name; yields the paths that were asked for."""
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "weights")
    content = (tmp_path / "weights").read_bytes()
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{http.server_address[1]}/vgg16-drawn.pth"
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(PUBLISHED, "vgg16", Published(url, len(content), digest))
        yield asked
        http.shutdown()


def test_published_weights_are_fetched_once(server: list[str], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = fetch_published("vgg16", cache=cache)
    assert fetch_published("vgg16", cache=cache) == first == cache / "vgg16-drawn.pth"
    assert server == ["/vgg16-drawn.pth"]
    assert "blocks.0.0.conv.weight" in read_pretrained("vgg16", "imagenet", cache=cache).tensors
    first.write_bytes(b"changed on disk")
    fetch_published("vgg16", cache=cache)
    assert len(server) == 2
    assert not list(cache.glob("*.part"))


def test_weights_with_the_wrong_checksum_are_not_kept(
    server: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = PUBLISHED["vgg16"]
    monkeypatch.setitem(PUBLISHED, "vgg16", Published(right.url, right.size, "0" * 64))
    with pytest.raises(DataError, match=r"wrong checksum and was deleted.*give its path as the weights"):
        fetch_published("vgg16", cache=tmp_path / "cache", pause=0)
    assert not list((tmp_path / "cache").iterdir())


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:1/vgg16.pth"
    monkeypatch.setitem(PUBLISHED, "vgg16", Published(url, 10, "0" * 64))
    with pytest.raises(DataError, match=f"{url} could not be fetched .*fetch it on another machine"):
        fetch_published("vgg16", cache=tmp_path, pause=0)
    with pytest.raises(
        ConfigError, match="no published imagenet weights for mobilenet_v1; there are for mobile"
    ):
        fetch_published("mobilenet_v1", cache=tmp_path)


@needs_weights
def test_the_published_checksum_is_the_real_files() -> None:
    wanted = PUBLISHED["mobilenet_v2"]
    content = REAL.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (wanted.size, wanted.sha256)
