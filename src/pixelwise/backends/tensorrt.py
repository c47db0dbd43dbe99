"""TensorRT inside ONNX Runtime: what its provider is told, where its engines are kept. Opens no session."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import platformdirs

from pixelwise.errors import BackendError

PROVIDER = "TensorrtExecutionProvider"

PACKAGES = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")
"""The wheels that bring TensorRT; the first brings one of the others."""

STRONGLY_TYPED = 11
"""From this version on TensorRT takes the numbers that a file has, and knows no mode of half precision."""


def tensorrt_options(model: bytes, *, runtime_version: str, half: bool) -> dict[str, str | bool]:
    """What the provider is told for a model.

    No range of sizes is: ONNX Runtime then builds an engine at the first picture, and again, for the range of
    sizes seen so far, at each one outside of it. Both range and engine are kept in the folder.

    The folder is the model's own, by its content: ONNX Runtime names an engine by the graph, not by its
    weights, so that two trainings of one network would share it. It also does not ask which version built it.

    Args:
        model: The file's bytes.
        runtime_version: Of ONNX Runtime.
        half: Compute in float16.

    Raises:
        BackendError: This TensorRT has no mode of half precision, or the cache folder cannot be written.
    """
    version = _version()
    if half and version is not None and _major(version) >= STRONGLY_TYPED:
        raise BackendError(
            f"TensorRT {version} computes in the numbers that a file has, so half would change nothing: take "
            "a file of `pixelwise export --half` without it, or TensorRT 10"
        )
    caches = Path(platformdirs.user_cache_dir("pixelwise")) / "tensorrt"
    key = hashlib.sha256(model)
    key.update(f"\n{runtime_version}\n{version}\n{half}".encode())
    engines = caches / key.hexdigest()[:32]
    try:
        engines.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"{engines} cannot be made for TensorRT's engines ({error.strerror or error}): let "
            "XDG_CACHE_HOME name a folder that can be written, or take another backend"
        ) from error
    return {
        "trt_fp16_enable": half,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(engines),
        # How long each kernel took: the next engine, of another size or model, is built in less time.
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(caches),
    }


def _version() -> str | None:
    """Of the wheel; None where TensorRT is the system's own or absent."""
    for package in PACKAGES:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return None


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else 0
