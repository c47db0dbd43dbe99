"""Which runtime computes a model: the choice by name, and which are installed. Knows no torch."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import Literal

from pixelwise.backends.onnxruntime import OnnxRuntimeBackend, has_provider
from pixelwise.backends.openvino import OpenVinoBackend
from pixelwise.errors import BackendError, ConfigError

Runtime = Literal["onnxruntime", "openvino", "tensorrt"]

ON_PROCESSOR: tuple[Runtime, ...] = ("onnxruntime", "openvino")
"""Those that compute on the processor; tensorrt, which is a provider of ONNX Runtime, needs a GPU."""

MOST_STREAMS = 4
"""Each holds a batch with all its maps, so that more of them cost more memory than they gain."""

_EXTRAS: dict[Runtime, str] = {"onnxruntime": "onnx", "openvino": "openvino"}


def open_runtime(
    name: Runtime,
    model: bytes,
    weights: bytes = b"",
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    half: bool = False,
    streams: int = 1,
    stride: int = 1,
    alone: bool = False,
) -> OnnxRuntimeBackend | OpenVinoBackend:
    """The backend of that name for a model.

    Args:
        name: Of the runtime.
        model: An ONNX file's bytes, or for OpenVINO its own XML.
        weights: What lies beside such an XML.
        device: Where; `auto` is the processor, but for tensorrt.
        threads: Of the processor; as many as it has cores where not given.
        half: Compute in bfloat16; tensorrt in float16.
        streams: Calls that compute at the same time, each with its share of the threads.
        stride: Of the model's answer.
        alone: Of a model that `export` wrote, compute the network alone, without what is around it, where the
            model says which part that is.

    Raises:
        ConfigError: This runtime has no such device here, or has no choice of numbers.
        BackendError: It is not installed, or cannot run the model; the processor has no bfloat16.
    """
    if name == "tensorrt":
        if device == "cpu":
            raise ConfigError("tensorrt runs on a GPU: take --device auto or cuda, or another backend")
        return OnnxRuntimeBackend(
            model, provider="tensorrt", threads=threads, half=half, stride=stride, alone=alone
        )
    if name == "onnxruntime":
        if half:
            raise ConfigError(
                "onnxruntime computes in the numbers that a file has: `pixelwise export --half` writes one; "
                "backends torch, openvino and tensorrt need none"
            )
        if streams > 1:
            threads = max(1, (threads or cores()) // streams)
        provider = "cuda" if device == "cuda" else "cpu"
        return OnnxRuntimeBackend(model, provider=provider, threads=threads, stride=stride, alone=alone)
    if device == "cuda":
        raise ConfigError("openvino runs on the processor here: take --device cpu, or another backend")
    return OpenVinoBackend(
        model, weights, threads=threads, half=half, streams=streams, stride=stride, alone=alone
    )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def streams_for_many(threads: int | None) -> int:
    """Calls at once that get the most pictures done on the processor, each on as many cores as the others.

    As many as leave one core idle at most, which reading and writing take: three on seven cores, not four.
    """
    count = threads or cores()
    return max(n for n in range(1, min(MOST_STREAMS, count) + 1) if count % n <= 1)


def installed(names: Sequence[Runtime]) -> list[Runtime]:
    """Those of them that are installed; of tensorrt, whether this ONNX Runtime was built with it."""
    return [name for name in names if _is_installed(name)]


def first_installed(names: Sequence[Runtime]) -> Runtime:
    """The first of them that is installed; `BackendError` if none is."""
    for name in names:
        if _is_installed(name):
            return name
    extras = " or ".join(f"pip install 'pixelwise[{_EXTRAS[name]}]'" for name in names if name in _EXTRAS)
    raise BackendError(f"no runtime for this file is installed: {extras}")


def _is_installed(name: Runtime) -> bool:
    return has_provider("tensorrt") if name == "tensorrt" else importlib.util.find_spec(name) is not None
