"""Programs that use an exported model: printed, run as they are, and compared with prediction."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
from PIL import Image

import pixelwise as pw
from drawn_networks import build
from pixelwise.cli import main
from pixelwise.errors import ConfigError
from pixelwise.export.examples import Language, example
from pixelwise.header import Answer, Architecture, Form, ModelHeader
from pixelwise.model_file import save_model
from pixelwise.types import Classes, SizePolicy

NODE_MODULES = Path(__file__).parent / "js" / "node_modules"
HOSTILE = ('"; process.exit(7); "', "Rand ß \\ ' ` ${x} */ ??/", "@MODEL@ {0} %s", "a\nb\t\u2028")
COLOURS = ((10, 20, 30), (200, 0, 0), (0, 200, 0), (0, 0, 250))

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not NODE_MODULES.is_dir(),
    reason="needs Node.js and `npm ci --prefix tests/js`, which `make test` runs where npm is",
)
needs_compiler = pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")


def header(mode="resize") -> ModelHeader:
    return ModelHeader(
        architecture=Architecture("unet-xception", {}),
        classes=Classes(HOSTILE, COLOURS),
        size_policy=SizePolicy(mode, (64, 48)),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file and a photo of the network's size, so that every language has the same pixels."""
    folder = tmp_path_factory.mktemp('it\'s a "folder" ß')
    save_model(folder / "model.safetensors", build("unet-xception"), header())
    photo = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    Image.fromarray(photo).save(folder / "photo.png")
    (folder / "photo.ppm").write_bytes(b"P6\n48 64\n255\n" + photo.tobytes())
    return folder


def export(folder: Path, language: Language, name: str, answer: Answer, *, resize: bool) -> Path:
    """A program for a fresh export, in a folder of its own; the exported file has that folder's name."""
    place = folder / f"{language}-{name}-{answer}-{resize}"
    place.mkdir()
    pw.load(folder / "model.safetensors").export(place / name, answer=answer, resize=resize)
    form = Form(answer=answer, resize=(64, 48) if resize else None)
    ending = {"python": "py", "js": "mjs", "cpp": "cpp"}[language]
    program = place / f"segment.{ending}"
    program.write_text(example(language, place / name, header(), form), "utf-8")
    return program


def check(folder: Path, done: subprocess.CompletedProcess[str], mask: Image.Image) -> None:
    """The mask is that of prediction, and the shares are printed, the largest first."""
    assert done.returncode == 0, done.stderr
    labels = pw.load(folder / "model.safetensors").predict(folder / "photo.png").labels
    expected = np.asarray(COLOURS, np.uint8)[labels]
    assert (np.asarray(mask.convert("RGB")) != expected).any(2).mean() < 1e-3
    shares = np.bincount(labels.ravel(), minlength=4) / labels.size
    winner = int(shares.argmax())
    assert done.stdout.startswith(f"{100 * shares[winner]:6.2f}%  {HOSTILE[winner]}")


@pytest.mark.parametrize(
    ("name", "answer", "resize"),
    [("m.onnx", "logits", True), ("m.onnx", "labels", False), ("m.xml", "probabilities", True)],
)
def test_the_python_program(folder: Path, name: str, answer: Answer, resize: bool) -> None:
    program = export(folder, "python", name, answer, resize=resize)
    ast.parse(program.read_text("utf-8"))
    command = [sys.executable, program.name, str(folder / "photo.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=program.parent)
    check(folder, done, Image.open(program.parent / "mask.png"))
    for wrong in ([], [str(program)], ["nothing.png"], [str(folder / "photo.png"), "nothing.onnx"]):
        command = [sys.executable, program.name, *wrong]
        failed = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=program.parent)
        assert failed.returncode == 1
        assert len(failed.stderr.strip().splitlines()) == 1


@needs_node
@pytest.mark.parametrize(("answer", "resize"), [("logits", True), ("labels", False)])
def test_the_javascript_program(folder: Path, answer: Answer, resize: bool) -> None:
    program = export(folder, "js", "m.onnx", answer, resize=resize)
    (program.parent / "node_modules").symlink_to(NODE_MODULES)
    command = ["node", program.name, str(folder / "photo.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=program.parent)
    check(folder, done, Image.open(program.parent / "mask.png"))
    failed = subprocess.run(
        ["node", program.name, "nothing.png"], capture_output=True, text=True, timeout=120, cwd=program.parent
    )
    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1


@needs_compiler
@pytest.mark.parametrize(
    ("name", "answer", "resize"), [("m.onnx", "logits", True), ("m.xml", "labels", False)]
)
def test_the_cpp_program(folder: Path, name: str, answer: Answer, resize: bool) -> None:
    """OpenVINO's wheel has the headers and the library."""
    program = export(folder, "cpp", name, answer, resize=resize)
    package = Path(openvino.__file__).parent
    (library,) = (package / "libs").glob("libopenvino.so.*")
    command = [
        "c++",
        "-std=c++17",
        "-O0",
        program.name,
        "-o",
        "segment",
        f"-I{package / 'include'}",
        str(library),
    ]
    subprocess.run(command, check=True, timeout=280, cwd=program.parent)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(package / "libs")}

    def segment(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./segment", *words],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=program.parent,
            env=environment,
        )

    done = segment(str(folder / "photo.ppm"))
    check(folder, done, Image.open(program.parent / "mask.ppm"))
    (program.parent / "short.ppm").write_bytes((folder / "photo.ppm").read_bytes()[:500])
    (program.parent / "other.ppm").write_bytes(b"P6\n2 1\n255\nabcdef")
    sentences = {"nothing.ppm": "is no binary PPM", "short.ppm": "ends early"}
    if not resize:
        sentences["other.ppm"] = "wants 48 x 64 pixels"
    for photo, sentence in sentences.items():
        failed = segment(photo)
        assert failed.returncode == 1
        assert sentence in failed.stderr


def test_the_command_line_prints_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pw.load(folder / "model.safetensors").export(folder / "m.onnx", answer="labels")
    assert main(["export", str(folder / "m.onnx"), "--example", "cpp"]) == 0
    printed = capsys.readouterr().out
    assert printed == example("cpp", folder / "m.onnx", header(), Form(answer="labels", resize=(64, 48)))
    assert main(["export", str(folder / "m.onnx")]) == 2
    assert "is exported already" in capsys.readouterr().err


def test_no_program_for_other_files() -> None:
    with pytest.raises(
        ConfigError, match=r"the JavaScript example reads \.onnx files: export with --to onnx"
    ):
        example("js", Path("m.xml"), header(), Form())
    with pytest.raises(ConfigError, match=r"there are examples for \.onnx and \.xml files"):
        example("python", Path("m.torchscript"), header(), Form())
