"""Exported models, opened with nothing but the runtime that computes them: no torch is imported here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from pixelwise.backends import Backend
from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
from pixelwise.backends.openvino import OpenVinoBackend
from pixelwise.backends.runtimes import Runtime, first_installed, open_runtime
from pixelwise.errors import ConfigError, ModelFileError
from pixelwise.files import sha256_of
from pixelwise.header import FORM_KEY, KEY, LEAST_PROBABILITY, Form, ModelHeader

T = TypeVar("T")

RUNTIMES: dict[str, tuple[Runtime, ...]] = {
    ".onnx": ("onnxruntime", "openvino", "tensorrt"),
    ".xml": ("openvino",),
}
"""Which runtimes read a file of this ending, the usual one first."""


class FromProbabilities:
    """Logits of a model that answers probabilities: their logarithm, whose softmax they are."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.stride = backend.stride

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, H, W) float32` logits out."""
        return np.log(np.maximum(self._backend.logits(images), np.float32(LEAST_PROBABILITY)))


def model_checksum(path: Path) -> str:
    """SHA-256 of a model's file; of OpenVINO's that of its weights beside it too."""
    beside = [path.with_suffix(".bin")] if path.suffix.lower() == ".xml" else []
    return " ".join(sha256_of(file) for file in (path, *beside))


def is_exported(path: Path) -> bool:
    """Whether a file's ending is that of an exported model.

    Raises:
        ModelFileError: TorchScript, which is for other programs: a file of it is a program too.
    """
    if path.suffix.lower() == ".torchscript":
        raise ModelFileError(
            f"{path} is a program for libtorch: predict with the model file that it was exported from"
        )
    return path.suffix.lower() in RUNTIMES


def open_exported(
    path: Path,
    *,
    runtime: Runtime | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    half: bool = False,
    streams: int = 1,
) -> tuple[Backend, ModelHeader]:
    """The backend that predicts with an exported model, and what the file says of it; see `open_file`.

    It computes the network alone, since prediction resizes by itself, and decides classes from less than the
    file's answer. Files of earlier versions, which do not say which part that is, compute all.

    Raises:
        ModelFileError: Also where such an earlier file answers labels alone.
    """
    backend, header, form = open_file(
        path, runtime=runtime, device=device, threads=threads, half=half, streams=streams, alone=True
    )
    if backend.is_alone:
        return backend, header
    if form.answer == "labels":
        raise ModelFileError(
            f"{path} answers labels alone, and prediction needs more: export it again with --answer logits"
        )
    return (FromProbabilities(backend) if form.answer == "probabilities" else backend), header


def open_file(
    path: Path,
    *,
    runtime: Runtime | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    half: bool = False,
    streams: int = 1,
    alone: bool = False,
) -> tuple[OnnxRuntimeBackend | OpenVinoBackend, ModelHeader, Form]:
    """The backend that runs an exported model, whatever it answers, and what the file says of it.

    Args:
        path: `.onnx`, or OpenVINO's `.xml` with its `.bin` beside it.
        runtime: What runs it; the first installed one that can where not given.
        device: Where; `auto` is the processor, but for tensorrt.
        threads: Of the processor; as many as it has cores where not given.
        half: Compute in bfloat16; tensorrt in float16.
        streams: Calls that compute at the same time, each with its share of the threads.
        alone: Compute the network alone, without what the file does around it.

    Raises:
        ModelFileError: No such file, or none that pixelwise exported.
        ConfigError: That runtime does not read this kind of file, or has no choice of numbers.
        BackendError: No runtime for it is installed, or the runtime cannot run it; the processor has no
            bfloat16.
    """
    able = RUNTIMES[path.suffix.lower()]
    if runtime is not None and runtime not in able:
        raise ConfigError(f"{runtime} does not read {path.suffix} files: take {' or '.join(able)}")
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; `pixelwise export` writes one")
    chosen = runtime or first_installed(able)
    model, weights = path.read_bytes(), _weights(path)
    backend = open_runtime(
        chosen, model, weights, device=device, threads=threads, half=half, streams=streams, alone=alone
    )
    header = _read(path, backend.metadata(KEY), ModelHeader.from_json)
    return backend, header, _read(path, backend.metadata(FORM_KEY), Form.from_json)


def _weights(path: Path) -> bytes:
    """What lies beside an OpenVINO file; nothing for others."""
    if path.suffix.lower() != ".xml":
        return b""
    beside = path.with_suffix(".bin")
    if not beside.is_file():
        raise ModelFileError(f"{beside} is missing: the weights of {path.name} lie there")
    return beside.read_bytes()


def _read(path: Path, text: str | None, read: Callable[[Any], T]) -> T:
    if text is None:
        raise ModelFileError(
            f"{path} has no pixelwise header, so its classes and sizes are unknown: use a file that "
            "`pixelwise export` wrote"
        )
    try:
        return read(json.loads(text))
    except (ConfigError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} has a damaged header ({error}): export it again") from error
