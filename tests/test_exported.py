"""Exported models and runtimes: the same masks, opened without torch, and bad ones refused in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
from PIL import Image

import pixelwise as pw
from drawn_networks import build
from pixelwise.backends.runtimes import open_runtime
from pixelwise.errors import BackendError, ConfigError, DataError, ModelFileError
from pixelwise.exported import model_checksum
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.header import Architecture, ModelHeader
from pixelwise.model_file import save_model
from pixelwise.types import Classes, SizePolicy

HEADER = ModelHeader(
    architecture=Architecture("unet-xception", {}),
    classes=Classes(("pet", "background", "border", "Rand ß"), ((1, 2, 3), (4, 5, 6), (7, 8, 9), (0, 0, 0))),
    size_policy=SizePolicy("resize", (32, 48), "scaled"),
    provenance={"data_hash": "abc"},
)
PHOTO = np.random.default_rng(0).integers(0, 256, (57, 91, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file, and its two exports."""
    folder = tmp_path_factory.mktemp("exported")
    save_model(folder / "model.safetensors", build("unet-xception"), HEADER)
    model = pw.load(folder / "model.safetensors")
    model.export(folder / "model.onnx")
    model.export(folder / "model.xml")
    return folder


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("model.safetensors", "onnxruntime"),
        ("model.safetensors", "openvino"),
        ("model.onnx", None),
        ("model.onnx", "onnxruntime"),
        ("model.onnx", "openvino"),
        ("model.xml", None),
    ],
)
def test_every_way_gives_the_same_segmentation(folder: Path, name: str, backend) -> None:
    expected = pw.load(folder / "model.safetensors").predict(PHOTO, probabilities=True)
    model = pw.load(folder / name, backend=backend, threads=1)
    assert model.header == HEADER
    found = model.predict(PHOTO, probabilities=True)
    assert found.probabilities is not None
    assert expected.probabilities is not None
    assert np.abs(found.probabilities - expected.probabilities).max() < 1e-4
    assert (found.labels != expected.labels).mean() < 1e-3


def test_an_export_is_written_whole_and_leaves_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        *("model.bin", "model.onnx", "model.safetensors", "model.xml")
    ]


def test_an_exported_model_needs_no_torch(folder: Path, tmp_path: Path) -> None:
    """The command line in a process of its own, where importing torch is an error."""
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise AssertionError("torch is imported")
sys.meta_path.insert(0, Refuse())
from pixelwise.cli import main
out, photo, *models = sys.argv[1:]
codes = [main(["predict", model, photo, "--out", out]) for model in models]
print(codes)
"""
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    arguments = [tmp_path / "out", tmp_path / "photo.png", folder / "model.onnx", folder / "model.xml"]
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["[0, 0]"], done.stderr
    assert (tmp_path / "out" / "masks" / "photo.png").exists()


def test_the_command_line_takes_backends_and_exports(folder: Path, tmp_path: Path) -> None:
    from pixelwise.cli import main

    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    masks = []
    for arguments in (["model.safetensors"], ["model.safetensors", "--backend", "openvino"], ["model.onnx"]):
        name, *more = arguments
        out = tmp_path / f"out-{len(masks)}"
        command = ["predict", str(folder / name), str(tmp_path / "photo.png"), "--out", str(out), *more]
        assert main(command) == 0
        masks.append(np.asarray(Image.open(out / "masks" / "photo.png")))
    assert (masks[0] != masks[1]).mean() < 1e-3
    assert (masks[0] != masks[2]).mean() < 1e-3


def test_an_exported_model_evaluates(folder: Path, shared_data_folder: Path) -> None:
    config = pw.DataConfig(classes=HEADER.classes.names, val_last=3)
    scores = [
        pw.load(folder / f"model.{kind}").evaluate(shared_data_folder, config=config)
        for kind in ("safetensors", "onnx")
    ]
    assert scores[1].miou == pytest.approx(scores[0].miou, abs=1e-3)


def test_what_an_exported_model_cannot_do(folder: Path, tmp_path: Path) -> None:
    model = pw.load(folder / "model.onnx")
    with pytest.raises(BackendError, match=r"an exported model has no torch network: load the run's"):
        model.save(tmp_path / "again.safetensors")
    with pytest.raises(ConfigError, match="is exported, so torch cannot compute it"):
        pw.load(folder / "model.onnx", backend="torch")
    with pytest.raises(ConfigError, match=r"onnxruntime does not read \.xml files: take openvino"):
        pw.load(folder / "model.xml", backend="onnxruntime")
    with pytest.raises(ConfigError, match=r"torch\.set_num_threads"):
        pw.load(folder / "model.safetensors", threads=2)


def _without_header(path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


def _damaged_header(path: Path) -> None:
    model = onnx.load(path)
    model.metadata_props[0].value = json.dumps({"classes": 3})
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (Path.unlink, "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "ONNX Runtime cannot run this model"),
        (lambda path: path.write_bytes(b""), "ONNX Runtime cannot run this model"),
        (_without_header, "no pixelwise header"),
        (_damaged_header, "has a damaged header"),
    ],
)
def test_bad_files(folder: Path, tmp_path: Path, spoil, sentence: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((folder / "model.onnx").read_bytes())
    spoil(path)
    with pytest.raises((ModelFileError, BackendError), match=sentence):
        pw.load(path)


def test_bad_openvino_files(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    path.write_bytes((folder / "model.xml").read_bytes())
    with pytest.raises(ModelFileError, match=r"model\.bin is missing: the weights of model\.xml lie there"):
        pw.load(path)
    path.with_suffix(".bin").write_bytes(b"short")
    with pytest.raises(BackendError, match="OpenVINO cannot run this model"):
        pw.load(path)


def test_where_an_export_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    model = pw.load(folder / "model.safetensors")
    with pytest.raises(ConfigError, match=r"exports end in \.onnx, \.xml, \.torchscript"):
        model.export(tmp_path / "model.pt")
    (tmp_path / "file").touch()
    for name in ("model.onnx", "model.xml"):
        with pytest.raises(DataError):
            model.export(tmp_path / "file" / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    for name in ("model.onnx", "model.xml"):
        model.export(tmp_path / "new" / name)
    assert pw.load(tmp_path / "new" / "model.xml").classes == HEADER.classes


@pytest.mark.parametrize(
    ("package", "backend", "sentence"),
    [
        ("onnxruntime", "onnxruntime", r"ONNX Runtime is not installed: pip install 'pixelwise\[onnx\]'"),
        ("openvino", "openvino", r"OpenVINO is not installed: pip install 'pixelwise\[openvino\]'"),
    ],
)
def test_a_missing_extra_costs_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, backend, sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BackendError, match=sentence):
        pw.load(folder / "model.safetensors", backend=backend)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_an_answer_outlives_the_next_one(backend: Literal["onnxruntime", "openvino"]) -> None:
    content = to_onnx(simplify(capture(build("unet-xception")))).SerializeToString()
    runtime = open_runtime(backend, content, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 32, 32, 3), np.uint8)
    first = runtime.logits(images[0])
    kept = first.copy()
    second = runtime.logits(images[1])
    assert np.array_equal(first, kept)
    assert not np.array_equal(second, kept)
    first[:] = 0  # it is the caller's own


def test_the_checksum_of_a_model_is_that_of_its_weights_too(tmp_path: Path) -> None:
    xml, weights = tmp_path / "model.xml", tmp_path / "model.bin"
    xml.write_text("<net/>")
    weights.write_bytes(b"one")
    first = model_checksum(xml)
    weights.write_bytes(b"two")
    assert model_checksum(xml) != first
