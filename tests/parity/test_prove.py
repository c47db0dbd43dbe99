"""The proof of an export: good ones hold, a spoilt layer is found and named, nothing bad is left behind."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image

import pixelwise as pw
from drawn_networks import build
from pixelwise.backends.openvino import has_bfloat16
from pixelwise.cli import main
from pixelwise.errors import BackendError
from pixelwise.export import torchscript, write
from pixelwise.export.inside import inside_onnx, inside_torchscript, opset_of
from pixelwise.export.torchscript import torchscript_form
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.header import Architecture, Form, ModelHeader
from pixelwise.model_file import save_model
from pixelwise.parity import prove, speed
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
    real_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    flags,
    name,
    runtimes,
) -> None:
    """A network that was trained, on real photos: one of drawn weights changes its mind for a grey level."""
    monkeypatch.setattr(speed, "ROUNDS", 1)
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
    in_half = ["openvino --half"] if has_bfloat16() else []
    assert [compared["backend"] for compared in report["compared"]] == [*runtimes, *in_half]
    for compared in report["compared"][: len(runtimes)]:
        assert (compared["precision"], compared["limit"]) == ("float32", {"changed_share": 1e-4})
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


def spoil_program(archive: bytes, value: str) -> bytes:
    """The same of a TorchScript program, where a convolution answers that value of the graph."""
    program = torch.jit.load(io.BytesIO(archive))
    answered_by = {o.debugName(): n for n in program.core.graph.nodes() for o in n.outputs()}
    convolution = answered_by[f"{torchscript.INSIDE}{value}.1"]
    _, kernel, *_ = convolution.inputs()
    constant = kernel.node()
    while constant.kind() != "prim::Constant":  # it is cast first
        constant = next(iter(constant.inputs())).node()
    constant.t_("value", 1.1 * constant.t("value"))
    spoilt = io.BytesIO()
    torch.jit.save(program, spoilt)
    return spoilt.getvalue()


@pytest.mark.usefixtures("unmeasured")
def test_a_spoilt_layer_of_a_program_is_named(
    model: Path,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    graph = simplify(capture(build("unet-xception")))
    victim = [node for node in graph.nodes if type(node.op).__name__ == "Conv"][7]
    monkeypatch.setattr(
        torchscript, "torchscript_form", lambda *a: spoil_program(torchscript_form(*a), victim.output)
    )
    out = tmp_path / "best.torchscript"
    assert main(["export", str(model), *data, "--to", "torchscript", "--out", str(out)]) == 1
    printed = capsys.readouterr()
    assert f"torchscript: the difference starts at {victim.layer} (Conv)" in " ".join(printed.out.split())
    assert [path.name for path in tmp_path.iterdir()] == ["best.torchscript.parity.json"]
    (compared,) = json.loads((tmp_path / "best.torchscript.parity.json").read_text())["compared"]
    assert compared["start"]["layer"] == victim.layer


@pytest.mark.parametrize("case", ["unet-xception", "unet-indices", "deeplabv3plus"])
def test_a_program_answers_every_value_of_its_graph(case: str) -> None:
    graph = simplify(capture(build(case)))
    image = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    archive = torchscript_form(graph, {}, Form(answer="labels", resize=(40, 48)))
    names = [node.output for node in graph.nodes]
    found = inside_torchscript(archive, names, image[None])
    assert list(found) == names
    begins = start(graph, image, found, "float32")
    assert begins is not None
    assert begins.after < 1e-4
    (last,) = inside_torchscript(archive, [names[-1], "absent"], image[None])
    assert last == names[-1]
    assert inside_torchscript(archive, ["absent"], image[None]) == {}


class Changed:
    """A backend that gives a share of the pixels the class that another one found the least likely."""

    stride = 1

    def __init__(self, backend, share: float) -> None:
        self._backend, self._share = backend, share

    def logits(self, images: np.ndarray) -> np.ndarray:
        answers = self._backend.logits(images)
        pixels = answers.reshape(*answers.shape[:2], -1)
        pixels[:, :, : round(self._share * pixels.shape[2])] *= -1
        return answers


@pytest.fixture
def half_changes(monkeypatch: pytest.MonkeyPatch):
    """Makes the processor one with bfloat16, in which OpenVINO changes that share of the pixels."""

    def install(share: float) -> list[Path]:
        asked: list[Path] = []
        real = prove.open_file

        def open_file(path: Path, *, runtime, half: bool = False):
            backend, header, form = real(path, runtime=runtime)
            if half:
                assert runtime == "openvino"
                asked.append(path)
                backend = Changed(backend, share)
            return backend, header, form

        monkeypatch.setattr(prove, "has_bfloat16", lambda: True)
        monkeypatch.setattr(prove, "open_file", open_file)
        return asked

    return install


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("kind", "share", "flags"),
    [
        ("onnx", 5e-4, []),  # more than float32 may change, less than half precision may
        ("openvino", 5e-4, ["--half"]),
        ("openvino", 5e-3, []),
    ],
)
def test_openvino_in_half_precision_has_a_row_and_a_limit_of_its_own(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], half_changes, kind, share, flags
) -> None:
    asked = half_changes(share)
    source, out = REPOSITORY / "models" / "pets.safetensors", tmp_path / f"best{write.SUFFIXES[kind]}"
    command = ["export", str(source), "--data", str(real_data / "cats"), "--pictures", "2", "--to", kind]
    assert main([*command, *flags, "--out", str(out)]) == 0
    assert [path.name for path in asked] == [out.name]
    assert out.exists()
    report = json.loads((tmp_path / f"{out.name}.parity.json").read_text())
    row = report["compared"][-1]
    assert (row["backend"], row["precision"], row["limit"]) == (
        "openvino --half",
        "half",
        {"changed_share": 1e-3},
    )
    assert all(d["share"] == pytest.approx(share, abs=2e-4) for d in row["differences"])
    assert report["holds"]  # whoever does not ask for half precision gets what the network answers
    assert report["left_out"] == []
    printed = " ".join(capsys.readouterr().out.split())
    assert "openvino --half network" in printed
    sentence = (
        "openvino --half changes the class of 0.5000% of the pixels at the network size, and 0.1% are allowed"
    )
    assert (f"warning: {sentence}: predict without --half there" in printed) == (share > 1e-3)
    assert len(report["warnings"]) == (3 if share > 1e-3 else 0)
    assert (row["start"] is not None) == (share > 1e-3)


@pytest.mark.usefixtures("unmeasured")
def test_half_precision_that_the_processor_does_not_have_is_said_in_a_line(
    model: Path, data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(prove, "has_bfloat16", lambda: False)
    sentence = "openvino --half was not compared: this processor does not multiply bfloat16"
    out = tmp_path / "best.xml"
    assert main(["export", str(model), *data, "--to", "openvino", "--half", "--out", str(out)]) in (0, 1)
    report = json.loads((tmp_path / "best.xml.parity.json").read_text())
    assert [row["backend"] for row in report["compared"]] == ["openvino"]
    assert report["left_out"] == [sentence]
    assert report["warnings"] == []
    assert sentence in capsys.readouterr().out


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
