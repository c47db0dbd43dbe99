"""Which runtime computes a model: the choice by name, and which are installed. Knows no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal

from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
from pixelwise.backends.openvino import OpenVinoBackend
from pixelwise.errors import BackendError, ConfigError

Runtime = Literal["onnxruntime", "openvino"]

_EXTRAS: dict[Runtime, str] = {"onnxruntime": "onnx", "openvino": "openvino"}


def open_runtime(
    name: Runtime,
    model: bytes,
    weights: bytes = b"",
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    half: bool = False,
) -> OnnxRuntimeBackend | OpenVinoBackend:
    """The backend of that name for a model.

    Args:
        name: Of the runtime.
        model: An ONNX file's bytes, or for OpenVINO its own XML.
        weights: What lies beside such an XML.
        device: Where; `auto` is the processor.
        threads: Of the processor; as many as it has cores where not given.
        half: Compute in bfloat16.

    Raises:
        ConfigError: This runtime has no such device here, or has no choice of numbers.
        BackendError: It is not installed, or cannot run the model; the processor has no bfloat16.
    """
    if name == "onnxruntime":
        if half:
            raise ConfigError(
                "onnxruntime computes in the numbers that a file has: `pixelwise export --half` writes one; "
                "backends torch and openvino need none"
            )
        return OnnxRuntimeBackend(model, device="cuda" if device == "cuda" else "cpu", threads=threads)
    if device == "cuda":
        raise ConfigError("openvino runs on the processor here: take --device cpu, or another backend")
    return OpenVinoBackend(model, weights, threads=threads, half=half)


def installed(names: Sequence[Runtime]) -> list[Runtime]:
    """Those of them that are installed."""
    return [name for name in names if importlib.util.find_spec(name) is not None]


def first_installed(names: Sequence[Runtime]) -> Runtime:
    """The first of them that is installed; `BackendError` if none is."""
    for name in installed(names):
        return name
    extras = " or ".join(f"pip install 'pixelwise[{_EXTRAS[name]}]'" for name in names)
    raise BackendError(f"no runtime for this file is installed: {extras}")
