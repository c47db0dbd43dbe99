"""PIDNet-S and LR-ASPP against their authors' code, by its tensors' names and by what it answers.

`golden/make_published.py` wrote down what that code says; weights are drawn from the names there and here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from drawn_weights import draw_pictures, draw_published
from pixelwise.encoders import build_encoder
from pixelwise.encoders.pretrained import load_pretrained, read_pretrained
from pixelwise.errors import ConfigError
from pixelwise.models import MODELS, build_model
from pixelwise.models.auxiliary import forward_with_auxiliary

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "published"
CLASSES, EVERY = 5, 5
SIZES = {"lraspp": (64, 96), "pidnet-s": (136, 200)}

each = pytest.mark.parametrize("name", SIZES)


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    lines = (GOLDEN / f"{name}.tsv").read_text().splitlines()
    rows = (line.split("\t") for line in lines)
    return {key: tuple(map(int, sizes.split())) for key, sizes in rows}


def drawn(name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(a) for key, a in draw_published(shapes(name)).items()}


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def standardised(height: int, width: int) -> Tensor:
    pictures = torch.from_numpy(draw_pictures(2, height, width)).permute(0, 3, 1, 2)
    mean, deviation = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    return (pictures / 255 - mean) / deviation


def close(found: Tensor, expected: np.ndarray) -> None:
    wanted = torch.from_numpy(expected)
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * wanted.abs().max().item())


@each
def test_names_and_shapes_are_the_published_ones(name: str) -> None:
    network = build_model(name, num_classes=CLASSES)
    published = MODELS[name].published
    assert published is not None
    theirs = {published(key): shape for key, shape in shapes(name).items()}
    assert None not in theirs
    assert theirs == {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert sum(p.numel() for p in network.parameters()) == golden(name)["parameters"]


def test_parameters_as_published() -> None:
    def count(name: str, classes: int, **arguments: object) -> int:
        with torch.device("meta"):
            network = build_model(name, num_classes=classes, arguments=arguments)
        return sum(p.numel() for p in network.parameters())

    assert count("lraspp", 21) == 3_221_538  # torchvision's own figure, for VOC's classes
    # Table 5 of the paper says 7.6 million, without the heads for training.
    assert count("pidnet-s", 11, auxiliary=False) == 7_624_683
    heads = 64 * 128 * 9 + 2 * (64 + 128) + 128 * 11 + 11 + 64 * 32 * 9 + 2 * (64 + 32) + 32 + 1
    assert count("pidnet-s", 11) == 7_624_683 + heads
    assert heads == 94_188


@pytest.mark.parametrize(("name", "ending"), [("lraspp", "safetensors"), ("pidnet-s", "pth")])
def test_published_weights_answer_what_they_did(name: str, ending: str, tmp_path: Path) -> None:
    path, tensors = tmp_path / f"weights.{ending}", drawn(name)
    if ending == "safetensors":
        save_file(tensors, path)
    else:  # as its training writes it
        torch.save({"epoch": 3, "state_dict": {f"model.{k}": t for k, t in tensors.items()}}, path)
    network = build_model(name, num_classes=CLASSES, weights=str(path), seed=0).eval()
    pictures = torch.from_numpy(draw_pictures(2, *SIZES[name])).permute(0, 3, 1, 2)
    expected = golden(name)
    with torch.no_grad():
        logits, heads = network(pictures), forward_with_auxiliary(network, pictures)
        native = network.forward_native(network.normalise(pictures))  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(heads["logits"], logits)
    if name == "lraspp":  # torchvision enlarges as we do
        close(logits[:, :, ::EVERY, ::EVERY], expected["logits"])
        return
    close(native[:, :, ::EVERY, ::EVERY], expected["logits"])
    maps = network.encoder(network.normalise(pictures))  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        for head, read, key in (
            ("auxiliary", maps.early_detail, "semantic"),
            ("boundary", maps.late_boundary, "boundary"),
        ):
            found = network.auxiliary[head](read)  # pyright: ignore
            close(found[:, :, ::EVERY, ::EVERY], expected[key])


@pytest.mark.parametrize("name", ["mobilenet_v3_large", "mobilenet_v3_small"])
def test_mobilenet_v3_from_torchvisions_classifier(name: str, tmp_path: Path) -> None:
    torch.save(drawn(name), tmp_path / "weights.pth")
    found = read_pretrained(name, str(tmp_path / "weights.pth"))
    assert found.normalisation == "imagenet"
    encoder = build_encoder(name)
    assert isinstance(encoder, nn.Module)
    load_pretrained(encoder, found)
    with torch.no_grad():
        deepest = encoder.eval()(standardised(96, 160))[-1]
    close(deepest[:, :, ::EVERY, ::EVERY], golden(name)["deepest"])


def test_a_published_head_for_other_classes_is_left_out(tmp_path: Path) -> None:
    tensors = drawn("lraspp")
    save_file(tensors, tmp_path / "weights.safetensors")
    path = str(tmp_path / "weights.safetensors")
    network, other = (
        build_model("lraspp", num_classes=2, seed=s, weights=w) for s, w in ((1, path), (1, ""))
    )
    assert torch.equal(network.gate.weight, tensors["classifier.scale.1.weight"])  # pyright: ignore
    assert torch.equal(network.high.weight, other.high.weight)  # pyright: ignore
    with pytest.raises(ConfigError, match=r"stem\.conv\.weight is .*; its width \(alpha\) must be that"):
        build_model("lraspp", num_classes=2, arguments={"encoder_arguments": {"alpha": 2.0}}, weights=path)
    arguments = {"encoder": "resnet18", "output_stride": 32}
    bare = {k: t for k, t in tensors.items() if not k.startswith("backbone")}
    save_file(bare, tmp_path / "bare.safetensors")
    with pytest.raises(ConfigError, match="no tensor has a name of torchvision's resnet18"):
        build_model("lraspp", num_classes=2, arguments=arguments, weights=str(tmp_path / "bare.safetensors"))


def test_weights_of_imagenet_may_lack_what_fuses_the_branches(tmp_path: Path) -> None:
    tensors = drawn("pidnet-s")
    kept = {k: t for k, t in tensors.items() if k.startswith(("conv1", "layer")) and "_" not in k[:8]}
    save_file(kept, tmp_path / "weights.safetensors")
    network = build_model("pidnet-s", num_classes=2, weights=str(tmp_path / "weights.safetensors"), seed=0)
    found = network.encoder.integral[3][0].first.conv.weight  # pyright: ignore
    assert torch.equal(found, tensors["layer4.0.conv1.weight"])
    del kept["layer4.0.conv1.weight"]
    save_file(kept, tmp_path / "cut.safetensors")
    with pytest.raises(ConfigError, match=r"the weights lack integral\.3\.0\.first\.conv\.weight"):
        build_model("pidnet-s", num_classes=2, weights=str(tmp_path / "cut.safetensors"))
    with pytest.raises(ConfigError, match="no published imagenet weights for pidnet"):
        build_model("pidnet-s", num_classes=2, weights="imagenet")
