"""ONNX Runtime: the ONNX form of a network on the processor, or on a GPU, by CUDA's kernels or by TensorRT.

A GPU needs ONNX Runtime's GPU build and NVIDIA's libraries. ONNX Runtime computes elsewhere, and says so in a
log at most, where it cannot load them; here that is an error.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from pixelwise.backends import tensorrt
from pixelwise.backends.onnx_alone import network_alone
from pixelwise.errors import BackendError

Provider = Literal["cpu", "cuda", "tensorrt"]

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_NAMES: dict[Provider, tuple[str, ...]] = {
    "cpu": (_CPU,),
    "cuda": (_CUDA,),
    "tensorrt": (tensorrt.PROVIDER, _CUDA),  # the second computes what TensorRT does not know
}

_ADVICE: dict[Provider, str] = {
    "cpu": "install it again, or take another backend",
    "cuda": "pip install 'onnxruntime-gpu[cuda,cudnn]' in place of onnxruntime, or take --device cpu",
    "tensorrt": (
        "pip install 'onnxruntime-gpu[cuda,cudnn]' in place of onnxruntime, with the tensorrt wheels of the "
        "version that it was built for (pip install tensorrt), or take another backend"
    ),
}
"""What to do where a provider, or a library that it needs, is missing."""


class OnnxRuntimeBackend:
    """Runs an ONNX model whose input is `images` and whose first output are logits.

    TensorRT builds an engine at the first picture, and again at each one whose size, or whose number in a
    batch, is outside of the range that it saw before. That takes from seconds to minutes; the engine is kept
    in the user's cache folder for the next time.

    Args:
        model: The file's bytes.
        provider: What computes: the processor, CUDA's kernels, or TensorRT, with CUDA for what it does not
            know.
        threads: Of the processor, for each call; as many as it has cores where not given.
        half: Compute in float16, for tensorrt; the others take the numbers that the model has.
        stride: Of the model's answer.
        alone: Of a model that `export` wrote, compute the network alone, without what is around it. Where the
            model does not say which part that is, all is computed, and `is_alone` is false.

    Raises:
        BackendError: ONNX Runtime is not installed, has no such provider or would compute with another one,
            or cannot run the model.
    """

    def __init__(
        self,
        model: bytes,
        *,
        provider: Provider = "cpu",
        threads: int | None = None,
        half: bool = False,
        stride: int = 1,
        alone: bool = False,
    ) -> None:
        part = network_alone(model) if alone else None
        self.is_alone = part is not None
        model, self.stride = part or (model, stride)
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendError("ONNX Runtime is not installed: pip install 'pixelwise[onnx]'") from error
        asked = _NAMES[provider]
        _check_built_with(asked, onnxruntime.get_available_providers(), provider)
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        # Waiting threads that spin take the processor from whatever else runs, decoding first of all.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        told: list[Any] = list(asked)
        if provider != "cpu":
            _load_libraries(onnxruntime, provider)
        if provider == "tensorrt":
            version = onnxruntime.__version__
            told[0] = (asked[0], tensorrt.tensorrt_options(model, runtime_version=version, half=half))
        try:
            # By itself it computes with another provider where one fails, now or later, and prints that.
            session = onnxruntime.InferenceSession(model, options, providers=told, enable_fallback=False)
        except Exception as error:  # its errors have no common base of their own
            remedy = "" if provider == "cpu" else f"; if a library is missing, {_ADVICE[provider]}"
            raise BackendError(f"ONNX Runtime cannot run this model: {_first_line(error)}{remedy}") from error
        _check_not_replaced(asked, session.get_providers(), provider)
        self._session = session

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, h, w) float32` logits out, see `Backend`.

        Raises:
            BackendError: It failed on these pictures: too little memory, or no engine of TensorRT for them.
        """
        try:
            answers = cast("list[Any]", self._session.run(None, {"images": np.ascontiguousarray(images)}))
        except Exception as error:
            raise BackendError(
                f"ONNX Runtime failed on pictures of shape {images.shape} ({_first_line(error)}): take a "
                "smaller batch or another backend"
            ) from error
        return answers[0]

    def metadata(self, key: str) -> str | None:
        """A text that the file carries; None if it does not."""
        return self._session.get_modelmeta().custom_metadata_map.get(key)


def has_provider(provider: Provider) -> bool:
    """Whether the installed ONNX Runtime was built with it; a library or the GPU may be missing even so."""
    try:
        import onnxruntime
    except ImportError:
        return False
    return set(_NAMES[provider]) <= set(onnxruntime.get_available_providers())


def _check_built_with(asked: Sequence[str], available: Sequence[str], provider: Provider) -> None:
    missing = [name for name in asked if name not in available]
    if missing:
        raise BackendError(
            f"this ONNX Runtime has no {' and no '.join(missing)} (it has {', '.join(available)}): "
            f"{_ADVICE[provider]}"
        )


def _check_not_replaced(asked: Sequence[str], got: Sequence[str], provider: Provider) -> None:
    """Where a provider cannot load its libraries, ONNX Runtime leaves it out and computes with the others."""
    missing = [name for name in asked if name not in got]
    if missing:
        raise BackendError(
            f"ONNX Runtime could not load {' and '.join(missing)}, and would compute with {', '.join(got)} "
            f"instead: {_ADVICE[provider]}"
        )


def _load_libraries(onnxruntime: Any, provider: Provider) -> None:
    """Loads what NVIDIA's wheels carry, which lies where the system does not look for libraries."""
    with contextlib.redirect_stdout(sys.stderr):  # results belong on stdout, not what could not be found
        if hasattr(onnxruntime, "preload_dlls"):  # since 1.21
            onnxruntime.preload_dlls()
        if provider == "tensorrt":
            with contextlib.suppress(ImportError, OSError):  # it may be the system's own, without a wheel
                importlib.import_module("tensorrt")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
