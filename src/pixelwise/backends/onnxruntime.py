"""ONNX Runtime: the ONNX form of a network on the processor, or on a GPU where its GPU build is installed."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from pixelwise.errors import BackendError

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxRuntimeBackend:
    """Runs an ONNX model whose input is `images` and whose first output are logits.

    Args:
        model: The file's bytes.
        device: Where to run it.
        threads: Of the processor, for each call; as many as it has cores where not given.

    Raises:
        BackendError: ONNX Runtime is not installed, has no provider for the device, or cannot run the model.
    """

    def __init__(
        self, model: bytes, *, device: Literal["cpu", "cuda"] = "cpu", threads: int | None = None
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendError("ONNX Runtime is not installed: pip install 'pixelwise[onnx]'") from error
        available = onnxruntime.get_available_providers()
        provider = _PROVIDERS[device]
        if provider not in available:
            raise BackendError(
                f"this ONNX Runtime has no {provider} (it has {', '.join(available)}): install "
                "onnxruntime-gpu, or take --device cpu"
            )
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        # Waiting threads that spin take the processor from whatever else runs, decoding first of all.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=[provider])
        except Exception as error:  # its errors have no common base of their own
            raise BackendError(f"ONNX Runtime cannot run this model: {_first_line(error)}") from error

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, H, W) float32` logits out."""
        answers = cast("list[Any]", self._session.run(None, {"images": np.ascontiguousarray(images)}))
        return answers[0]

    def metadata(self, key: str) -> str | None:
        """A text that the file carries; None if it does not."""
        return self._session.get_modelmeta().custom_metadata_map.get(key)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
