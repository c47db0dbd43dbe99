"""OpenVINO. Runs the ONNX form of a network, or OpenVINO's own, on the processor."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import BackendError
from pixelwise.header import NETWORK_IMAGES, network_stride

MOST_SIZES = 4
"""For which a model of 8-bit numbers is kept compiled; each takes about its weights' memory."""


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
        alone: Of a model that `export` wrote, compute the network alone, without what is around it. Where the
            model does not say which part that is, all is computed, and `is_alone` is false.

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
        alone: bool = False,
    ) -> None:
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
            self._information = network
            part = _network_alone(network) if alone else None
            self.is_alone = part is not None
            network, self.stride = part or (network, stride)
            if self.is_alone and _has_8_bit_numbers(network):
                self._requests: _Requests | _RequestsBySize = _RequestsBySize(network, settings)
            else:
                self._requests = _Requests(core().compile_model(network, "CPU", settings))
        except RuntimeError as error:
            raise _refused(error) from error

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, `(N, K, h, w) float32` logits out, see `Backend`."""
        return self._requests.infer(np.ascontiguousarray(images))

    def metadata(self, key: str) -> str | None:
        """A text that the file carries; None if it does not."""
        # What an ONNX file carries is put under `framework`.
        for path in ([key], ["framework", key]):
            if self._information.has_rt_info(path):
                return str(self._information.get_rt_info(path).astype(str))
        return None


class _Requests:
    """A compiled model, for calls from several threads: a request serves one at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: deque[Any] = deque()

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The first output."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            # A copy of OpenVINO's own making, since it writes its next answer into the same memory.
            answers = request.infer([images], share_inputs=True, share_outputs=False)
        finally:
            self._idle.append(request)
        return answers[0]


class _RequestsBySize:
    """A model compiled for each size of pictures that comes, the latest ones kept.

    OpenVINO 2026.4 computes a first layer of 8-bit numbers wrongly where rows and columns are free: 3.7% of
    the pixels of `camvid-realtime` changed class, and 0.9% where they are not.
    """

    def __init__(self, model: Any, settings: dict[str, str]) -> None:
        self._model, self._settings = model, settings
        self._compiled: dict[tuple[int, ...], _Requests] = {}
        self._lock = Lock()

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The first output."""
        size = images.shape[1:3]
        with self._lock:
            found = self._compiled.pop(size, None)
            if found is None:
                model = self._model.clone()
                try:
                    model.reshape([-1, *size, 3])
                    found = _Requests(core().compile_model(model, "CPU", self._settings))
                except RuntimeError as error:
                    raise _refused(error) from error
            self._compiled[size] = found
            if len(self._compiled) > MOST_SIZES:
                del self._compiled[next(iter(self._compiled))]
        return found.infer(images)


def _refused(error: RuntimeError) -> BackendError:
    lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
    return BackendError(f"OpenVINO cannot run this model: {lines[-1].strip()}")


def _has_8_bit_numbers(model: Any) -> bool:
    return any(op.get_type_name() == "FakeQuantize" for op in model.get_ops())


def _network_alone(model: Any) -> tuple[Any, int] | None:
    """As `onnx_alone.network_alone`, of an `openvino.Model`; takes the model apart."""
    import openvino
    from openvino import opset13

    named = {name: port for op in model.get_ops() for port in op.outputs() for name in port.get_names()}
    answers = [(name, stride) for name in named if (stride := network_stride(name)) is not None]
    if len(answers) != 1 or NETWORK_IMAGES not in named:
        return None
    name, stride = answers[0]
    logits = named[name]
    images = opset13.parameter([-1, -1, -1, 3], np.uint8)
    planes = opset13.transpose(images, np.array([0, 3, 1, 2]))
    for reader in named[NETWORK_IMAGES].get_target_inputs():
        reader.replace_source_output(planes.output(0))
    if logits.get_element_type().get_type_name() != "f32":
        logits = opset13.convert(logits, "f32").output(0)
    make: Any = openvino.Model  # typed for other arguments than it takes
    return make([opset13.result(logits)], [images], "network"), stride
