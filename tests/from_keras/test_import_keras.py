"""Files as Keras writes them become model files that answer as Keras does."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

import pixelwise as pw
from drawn_weights import draw_pictures
from keras_layouts import keras_arrays
from pixelwise.cli import main
from pixelwise.errors import ConfigError, DataError
from pixelwise.from_keras import SLOTS, import_keras

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "keras"
SIZE = (64, 96)
CLASSES = {
    "unet-xception": ("pet", "background", "border"),
    "mobilenet-segnet": ("ground", "thing"),
    "deeplabv3plus": ("ground", "thing"),
}
NORMALISATION = {
    "unet-xception": "identity",
    "mobilenet-segnet": "symmetric",
    "deeplabv3plus": "symmetric",
}
KINDS = ("whole.h5", "legacy.h5", "new.weights.h5", "whole.keras")

every_network = pytest.mark.parametrize("model", SLOTS)


def outline(model: str) -> dict[str, Any]:
    """What Keras' files look like; `tests/golden/make_keras_files.py` made it."""
    return json.loads(gzip.decompress((GOLDEN / f"{model}.json.gz").read_bytes()))


def fill(file: h5py.File, tree: dict[str, Any], layers: dict[str, Any], *, names: bool) -> None:
    """Writes groups, attributes and drawn weights into an empty HDF5 file."""
    for path, attributes in tree["groups"].items():
        group = file.require_group(path)
        for key, value in attributes.items():
            if names or key != "name":
                group.attrs[key] = value
    for path, source in tree["datasets"].items():
        if isinstance(source, list):
            ours, place = source
            kind, shapes = layers[ours]
            file[path] = keras_arrays(kind, ours, [tuple(s) for s in shapes])[place]
        else:
            file[path] = source


@pytest.fixture
def keras_file(tmp_path: Path) -> Callable[..., Path]:
    """`keras_file(model, kind)` writes the file that Keras would."""

    def write(
        model: str, kind: str, *, names: bool = True, **changed: Callable[[dict[str, Any]], None]
    ) -> Path:
        document = outline(model)
        tree, path = document["files"][kind], tmp_path / f"{model}-{kind}"
        for change in changed.values():
            change(tree)
        if "texts" not in tree:
            with h5py.File(path, "w") as file:
                fill(file, tree, document["layers"], names=names)
            return path
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            fill(file, tree, document["layers"], names=names)
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in tree["texts"].items():
                archive.writestr(name, text)
            archive.writestr("model.weights.h5", content.getvalue())
        return path

    return write


def keras_answer(model: str) -> torch.Tensor:
    """`(N, K, H, W)` probabilities that Keras itself computed, at the native stride."""
    with np.load(GOLDEN / f"{model}.npz") as file:
        answer = file["probabilities"]
    k = answer.shape[-1]
    stride = 2 if model == "mobilenet-segnet" else 1
    return torch.from_numpy(answer.reshape(2, SIZE[0] // stride, SIZE[1] // stride, k)).permute(0, 3, 1, 2)


def our_answer(network: torch.nn.Module, model: str) -> torch.Tensor:
    pictures = torch.from_numpy(draw_pictures(2, *SIZE)).permute(0, 3, 1, 2)
    with torch.no_grad():
        if model == "mobilenet-segnet":  # the tutorial's network ends at half the size
            logits = network.forward_native(network.normalise(pictures))  # pyright: ignore[reportCallIssue]
        else:
            logits = network(pictures)
    return logits.softmax(1)


@every_network
@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_those_of_keras(model: str, kind: str, keras_file: Callable[..., Path]) -> None:
    imported = import_keras(
        keras_file(model, kind), model, classes=CLASSES[model], normalisation=NORMALISATION[model]
    )
    expected = keras_answer(model)
    assert expected.std(dim=(2, 3)).min() > 0.02  # the pictures matter
    torch.testing.assert_close(our_answer(imported.network, model), expected, rtol=0, atol=1e-4)
    known = SIZE if kind.startswith("whole") else None
    assert imported.header.size_policy.size == (known or imported.header.size_policy.size)


@every_network
def test_newer_files_without_names_go_by_class_and_order(model: str, keras_file: Callable[..., Path]) -> None:
    path = keras_file(model, "new.weights.h5", names=False)
    imported = import_keras(path, model, classes=CLASSES[model], normalisation=NORMALISATION[model])
    torch.testing.assert_close(our_answer(imported.network, model), keras_answer(model), rtol=0, atol=1e-4)


def test_files_of_keras_2(keras_file: Callable[..., Path]) -> None:
    """Names of weights ended in `:0`, and the numbered layout had another root."""

    def suffix(tree: dict[str, Any]) -> None:
        tree["datasets"] = {f"{path}:0": source for path, source in tree["datasets"].items()}
        for attributes in tree["groups"].values():
            if "weight_names" in attributes:
                attributes["weight_names"] = [f"{name}:0" for name in attributes["weight_names"]]

    def root(tree: dict[str, Any]) -> None:
        for part in ("groups", "datasets"):
            renamed = {
                p.replace("layers", "_layer_checkpoint_dependencies", 1): v for p, v in tree[part].items()
            }
            tree[part] = renamed

    expected = keras_answer("unet-xception")
    for kind, change in (("whole.h5", suffix), ("new.weights.h5", root), ("whole.keras", root)):
        path = keras_file("unet-xception", kind, change=change, names=False)
        imported = import_keras(path, "unet-xception", classes=CLASSES["unet-xception"])
        torch.testing.assert_close(our_answer(imported.network, "unet-xception"), expected, rtol=0, atol=1e-4)


def test_numbers_of_the_layers_are_compared_as_numbers(keras_file: Callable[..., Path]) -> None:
    """A process that made layers before: conv2d_9 comes before conv2d_10."""

    def renumber(tree: dict[str, Any]) -> None:
        text = json.dumps(tree)
        for kind in ("conv2d", "batch_normalization", "separable_conv2d", "conv2d_transpose"):
            names = {n for n in tree["groups"]["/"]["layer_names"] if _is_numbered(n, kind)}
            for name in sorted(names, key=lambda n: -_number(n)):  # large first, so that none is hit twice
                new = f"{kind}_{_number(name) + 7}"
                for end in ('"', "/"):
                    text = text.replace(f'"{name}{end}', f'"{new}{end}').replace(f"/{name}/", f"/{new}/")
        tree.clear()
        tree.update(json.loads(text))

    path = keras_file("unet-xception", "legacy.h5", change=renumber)
    with h5py.File(path) as file:
        assert "conv2d_7" in file
        assert "conv2d_10" in file
        assert "conv2d" not in file
    imported = import_keras(path, "unet-xception", classes=CLASSES["unet-xception"])
    expected = keras_answer("unet-xception")
    torch.testing.assert_close(our_answer(imported.network, "unet-xception"), expected, rtol=0, atol=1e-4)


def _is_numbered(name: str, kind: str) -> bool:
    rest = name.removeprefix(kind)
    return rest != name and (not rest or (rest[0] == "_" and rest[1:].isdecimal()))


def _number(name: str) -> int:
    last = name.rsplit("_", 1)[-1]
    return int(last) if last.isdecimal() else 0


def test_the_command_writes_a_model_file(keras_file: Callable[..., Path], tmp_path: Path, capsys) -> None:
    path = keras_file("unet-xception", "whole.keras")
    out = tmp_path / "pets.safetensors"
    arguments = ["--model", "unet-xception", "--classes", *CLASSES["unet-xception"], "--out", str(out)]
    assert main(["import-keras", str(path), *arguments]) == 0
    assert "2,058,979 parameters, 3 classes, input 96x64" in capsys.readouterr().out
    model = pw.load(out)
    picture = draw_pictures(2, *SIZE)[0].astype(np.uint8)
    seg = model.predict(picture, probabilities=True)
    expected = keras_answer("unet-xception")[0].numpy()
    np.testing.assert_allclose(seg.probabilities, expected, rtol=0, atol=1e-4)
    assert seg.classes.names == CLASSES["unet-xception"]


def test_no_file_is_overwritten_unasked(keras_file: Callable[..., Path], capsys) -> None:
    path = keras_file("unet-xception", "new.weights.h5")
    command = ["import-keras", str(path), "--model", "unet-xception", "--classes", *CLASSES["unet-xception"]]
    out = path.with_name("unet-xception-new.safetensors")
    assert main(command) == 0
    assert out.is_file()
    before = out.read_bytes()
    out.write_bytes(b"a model that somebody needs")
    assert main(command) == 2
    assert "exists already; name another file with --out" in " ".join(capsys.readouterr().err.split())
    assert out.read_bytes() == b"a model that somebody needs"
    assert main([*command, "--out", str(out)]) == 0
    assert out.read_bytes() == before


def test_the_epsilon_is_the_files(keras_file: Callable[..., Path]) -> None:
    def other(tree: dict[str, Any]) -> None:
        texts = tree["texts"]
        texts["config.json"] = texts["config.json"].replace('"epsilon": 1e-05', '"epsilon": 0.002')

    path = keras_file("deeplabv3plus", "whole.keras", change=other)
    network = import_keras(path, "deeplabv3plus", classes=("a", "b")).network
    assert network.aspp.project.bn.eps == 0.002  # pyright: ignore[reportAttributeAccessIssue]
    assert network.encoder.stem.bn.eps == 0.001  # pyright: ignore[reportAttributeAccessIssue]

    def backbone(tree: dict[str, Any]) -> None:
        texts = tree["texts"]
        texts["config.json"] = texts["config.json"].replace('"epsilon": 0.001', '"epsilon": 0.01')

    path = keras_file("deeplabv3plus", "whole.keras", change=backbone)
    with pytest.raises(
        ConfigError, match=r"Conv_BN has epsilon 0\.01, but the network's encoder\.stem\.bn 0\.001"
    ):
        import_keras(path, "deeplabv3plus", classes=("a", "b"))


def test_another_network_or_variant_is_named(keras_file: Callable[..., Path]) -> None:
    path = keras_file("unet-xception", "new.weights.h5")
    with pytest.raises(
        ConfigError, match=r"8 separable_conv2d|6 separable_conv2d.* were expected; another --model"
    ):
        import_keras(path, "mobilenet-segnet", classes=("a", "b"))
    with pytest.raises(ConfigError, match=r"3x3x32x3.* needs .*2x32x3x3.*number of --classes"):
        import_keras(path, "unet-xception", classes=("a", "b"))
    with pytest.raises(ConfigError, match=r"no Keras checkpoint of 'segnet' can be read; of unet-xception, "):
        import_keras(path, "segnet", classes=("a", "b"))


def test_files_that_are_none(tmp_path: Path, keras_file: Callable[..., Path]) -> None:
    def complaint(path: Path) -> str:
        with pytest.raises((ConfigError, DataError)) as caught:
            import_keras(path, "unet-xception", classes=("a", "b", "c"))
        assert str(path) in str(caught.value)
        return str(caught.value)

    assert "no such file" in complaint(tmp_path / "gone.h5")
    (tmp_path / "text.h5").write_text("weights")
    assert "no file of Keras'" in complaint(tmp_path / "text.h5")
    whole = keras_file("unet-xception", "whole.h5")
    for length in (8, 500, 4000, 100_000):
        (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:length])
        complaint(tmp_path / "cut.h5")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("a.txt", "x")
    assert "without config.json" in complaint(tmp_path / "other.keras")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["numbers"] = np.arange(3)
    assert "without Keras' layers" in complaint(tmp_path / "empty.h5")


def test_links_out_of_a_file_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["kernel"] = np.ones((3, 3, 3, 32), np.float32)
    with h5py.File(tmp_path / "link.weights.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group["0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "kernel")
    with pytest.raises(DataError, match="a link to elsewhere, which is not followed"):
        import_keras(tmp_path / "link.weights.h5", "unet-xception", classes=("a", "b", "c"))
    raw = tmp_path / "raw.bin"
    raw.write_bytes(bytes(4 * 3 * 3 * 3 * 32))
    with h5py.File(tmp_path / "outside.weights.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group.create_dataset("0", (3, 3, 3, 32), "f4", external=[(str(raw), 0, 3456)])
    with pytest.raises(DataError, match="lies in another file"):
        import_keras(tmp_path / "outside.weights.h5", "unet-xception", classes=("a", "b", "c"))
