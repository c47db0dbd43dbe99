"""Encoders of timm: what they say of themselves, their weights, every refusal; small ones, drawn weights."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from drawn_networks import needs_timm, pictures
from pixelwise.encoders import build_encoder, timm_package
from pixelwise.encoders.pretrained import load_pretrained, read_pretrained
from pixelwise.encoders.timm_package import load_timm
from pixelwise.errors import ConfigError, DataError, ModelFileError
from pixelwise.header import ModelHeader
from pixelwise.model_file import load_model, read_header, save_model
from pixelwise.models import build_model
from pixelwise.nn.normalise import convention_of
from pixelwise.types import Classes, SizePolicy

RESNET, CONVNEXT, EFFICIENT = "timm:test_resnet", "timm:test_convnext", "timm:test_efficientnet"


def whole_network(name: str, seed: int) -> nn.Module:
    """Timm's own, with its classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return load_timm().create_model(name.removeprefix("timm:"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file as the hub has it: the whole network's tensors."""
    path = tmp_path / "model.safetensors"
    save_file(whole_network(RESNET, 7).state_dict(), path)
    return path


# ------------------------------------------------------------------------------- what they answer


@needs_timm
@pytest.mark.parametrize(
    ("name", "channels", "strides"),
    [
        (RESNET, (32, 32, 48, 192, 96), (2, 4, 8, 16, 32)),
        (CONVNEXT, (24, 32, 48, 64), (4, 8, 16, 32)),
        (EFFICIENT, (16, 24, 32, 48, 64), (2, 4, 8, 16, 32)),
    ],
)
def test_features_are_those_at_strides(
    name: str, channels: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    encoder = build_encoder(name)
    assert (encoder.channels, encoder.strides) == (channels, strides)
    assert isinstance(encoder, nn.Module)
    assert encoder.training
    with torch.no_grad():
        features = encoder.eval()(torch.zeros(2, 3, 32, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, c, 32 // s, 96 // s) for c, s in zip(channels, strides, strict=True)
    ]


@needs_timm
@pytest.mark.parametrize(("output_stride", "strides"), [(8, (2, 4, 8, 8, 8)), (16, (2, 4, 8, 16, 16))])
def test_dilation_keeps_all_five_features(output_stride: int, strides: tuple[int, ...]) -> None:
    encoder = build_encoder(RESNET, {"output_stride": output_stride})
    assert encoder.strides == strides
    assert encoder.channels == build_encoder(RESNET).channels


@needs_timm
@pytest.mark.parametrize("name", [RESNET, CONVNEXT])
def test_every_parameter_lies_in_one_stage_and_stages_lead_to_their_features(name: str) -> None:
    encoder = build_encoder(name)
    assert isinstance(encoder, nn.Module)
    encoder.requires_grad_(False)  # frozen ones have stages too
    state = torch.get_rng_state()
    stages = encoder.stages()
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(p.requires_grad for p in encoder.parameters())
    encoder.requires_grad_(True)
    found = [p for stage in stages for layer in stage for p in layer.parameters()]
    assert len(found) == len(set(found)) == len(list(encoder.parameters()))
    features = encoder.eval()(torch.rand(1, 3, 64, 64))
    for number, feature in enumerate(features):
        encoder.zero_grad()
        feature.sum().backward(retain_graph=True)
        reached = [any(p.grad is not None for layer in stage for p in layer.parameters()) for stage in stages]
        assert reached == [place <= number for place in range(len(stages))]


@needs_timm
def test_drop_path_leaves_branches_out_in_training_alone() -> None:
    encoder = build_encoder(RESNET, {"drop_path": 0.9})
    assert isinstance(encoder, nn.Module)
    rates = [m.drop_prob for m in encoder.modules() if type(m).__name__ == "DropPath"]
    assert max(rates) == pytest.approx(0.9)
    assert sorted(rates) == rates
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        encoder.eval()
        assert torch.equal(encoder(x)[-1], encoder(x)[-1])


@needs_timm
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("timm:resnet19", {}, "has no network 'resnet19': did you mean timm:resnet18 or "),
        ("timm:test_resnet.best", {}, "has no weights 'best' of test_resnet; it has r160_in1k"),
        ("timm:hf-hub:someone/model", {}, "has no network 'hf-hub:someone/model'"),
        ("timm:local-dir:/tmp", {}, "has no network 'local-dir:/tmp'"),
        ("timm:../x", {}, "has no network '../x'"),
        ("timm:", {}, "has no network ''"),
        ("timm:vit_tiny_patch16_224", {}, "timm:vit_tiny_patch16_224 does not take pictures of any size"),
        (
            "timm:vgg11",
            {"output_stride": 8},
            "timm:vgg11 has no dilated form, so its output_stride must be 32",
        ),
        ("timm:vgg11", {"drop_path": 0.1}, "timm:vgg11 has no drop_path in timm"),
        ("timm:tresnet_m", {}, "tresnet_m hands out no features"),
        (RESNET, {"drop_path": 1.0}, "drop_path must lie in 0..1, got 1.0"),
        (RESNET, {"in_channels": 0}, "in_channels must lie in 1..1024"),
        (RESNET, {"alpha": 0.5}, "has no argument alpha; it has in_channels, output_stride, drop_path"),
    ],
)
def test_wrong_encoders(name: str, arguments: dict[str, object], said: str) -> None:
    with torch.device("meta"), pytest.raises(ConfigError, match=said):
        build_encoder(name, arguments)


@needs_timm
@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        (
            "segnet",
            {"encoder": RESNET},
            "puts values back where max-pooling found them, and timm:test_resnet",
        ),
        ("lraspp", {"encoder": "timm:vgg11"}, "has no dilated form, so its output_stride must be 32"),
        (
            "lraspp",
            {"encoder": "timm:test_vit", "output_stride": 32},
            "lraspp takes the features of stride 8",
        ),
        ("deeplabv3plus", {"encoder": "timm:vgg11"}, "has no dilated form, so its output_stride must be 32"),
        (
            "upernet",
            {"encoder": "timm:test_vit"},
            r"upernet halves its maps, but timm:test_vit here has .*\(16,",
        ),
        ("fcn-8s", {"encoder": "timm:test_vit"}, "fcn needs an encoder of output stride 32"),
        (
            "deeplabv3plus",
            {"encoder": "timm:test_vit", "output_stride": 32},
            "takes the features of stride 4",
        ),
        (
            "unet",
            {"encoder": RESNET, "encoder_arguments": {"output_stride": 16}},
            "unet halves its maps, but timm:test_resnet here has strides",
        ),
    ],
)
def test_decoders_say_what_they_cannot_stand_on(model: str, arguments: dict[str, object], said: str) -> None:
    with torch.device("meta"), pytest.raises(ConfigError, match=said):
        build_model(model, num_classes=2, arguments=arguments)


# -------------------------------------------------------------------------------- normalisation


def test_ranges_that_timm_names() -> None:
    known = {
        "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        "dpn": ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
    }
    assert {convention_of(*numbers) for numbers in known.values()} == set(known)
    assert {convention_of(*numbers): name for name, numbers in known.items()} == {n: n for n in known}
    assert convention_of((0.4, 0.4, 0.4), (0.2, 0.2, 0.2)) is None
    assert convention_of((0.5,), (0.5,)) is None


@needs_timm
def test_the_range_of_pictures_is_the_encoders_unless_it_is_given() -> None:
    def normalisation(**arguments: object) -> object:
        with torch.device("meta"):
            network = build_model("unet", num_classes=2, arguments=arguments)
        assert network.normalise.convention == network.architecture.arguments["normalisation"]  # pyright: ignore
        return network.normalise.convention  # pyright: ignore

    assert load_timm().get_pretrained_cfg("test_convnext3").mean == (0.5, 0.5, 0.5)
    assert normalisation(encoder="timm:test_convnext3") == "symmetric"
    assert normalisation(encoder="timm:test_convnext3", normalisation="unit") == "unit"
    assert normalisation(encoder=RESNET) == "symmetric"
    assert normalisation(encoder="mobilenet_v1") == "imagenet"


# -------------------------------------------------------------------------------------- weights


@needs_timm
@pytest.mark.parametrize("name", [RESNET, EFFICIENT])
def test_a_file_of_timms_tensors_computes_what_timm_does(name: str, tmp_path: Path) -> None:
    whole = whole_network(name, 3).eval()
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    network = build_model(
        "unet", num_classes=2, arguments={"encoder": name}, weights=str(tmp_path / "w.safetensors"), seed=0
    ).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        theirs = whole.forward_intermediates(x, intermediates_only=True)  # pyright: ignore[reportCallIssue]
        ours = network.encoder(x)  # pyright: ignore[reportCallIssue]
    assert len(ours) == len(theirs) == 5
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@needs_timm
def test_weights_fit_a_dilated_encoder_and_leave_the_generator_alone(weights: Path) -> None:
    state = torch.get_rng_state()
    found = read_pretrained(RESNET, str(weights))
    assert torch.equal(torch.get_rng_state(), state)
    assert found.normalisation == "symmetric"
    encoder = build_encoder(RESNET, {"output_stride": 8, "drop_path": 0.2})
    load_pretrained(encoder, found)  # pyright: ignore[reportArgumentType]
    kernel = whole_network(RESNET, 7).state_dict()["layer4.0.conv1.weight"]
    assert torch.equal(encoder.state_dict()["body.layer4.0.conv1.weight"], kernel)  # pyright: ignore
    with torch.device("meta"):
        outline = build_encoder(RESNET)
    load_pretrained(outline, found)  # pyright: ignore[reportArgumentType]


@needs_timm
def test_files_that_are_not_its_weights(weights: Path, tmp_path: Path) -> None:
    tensors: dict[str, Tensor] = dict(whole_network(RESNET, 7).state_dict())
    del tensors["layer3.0.bn2.running_var"]
    save_file(tensors, tmp_path / "part.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    torch.save(tensors, tmp_path / "w.pth")
    for name, file, said in (
        (RESNET, "part.safetensors", "lack layer3.0.bn2.running_var, so they are not timm:test_resnet's"),
        (RESNET, "other.safetensors", "the weights lack conv1.0.weight, so they are not timm:test_resnet's"),
        (CONVNEXT, weights.name, "the weights lack .*, so they are not timm:test_convnext's|cannot give its"),
        (RESNET, "w.pth", "are a .safetensors file; others are not opened because they could run code"),
        (RESNET, "none.safetensors", "no such weights"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_pretrained(name, str(tmp_path / file))


@needs_timm
def test_published_weights_are_asked_of_the_hub(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hub's client is a stand-in: asked for the right file, and failing in one sentence."""
    asked: list[dict[str, object]] = []

    def download(**what: object) -> str:
        asked.append(what)
        return str(weights)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))
    found = read_pretrained(RESNET, "imagenet", cache=tmp_path)
    kernel = whole_network(RESNET, 7).state_dict()["conv1.0.weight"]
    assert torch.equal(found.tensors["body.conv1.0.weight"], kernel)
    assert asked == [
        {
            "repo_id": "timm/test_resnet.r160_in1k",
            "filename": "model.safetensors",
            "revision": None,
            "cache_dir": str(tmp_path),
        }
    ]

    def fail(**what: object) -> str:
        raise ConnectionError("no way\nthere")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=fail))
    with pytest.raises(DataError, match=r"could not be fetched \(ConnectionError: no way there\); check the"):
        read_pretrained(RESNET, "imagenet")
    nothing = SimpleNamespace(hf_hub_id=None, hf_hub_filename=None)
    monkeypatch.setattr(load_timm(), "get_pretrained_cfg", lambda _: nothing)
    with pytest.raises(ConfigError, match="timm publishes no weights of timm:test_resnet as safetensors"):
        read_pretrained(RESNET, "imagenet")


# ----------------------------------------------------------------------------------- model files


def _save(path: Path, arguments: dict[str, object]) -> nn.Module:
    network = build_model("unet", num_classes=2, arguments=arguments, seed=4).eval()
    architecture = network.architecture
    save_model(path, network, ModelHeader(architecture, Classes(("a", "b")), SizePolicy("resize", (32, 32))))  # pyright: ignore[reportArgumentType]
    return network


@needs_timm
def test_a_model_file_says_its_encoder_and_needs_timm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    network = _save(path, {"encoder": EFFICIENT, "encoder_arguments": {"drop_path": 0.1}})
    arguments = read_header(path).architecture.arguments
    assert arguments["encoder"] == EFFICIENT
    assert arguments["encoder_arguments"] == {"output_stride": 32, "drop_path": 0.1}
    again, _ = load_model(path)
    with torch.no_grad():
        assert torch.equal(again(pictures(1, 33, 20)), network(pictures(1, 33, 20)))
    # Its encoder, for another network: dilated, and dropping other branches.
    other = build_model(
        "deeplabv3plus",
        num_classes=3,
        arguments={"encoder": EFFICIENT, "encoder_arguments": {"drop_path": 0.3}},
        weights=str(path),
    )
    mine, theirs = (n.encoder.state_dict() for n in (other, network))  # pyright: ignore
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)  # pyright: ignore
    _without(monkeypatch, "timm")
    with pytest.raises(
        ModelFileError, match=r"model.safetensors: .* timm's encoders need timm: pip install 'pi"
    ):
        load_model(path)


def _without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else find(name))


# ------------------------------------------------------------------------------------ the package


@pytest.mark.parametrize("missing", [("timm",), ("timm", "torchvision")])
def test_a_missing_package_is_one_sentence(missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, *missing)
    if "torchvision" not in missing:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "timm" else SimpleNamespace()
        )
    with pytest.raises(ConfigError, match=f"need {' and '.join(missing)}: pip install 'pixelwise.timm.'"):
        build_encoder("timm:resnet18")


def test_a_package_that_breaks_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> ModuleType:
        raise RuntimeError("operator torchvision::other\ndoes not exist")

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: SimpleNamespace(submodule_search_locations=[]))
    monkeypatch.setattr(timm_package, "_declare_what_is_not_compiled", lambda: None)
    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(
        ConfigError, match=r"cannot be imported \(RuntimeError: operator torchvision::other does"
    ):
        load_timm()


def test_a_compiled_part_that_does_not_load_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda _: SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    )
    monkeypatch.setattr(timm_package.torch.ops, "torchvision", SimpleNamespace())
    assert not timm_package._compiled_part_loads()
    (tmp_path / "_C.so").write_bytes(b"for another machine")
    assert not timm_package._compiled_part_loads()
    loaded: list[str] = []
    monkeypatch.setattr(timm_package.torch.ops, "load_library", lambda path: loaded.append(path.name))
    assert timm_package._compiled_part_loads()
    assert loaded == ["_C.so"]
