"""From a file to a segmenter: which backend computes it, and how."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pixelwise.backends import Backend
from pixelwise.backends.onnxruntime import has_provider
from pixelwise.backends.runtimes import (
    ON_PROCESSOR,
    Runtime,
    first_installed,
    installed,
    open_runtime,
    streams_for_many,
)
from pixelwise.config import DataConfig, PredictConfig
from pixelwise.errors import ConfigError
from pixelwise.exported import RUNTIMES, is_exported, open_exported
from pixelwise.fastest import Choice, choose
from pixelwise.header import ModelHeader
from pixelwise.segmenter import Segmenter

if TYPE_CHECKING:
    from pixelwise.evaluation import Resolution
    from pixelwise.metrics import Metrics

BackendName = Literal["auto", "torch", "onnxruntime", "openvino", "tensorrt"]

Device = Literal["auto", "cpu", "cuda"]

ON_CUDA = "onnxruntime on cuda"
"""What `auto` calls backend onnxruntime with device cuda, beside the same on the processor."""


def load(
    path: str | os.PathLike[str],
    *,
    device: Device = "auto",
    backend: BackendName | None = None,
    threads: int | None = None,
    half: bool = False,
    compiled: bool = False,
    batch_size: int = 8,
    many: bool = False,
    config: PredictConfig | None = None,
) -> Segmenter:
    """Opens a model file or an exported model; nothing else is needed. An exported one needs no torch.

    Args:
        path: `.safetensors` of a run, or `.onnx` or `.xml` of an export.
        device: Where to compute.
        backend: What computes; torch for a model file and the usual runtime for an exported one where not
            given. A model file is turned into the runtime's form in memory. `tensorrt` is ONNX Runtime with
            TensorRT on a GPU; it builds an engine, for seconds or minutes, at the first picture of a size,
            and keeps it in the user's cache folder. `auto` measures what is installed, takes the fastest and
            remembers it; `Segmenter.choice` says why.
        threads: Of the runtime on the processor; as many as it has cores where not given.
        half: Compute in bfloat16 where the processor has it, for backends torch and openvino; on a GPU in
            bfloat16 or float16, for backends torch and tensorrt. Some pixels between two classes change:
            `evaluate` says what that costs.
        compiled: Through `torch.compile`, for backend torch.
        batch_size: Pictures per call of the backend.
        many: Made for many pictures instead of the next one: the processor computes several batches at once,
            each on its share of the cores, and reading, deciding and writing take what is left of them. A
            single picture then takes longer.
        config: What the network gets of a picture, and what is done with its answer: sizes, tiles, test-time
            augmentation, refinement.

    Raises:
        ModelFileError: Missing, truncated, a pickle, newer than this version, or not a model file.
        ConfigError: A GPU was asked for and there is none, or the backend does not fit the file.
        BackendError: The runtime is not installed, or cannot run the model; half was asked for and the
            device has no such arithmetic.
    """
    path = Path(path)
    if compiled and backend not in (None, "torch"):
        raise ConfigError(f"{backend} cannot be compiled: that is for backend torch")
    streams = streams_for_many(threads) if many and device != "cuda" else 1
    way = _Way(device, threads, half, batch_size, streams)
    if is_exported(path):
        if backend == "torch" or compiled:
            raise ConfigError(f"{path} is exported, so torch cannot compute it: take another backend")
        segmenter = _open_export(path, backend, way)
    else:
        segmenter = _open_model(path, backend, way, compiled=compiled)
    segmenter.file = path
    segmenter.predictor.batch_size = batch_size
    if config is not None:
        segmenter.predictor.config = config
    return segmenter


@dataclass(frozen=True)
class _Way:
    """How `load` was told to compute, whatever does."""

    device: Device
    threads: int | None
    half: bool
    batch_size: int
    streams: int
    torch_streams: int = 1

    @property
    def runtime(self) -> dict[str, Any]:
        """What a runtime is told."""
        return {
            "device": self.device,
            "threads": self.threads,
            "half": self.half,
            "streams": self.streams,
        }

    def at_once(self, name: str) -> int:
        """Calls of that backend that compute at the same time: on a GPU, which leaves nothing idle, one."""
        if name == "torch":
            return self.torch_streams
        return 1 if name in ("tensorrt", ON_CUDA) else self.streams

    def contestants(self, able: Sequence[Runtime], *, processor: bool) -> dict[str, tuple[Runtime, _Way]]:
        """Runtimes that are installed and can compute like that, by the name that `auto` calls them.

        Args:
            able: Those that read the model.
            processor: Whether those that compute on the processor are among them. Those on a GPU are where
                ONNX Runtime was built for one, unless the device is the processor.

        Returns:
            Each with how it is told to compute.
        """
        found: dict[str, tuple[Runtime, _Way]] = {}
        if processor:
            for name in installed([name for name in ON_PROCESSOR if name in able]):
                found[name] = (name, replace(self, device="cpu"))
        if self.device != "cpu":
            gpu = replace(self, device="cuda", streams=1)
            if "onnxruntime" in able and has_provider("cuda"):
                found[ON_CUDA] = ("onnxruntime", gpu)
            if "tensorrt" in able and has_provider("tensorrt"):
                found["tensorrt"] = ("tensorrt", gpu)
        # onnxruntime has no choice of numbers.
        return {name: how for name, how in found.items() if not (self.half and how[0] == "onnxruntime")}

    def choose(
        self, able: Mapping[str, Callable[[], Backend]], header: ModelHeader
    ) -> tuple[Choice, Backend]:
        """The fastest of these backends."""
        place = f"{self.device} {self.threads}{' half' if self.half else ''}"
        at_once = {name: self.at_once(name) for name in able}
        return choose(able, header, batch_size=self.batch_size, place=place, at_once=at_once)


def _open_export(path: Path, backend: Literal["auto"] | Runtime | None, way: _Way) -> Segmenter:
    able = RUNTIMES[path.suffix.lower()]
    contestants = way.contestants(able, processor=way.device != "cuda") if backend == "auto" else {}
    if not contestants:
        runtime = backend if backend != "auto" else None
        opened, header = open_exported(path, runtime=runtime, **way.runtime)
        return Segmenter(opened, header, at_once=way.at_once(runtime or first_installed(able)))
    usual, (runtime, its_way) = next(iter(contestants.items()))
    first, header = open_exported(path, runtime=runtime, **its_way.runtime)
    ways: dict[str, Callable[[], Backend]] = {
        name: partial(_opened_export, path, *how) for name, how in contestants.items()
    }
    ways[usual] = lambda: first  # it had to be opened for the header
    choice, opened = way.choose(ways, header)
    return Segmenter(opened, header, choice=choice, at_once=way.at_once(choice.backend))


def _opened_export(path: Path, name: Runtime, way: _Way) -> Backend:
    return open_exported(path, runtime=name, **way.runtime)[0]


def _open_model(path: Path, backend: BackendName | None, way: _Way, *, compiled: bool) -> Segmenter:
    import torch

    from pixelwise.backends.torch import FoldedBackend, choose_device
    from pixelwise.backends.torch_streams import TorchStreams
    from pixelwise.export import onnx_form
    from pixelwise.graph import capture, simplify
    from pixelwise.model_file import load_model

    network, header = load_model(path)
    graph = simplify(capture(network)).coarse()

    on = choose_device(way.device)
    if way.streams > 1 and on.type == "cpu" and not compiled:
        way = replace(way, torch_streams=streams_for_many(torch.get_num_threads()))

    def torch_backend() -> Backend:
        folded = FoldedBackend(graph, on, compiled=compiled, half=way.half)
        return folded if way.torch_streams == 1 else TorchStreams(folded, way.torch_streams)

    def runtime(name: Runtime, way: _Way) -> Backend:
        return open_runtime(name, onnx_form(graph, {}), stride=graph.stride, **way.runtime)

    if backend is None or backend == "torch":
        if way.threads is not None:
            raise ConfigError("threads are the runtimes': for torch, torch.set_num_threads sets them")
        return Segmenter(torch_backend(), header, network=network, at_once=way.at_once("torch"))
    if backend != "auto":
        return Segmenter(runtime(backend, way), header, network=network, at_once=way.at_once(backend))
    able: dict[str, Callable[[], Backend]] = {"torch": torch_backend}
    processor = on.type == "cpu"  # what runs there is no match for a GPU
    contestants = way.contestants((*ON_PROCESSOR, "tensorrt"), processor=processor)
    able |= {name: partial(runtime, *how) for name, how in contestants.items()}
    choice, opened = way.choose(able, header)
    return Segmenter(opened, header, network=network, choice=choice, at_once=way.at_once(choice.backend))


def evaluate(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    split: str = "val",
    config: DataConfig | None = None,
    resolution: Resolution = "photo",
) -> Metrics:
    """Scores of a model file on labelled pictures; see `load` and `Segmenter.evaluate`."""
    return load(model).evaluate(data, split=split, config=config, resolution=resolution)
