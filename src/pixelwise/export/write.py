"""Writes a network in a runtime's form, whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from pixelwise.backends.openvino import core
from pixelwise.errors import BackendError, ConfigError, DataError
from pixelwise.graph import Graph, capture, simplify
from pixelwise.header import FORM_KEY, KEY, Form, ModelHeader
from pixelwise.model_file import deployed

Kind = Literal["onnx", "openvino", "torchscript"]

SUFFIXES: dict[Kind, str] = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".torchscript"}


def export(network: torch.nn.Module, header: ModelHeader, path: Path, *, form: Form | None = None) -> None:
    """Writes a network for another runtime, in float32 or half precision.

    Args:
        network: On the processor.
        header: What is said of it.
        path: Ends in `.onnx`, in `.xml` for OpenVINO, whose weights go into a `.bin` beside it, or in
            `.torchscript`.
        form: What it answers; logits of the pictures as they are where not given.

    Raises:
        ConfigError: Another ending, or a form that this kind of file does not have.
        BackendError: A package that writes it is not installed, or the network has no such form.
        DataError: The disk is full, or the folder cannot be written.
    """
    form = form or Form()
    kind = kind_of(path)
    if form.precision == "int8":
        raise ConfigError("int8 needs pictures to calibrate it: pixelwise export MODEL --int8 DATA")
    graph = simplify(capture(network))
    with staged(path) as folder:
        write(graph, kind, folder / path.name, header, form)


def write(graph: Graph, kind: Kind, path: Path, header: ModelHeader, form: Form) -> None:
    """Writes a file of that kind, in float32 or half precision; errors as `export`."""
    if kind == "torchscript":
        from pixelwise.export.torchscript import torchscript_form

        content = torchscript_form(graph, texts(header, form), form)
        with _writing(path):
            path.write_bytes(content)
    else:
        save(onnx_of(graph, header, form, kind), kind, path, header, form)


def kind_of(path: Path) -> Kind:
    """The kind of file that an ending stands for; `ConfigError` if it is none."""
    for kind, suffix in SUFFIXES.items():
        if path.suffix.lower() == suffix:
            return kind
    raise ConfigError(f"{path}: exports end in {', '.join(SUFFIXES.values())}")


def texts(header: ModelHeader, form: Form) -> dict[str, str]:
    """What an exported file says of itself: for pixelwise, and for programs that only want the names.

    `names` is a JSON list of the classes' names, `colours` one of their `[r, g, b]`.
    """
    header = dataclasses.replace(header, architecture=deployed(header.architecture))
    return {
        KEY: json.dumps(header.to_json(), ensure_ascii=False),
        FORM_KEY: json.dumps(form.to_json()),
        "names": json.dumps(header.classes.names, ensure_ascii=False),
        "colours": json.dumps(header.classes.colours),
    }


def onnx_of(graph: Graph, header: ModelHeader, form: Form, kind: Kind) -> bytes:
    """The ONNX content from which a file of that kind is made; float32 where that is rounded later."""
    half = form.precision == "half" and kind == "onnx"
    computed = dataclasses.replace(form, precision="half" if half else "float32")
    return onnx_form(graph, texts(header, form), computed)


def onnx_form(graph: Graph, metadata: Mapping[str, str], form: Form | None = None) -> bytes:
    """A graph as an ONNX file's content, with these texts; `BackendError` if onnx is not installed."""
    if importlib.util.find_spec("onnx") is None:
        raise BackendError("a network's ONNX form needs the package onnx: pip install 'pixelwise[onnx]'")
    from pixelwise.graph.onnx import to_onnx

    return to_onnx(graph, form, metadata=metadata).SerializeToString()


def save(model: Any, kind: Kind, path: Path, header: ModelHeader, form: Form) -> None:
    """Writes an ONNX file's content, or an `openvino.Model`, as a file of that kind.

    Raises:
        BackendError: OpenVINO is not installed.
        DataError: The disk is full, or the folder cannot be written.
    """
    if kind == "onnx":
        with _writing(path):
            path.write_bytes(model)
        return
    network = core().read_model(model) if isinstance(model, bytes) else model
    import openvino

    for key, text in texts(header, form).items():
        network.set_rt_info(text, [key])
    with _writing(path):
        openvino.save_model(network, path, compress_to_fp16=form.precision == "half")


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A folder beside a file to be: what is written there takes its place only when all went well.

    Raises:
        DataError: The folder cannot be written. Nothing is left behind.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-")
    with folder as name:
        yield Path(name)
        with _writing(path):
            # What lies beside an OpenVINO file goes first: a reader looks for it when it sees the other.
            for file in sorted(Path(name).iterdir(), key=lambda file: file.name == path.name):
                file.replace(path.with_name(file.name))


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What goes wrong in here is that a file cannot be written, said in a sentence.

    OpenVINO has RuntimeError for it.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(
            f"{path.name} cannot be written ({reason}): choose another folder, or make room and try again"
        ) from error
