"""The proof of an export: good ones hold, a spoilt layer is found and named, nothing bad is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

import pixelwise as pw
from drawn_networks import build
from pixelwise.cli import main
from pixelwise.errors import BackendError
from pixelwise.export import write
from pixelwise.export.inside import inside_onnx, opset_of
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.header import Architecture, Form, ModelHeader
from pixelwise.model_file import save_model
from pixelwise.parity.compare import Difference
from pixelwise.parity.pictures import Picture, labelled, sizes, unlabelled
from pixelwise.parity.report import complaint
from pixelwise.parity.speed import peak_memory
from pixelwise.parity.start import start
from pixelwise.types import Classes, SizePolicy

REPOSITORY = Path(__file__).resolve().parents[2]

HEADER = ModelHeader(
    architecture=Architecture("unet-xception", {}),
    classes=Classes(("ground", "box", "sky", "tree")),
    size_policy=SizePolicy("resize", (40, 48)),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "best.safetensors"
    save_model(path, build("unet-xception"), HEADER)
    return path


@pytest.fixture(scope="module")
def data(shared_data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags that name a labelled data set of the network's four classes."""
    return ["--data", str(shared_data_folder), "--classes", *HEADER.classes.names, "--pictures", "3"]


@pytest.mark.parametrize(
    ("flags", "name", "runtimes"),
    [
        (["--to", "onnx"], "best.onnx", ["onnxruntime", "openvino"]),
        (["--to", "openvino", "--answer", "labels"], "best.xml", ["openvino"]),
        (
            ["--to", "onnx", "--answer", "probabilities", "--no-resize"],
            "best.onnx",
            ["onnxruntime", "openvino"],
        ),
    ],
)
def test_a_good_export_holds(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags, name, runtimes
) -> None:
    """A network that was trained, on real photos: one of drawn weights changes its mind for a grey level."""
    out, model = tmp_path / name, REPOSITORY / "models" / "pets.safetensors"
    data = ["--data", str(real_data / "cats"), "--pictures", "3"]
    assert main(["export", str(model), *data, *flags, "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / f"{name}.parity.json").read_text()) | {
        "out": str(out),
        "report": str(tmp_path / f"{name}.parity.json"),
    }
    assert report["holds"]
    assert report["limit"] == {"changed_share": 1e-4}
    assert [compared["backend"] for compared in report["compared"]] == runtimes
    for compared in report["compared"]:
        assert [d["size"] for d in compared["differences"]] == ["network", "odd", "photo"]
        assert all(d["pictures"] == 3 and d["share"] <= 1e-4 for d in compared["differences"])
        assert [d["pixels"] for d in compared["differences"]] == [3 * 160 * 160, 3 * 101 * 141, 3 * 320 * 320]
        assert all(d["miou"][0] == pytest.approx(d["miou"][1], abs=1e-3) for d in compared["differences"])
    assert [speed["backend"] for speed in report["speeds"]] == ["torch eager", *runtimes]
    eager, *others = report["speeds"]
    # An exported model opens without torch, which alone takes more than 100 MiB.
    assert all(1e7 < s["memory"] < eager["memory"] for s in others)
    assert report["file_bytes"] == sum(p.stat().st_size for p in (out, out.with_suffix(".bin")) if p.exists())


def spoil(content: bytes, weight: str) -> bytes:
    """One kernel of an ONNX model a tenth too large."""
    proto = onnx.load_from_string(content)
    (tensor,) = (t for t in proto.graph.initializer if t.name == weight)
    tensor.CopyFrom(numpy_helper.from_array(1.1 * numpy_helper.to_array(tensor), weight))
    return proto.SerializeToString()


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_spoilt_layer_is_named_and_nothing_written(
    model: Path,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    graph = simplify(capture(build("unet-xception")))
    victim = [node for node in graph.nodes if type(node.op).__name__ == "Conv"][7]
    real = write.onnx_of
    monkeypatch.setattr(write, "onnx_of", lambda *a: spoil(real(*a), f"{victim.output}.weight"))
    out = tmp_path / ("best.onnx" if kind == "onnx" else "best.xml")
    assert main(["export", str(model), *data, "--to", kind, "--out", str(out)]) == 1
    printed = capsys.readouterr()
    assert f"the difference starts at {victim.layer} (Conv)" in " ".join(printed.out.split())
    assert "changes the class of" in printed.err
    assert "nothing was written" in printed.out
    assert [path.name for path in tmp_path.iterdir()] == [f"{out.name}.parity.json"]


def test_where_a_difference_starts(model: Path) -> None:
    graph = simplify(capture(build("unet-xception")))
    image = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    content = to_onnx(graph, Form()).SerializeToString()
    names = [node.output for node in graph.nodes]
    good = start(graph, image, inside_onnx(content, names, image[None]), "float32")
    assert good is not None
    assert good.after < 1e-4
    convolutions = [node for node in graph.nodes if type(node.op).__name__ == "Conv"]
    for victim in (convolutions[0], convolutions[-1]):
        inside = inside_onnx(spoil(content, f"{victim.output}.weight"), names, image[None])
        found = start(graph, image, inside, "float32")
        assert found is not None
        assert found.layer == victim.layer
    assert start(graph, image, {}, "float32") is None


def test_limits() -> None:
    def difference(changed: int, miou: tuple[float, float] | None = None) -> Difference:
        return Difference(size="photo", pictures=1, pixels=100_000, changed=changed, largest=0.1, miou=miou)

    assert complaint("onnxruntime", difference(10), "float32") is None
    assert complaint("onnxruntime", difference(11), "float32") == (
        "onnxruntime changes the class of 0.0110% of the pixels at the photo size, and 0.01% are allowed"
    )
    assert complaint("onnxruntime", difference(100), "half") is None
    assert complaint("onnxruntime", difference(101), "half") is not None
    assert complaint("openvino", difference(5000, (0.8, 0.7951)), "int8") is None
    assert complaint("openvino", difference(5000), "int8") == (
        "no pixel is labelled at the photo size, so what openvino loses is unknown"
    )
    assert complaint("openvino", difference(5000, (0.8, 0.7949)), "int8") == (
        "openvino loses 0.51 points of mIoU at the photo size, and 0.5 are allowed"
    )


def test_pictures_are_spread_over_the_split_and_bounded(shared_data_folder: Path, tmp_path: Path) -> None:
    from pixelwise.data import open_dataset

    dataset = open_dataset(shared_data_folder, pw.DataConfig(val_last=6))
    indices = dataset.indices("val")
    found = labelled(dataset, "val", 3)
    assert len(found) == 3
    for picture, index in zip(found, indices[::2], strict=True):
        assert np.array_equal(picture.image, dataset.reader[index].image)
        assert picture.mask is not None
    for number in range(3):
        Image.new("RGB", (2048, 512), (number, 0, 0)).save(tmp_path / f"{number}.png")
    photos = unlabelled([str(tmp_path)], 2)
    assert [photo.image.shape for photo in photos] == [(256, 1024, 3)] * 2
    assert [int(photo.image[0, 0, 0]) for photo in photos] == [0, 1]
    assert sizes((160, 160)) == {"network": (160, 160), "odd": (101, 141), "photo": None}
    assert Picture(photos[0].image).at((5, 7)).image.shape == (5, 7, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [],
            "an export is proved on pictures: name a labelled data set with --data, or photos with --photos",
        ),
        (["--data", "x", "--photos", "y"], "--photos have no masks, so they go neither with --data nor"),
        (["--data", "x", "--half", "--int8", "y"], "--half and --int8 exclude each other"),
        (["--data", "x", "--out", "a.onnx", "--to", "openvino"], "--to openvino writes .xml files"),
        (["--data", "x", "--pictures", "0"], "pictures and calibration must be at least 1"),
        (["--data", "nowhere"], "nowhere"),
        (["--photos", "nowhere"], "nowhere"),
        (["--json", "--example", "js", "--photos", "x"], "--example and --json both print on stdout"),
    ],
)
def test_wrong_use(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch, arguments, sentence
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(model), *arguments]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--data", "--int8"])
def test_classes_that_do_not_match(
    model: Path, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    out = tmp_path / "best.onnx"
    assert main(["export", str(model), flag, str(shared_data_folder), "--out", str(out)]) == 2
    assert "the model knows ground, box, sky, tree but the data has ground, box" in " ".join(
        capsys.readouterr().err.split()
    )
    assert list(tmp_path.iterdir()) == []


def test_memory_of_a_process_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(
        BackendError, match=r"onnxruntime failed on model\.onnx in a process of its own: .*cannot run"
    ):
        peak_memory(path, "onnxruntime", (8, 8))


def test_the_opset_is_that_of_the_file() -> None:
    content = to_onnx(simplify(capture(build("unet-xception")))).SerializeToString()
    assert opset_of(content) == 18
    proto = onnx.load_from_string(content)
    proto.opset_import[0].version = 19
    proto.opset_import.add(domain="com.microsoft", version=1)
    assert opset_of(proto.SerializeToString()) == 19
