"""What shall be predicted, as one value that goes to every worker; and a worker made of it.

The model's files travel along, so a worker needs no disk that the driver sees. Knows no engine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pixelwise import torch_runtime
from pixelwise.config import PredictConfig
from pixelwise.engines.parts import Index, Parts
from pixelwise.engines.store import open_store
from pixelwise.engines.worker import Worker
from pixelwise.errors import DataError, ModelFileError
from pixelwise.exported import is_exported
from pixelwise.inference.outputs import Outputs
from pixelwise.loading import BackendName, load

USUAL_BATCH = 8
"""Until the batch is measured."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A prediction of many pictures.

    Attributes:
        model: Its file, where the driver sees it.
        source: A folder, or a list of pictures.
        outputs: What is written of each; their folder does not count.
        out: Where to: a folder or a URL.
        prediction: What the network gets of a picture.
        device: Where to compute.
        backend: What computes.
        half: Whether in 16-bit numbers.
        compiled: Whether through `torch.compile`.
        batch_size: Pictures at once; measured where None.
        threads: That read pictures in a worker, and as many that write.
        identity: What decides the results besides the pictures: plain JSON values.
    """

    model: Path
    source: str
    outputs: Outputs
    out: str
    prediction: PredictConfig
    device: Literal["auto", "cpu", "cuda"] = "auto"
    backend: BackendName | None = None
    half: bool = False
    compiled: bool = False
    batch_size: int | None = None
    threads: int = 2
    identity: Mapping[str, Any]


def model_files(model: Path) -> dict[str, bytes]:
    """A model's file, and OpenVINO's weights beside it, by name.

    Raises:
        ModelFileError: One is missing.
    """
    beside = [model.with_suffix(".bin")] if model.suffix.lower() == ".xml" else []
    try:
        return {path.name: path.read_bytes() for path in (model, *beside)}
    except OSError as error:
        raise ModelFileError(f"{error.filename}: {error.strerror}; give a model file of a run") from error


def open_worker(
    task: Task, files: Mapping[str, bytes], identity: str, run: int, index: Index, *, cpus: int
) -> Worker:
    """A worker with its own model, on so many cores.

    Args:
        task: What it works for.
        files: As `model_files` gives them.
        identity: Of the job, in its manifest.
        run: Which run of the job this is.
        index: What was done before.
        cpus: Cores that are the worker's.
    """
    torch_runtime.keep_large_blocks()
    exported = is_exported(task.model)
    if not exported:
        import torch

        torch.set_num_threads(cpus)
    by_torch = not exported and task.backend in (None, "torch")
    with tempfile.TemporaryDirectory(prefix="pixelwise-model-") as folder:
        for name, content in files.items():
            try:
                (Path(folder) / name).write_bytes(content)
            except OSError as error:
                raise DataError(f"{folder} has no room for the model: {error.strerror}") from error
        segmenter = load(
            Path(folder) / task.model.name,
            device=task.device,
            backend=task.backend,
            threads=None if by_torch else cpus,
            half=task.half,
            compiled=task.compiled,
            batch_size=task.batch_size or USUAL_BATCH,
            many=True,
            config=task.prediction,
        )
    store = open_store(task.out)
    return Worker(
        segmenter.predictor,
        task.outputs,
        store,
        Parts(store, identity, run),
        index,
        threads=task.threads,
        measures=task.batch_size is None,
    )
