"""OpenVINO. Runs the ONNX form of a network, or OpenVINO's own, on the processor."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import BackendError


def core() -> Any:
    """The process's one `openvino.Core`.

    Each Core's processor plugin puts a signal stack of its own in place of the one before, and puts that back
    at its end. Where two overlap, what is put back may be freed memory, and the next Ctrl-C is a segmentation
    fault (OpenVINO 2026.4). One that is never given up cannot do that.

    Raises:
        BackendError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise BackendError("OpenVINO is not installed: pip install 'pixelwise[openvino]'") from error
    return _only(openvino.Core)


@functools.cache
def _only(make: Callable[[], Any]) -> Any:
    return make()


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; `BackendError` if OpenVINO is not installed."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend:
    """Runs a model whose first output are logits.

    Args:
        model: An ONNX file's bytes, or OpenVINO's own XML.
        weights: The file beside OpenVINO's own XML.
        threads: Of the processor; as many as it has cores where not given.
        half: Compute in bfloat16; layers of 8-bit numbers stay as they are.
        streams: Calls that compute at the same time, each with its share of the threads.
        stride: Of the model's answer.

    Raises:
        BackendError: OpenVINO is not installed, or cannot run the model; the processor has no bfloat16.
    """

    def __init__(
        self,
        model: bytes,
        weights: bytes = b"",
        *,
        threads: int | None = None,
        half: bool = False,
        streams: int = 1,
        stride: int = 1,
    ) -> None:
        self.stride = stride
        if half and not has_bfloat16():
            raise BackendError("the processor does not compute bfloat16, so half would gain nothing")
        # By itself it takes bfloat16 where the processor has it, and nobody would know why masks differ.
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if half else "f32"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        if streams > 1:
            settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(streams)}
        try:
            network = core().read_model(model, weights) if weights else core().read_model(model)
            self._network = network
            self._compiled = core().compile_model(network, "CPU", settings)
        except RuntimeError as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
            raise BackendError(f"OpenVINO cannot run this model: {lines[-1].strip()}") from error
        self._idle: deque[Any] = deque()  # a request serves one call at a time

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, h, w) float32` logits out, see `Backend`."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            # A copy of OpenVINO's own making, since it writes its next answer into the same memory.
            answers = request.infer([np.ascontiguousarray(images)], share_inputs=True, share_outputs=False)
        finally:
            self._idle.append(request)
        return answers[0]

    def metadata(self, key: str) -> str | None:
        """A text that the file carries; None if it does not."""
        # What an ONNX file carries is put under `framework`.
        for path in ([key], ["framework", key]):
            if self._network.has_rt_info(path):
                return str(self._network.get_rt_info(path).astype(str))
        return None
