"""Many pictures on a cluster, by Ray Data: the names stream in, each worker has a model, reports stream out.

The only module that knows Ray. What crosses between its processes is made here and there; nothing of a user's
file is unpickled. Ray sends no statistics and starts no dashboard.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from threading import Lock
from typing import Any, cast

from pixelwise.address import fixed
from pixelwise.config import RayConfig
from pixelwise.engines import attempts
from pixelwise.engines.listing import Item, check_source, chunks
from pixelwise.engines.parts import Index, begin
from pixelwise.engines.store import LocalStore, open_store
from pixelwise.engines.task import Task, model_files, open_worker
from pixelwise.engines.worker import LANES
from pixelwise.errors import BackendError, ConfigError, DataError, ModelFileError, PixelwiseError
from pixelwise.files import remove_leftovers

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before Ray is imported: it asks at once

try:
    import pyarrow
    import ray
    import ray.data
    from ray.data.block import BlockMetadata
    from ray.exceptions import RayError
except ImportError as error:
    raise BackendError(
        f"--engine ray needs Ray, which is not installed ({error}): pip install 'pixelwise[ray]'"
    ) from error

NAMES_AHEAD = 256 << 20
"""Bytes of names and reports that wait in the cluster."""

FAILURES_TOLD = 1000
"""Pictures that could not be segmented which the driver names; the manifest names all."""

_ERRORS: dict[str, type[PixelwiseError]] = {
    kind.__name__: kind for kind in (BackendError, ConfigError, DataError, ModelFileError)
}


@dataclass
class Summary:
    """How a job went.

    Attributes:
        done: Pictures that were segmented now.
        skipped: Pictures whose results were there.
        failures: Pictures that could not be segmented.
        failed: Why, by address, for the first `FAILURES_TOLD` of them.
        nodes: Pictures that were segmented now, by the machine's id in the cluster.
    """

    done: int = 0
    skipped: int = 0
    failures: int = 0
    failed: dict[str, str] = field(default_factory=dict[str, str])
    nodes: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        """Pictures that were looked at."""
        return self.done + self.skipped + self.failures


def predict(
    task: Task,
    config: RayConfig,
    *,
    resume: bool,
    on_note: Callable[[str], None],
    on_done: Callable[[Summary], None],
) -> Summary:
    """Predicts on a cluster, and waits for it.

    Args:
        task: What.
        config: On which cluster, and on how much of it.
        resume: Skip what is done and has not changed.
        on_note: Hears what people should know.
        on_done: Hears how far it is.

    Raises:
        BackendError: There is no such cluster, or its workers were ended again and again.
        DataError: The source cannot be listed, or the results cannot be written.
    """
    task = replace(task, source=fixed(task.source), out=fixed(task.out))
    check_source(task.source)
    store = open_store(task.out)
    if resume and isinstance(store, LocalStore):
        remove_leftovers(store.folder)
    attempts.forget(store)
    parts, index = begin(store, task.identity, resume=resume)
    summary = Summary()
    told: set[str] = set()
    with _cluster(config, on_note) as workers:
        shared = ray.put(_Shared(task, model_files(task.model), parts.identity, parts.run, index))
        for report in _reports(task, config, shared, workers):
            if "fatal" in report:
                raise _ERRORS[report["kind"]](report["fatal"])
            summary.done += report["done"]
            summary.nodes[report["node"]] += report["done"]
            summary.skipped += report["skipped"]
            summary.failures += len(report["failed"])
            for address, why in report["failed"].items():
                if len(summary.failed) < FAILURES_TOLD:
                    summary.failed[address] = why
            for note in report["notes"]:
                # Each worker measures its batch; one of them is enough to read.
                kind = note.partition(" ")[0]
                if kind not in told:
                    told.add(kind)
                    on_note(note)
            on_done(summary)
    return summary


@dataclass(frozen=True)
class _Shared:
    """What every worker needs; it is put into the cluster once."""

    task: Task
    files: Mapping[str, bytes]
    identity: str
    run: int
    index: Index


class _Chunks(ray.data.Datasource):
    """The source's pictures: each row is a chunk."""

    def __init__(self, source: str, size: int) -> None:
        super().__init__()
        self._source, self._size = source, size

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows before it is listed."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ray.data.ReadTask]:
        """One: a listing has an order."""
        source, size = self._source, self._size

        def read() -> Iterator[pyarrow.Table]:
            try:
                for chunk in chunks(source, size):
                    yield _row(items=[astuple(item) for item in chunk])
            except PixelwiseError as error:
                yield _row(**_fatal(error))

        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ray.data.ReadTask(read, unknown)]


class _Actor:
    """A worker in a process of Ray's, called by several threads; its model is opened at the first chunk."""

    def __init__(self, shared: list[Any], cpus: int) -> None:
        self._shared, self._cpus = shared, cpus
        self._opening = Lock()
        self._worker: Any = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """A chunk's report."""
        given = json.loads(batch["chunk"][0])
        try:
            report = given if "fatal" in given else self._run([Item(*item) for item in given["items"]])
        except PixelwiseError as error:
            report = _fatal(error)
        return {"report": [json.dumps(report)]}

    def _run(self, chunk: list[Item]) -> dict[str, Any]:
        with self._opening:
            if self._worker is None:
                shared = cast("_Shared", ray.get(self._shared[0]))
                self._worker = open_worker(
                    shared.task, shared.files, shared.identity, shared.run, shared.index, cpus=self._cpus
                )
        report = self._worker.run(chunk)
        return {
            "done": report.done,
            "skipped": report.skipped,
            "failed": dict(report.failed),
            "notes": report.notes,
            "node": ray.get_runtime_context().get_node_id(),
        }


def _row(**values: Any) -> pyarrow.Table:
    return pyarrow.table({"chunk": [json.dumps(values)]})


def _fatal(error: PixelwiseError) -> dict[str, str]:
    """An error that ends the job, to be raised where people are."""
    kind = next((name for name, kind in _ERRORS.items() if isinstance(error, kind)), "DataError")
    return {"fatal": str(error), "kind": kind}


def _reports(task: Task, config: RayConfig, shared: Any, workers: int) -> Iterator[dict[str, Any]]:
    """Of each chunk, as they come."""
    here = ray.get_runtime_context().get_node_id()
    listed = ray.data.read_datasource(
        _Chunks(task.source, config.ray_chunk),
        num_cpus=0,  # it waits for disks and servers, and shall keep no worker from its core
        label_selector={"ray.io/node-id": here},  # a path of the driver's machine is listed there
        override_num_blocks=1,
    )
    reported = listed.map_batches(
        _Actor,
        fn_constructor_args=([shared], config.ray_cpus),  # in a list, so that Ray passes it on unopened
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(
            size=workers,
            max_tasks_in_flight_per_actor=LANES + 1,
            max_concurrent_calls_per_actor=LANES,
            enable_true_multi_threading=True,
        ),
        num_cpus=config.ray_cpus,
        num_gpus=config.ray_gpus,
    )
    try:
        for row in reported.iter_rows():
            yield json.loads(row["report"])
    except RayError as error:
        raise BackendError(
            f"the cluster gave up ({str(error).strip().splitlines()[-1][:300]}): what is done is kept, so "
            "see to it and go on with --resume"
        ) from error


@contextlib.contextmanager
def _cluster(config: RayConfig, on_note: Callable[[str], None]) -> Iterator[int]:
    """Joins a cluster, or starts one of this machine; yields how many workers there shall be."""
    begun = not ray.is_initialized()
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints what happens to its nodes; stdout is results'
        try:
            if begun:
                _join(config)
            yield _settle(config, on_note)
        finally:
            if begun:
                ray.shutdown()


def _join(config: RayConfig) -> None:
    address = config.ray_address or os.environ.get("RAY_ADDRESS") or "local"
    own = address == "local"
    try:
        ray.init(
            address=address,
            num_cpus=config.ray_workers * config.ray_cpus if own and config.ray_workers else None,
            include_dashboard=False if own else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BackendError(
            f"there is no Ray cluster at {address} ({str(error).splitlines()[0][:200]}): start one with "
            "`ray start --head`, or leave out --ray-address for this machine alone"
        ) from error


def _settle(config: RayConfig, on_note: Callable[[str], None]) -> int:
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1  # each chunk goes to a worker by itself
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.resource_limits = ray.data.ExecutionResources(object_store_memory=NAMES_AHEAD)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    has = ray.cluster_resources()
    room = int(has.get("CPU", 0) // config.ray_cpus)
    if config.ray_gpus:
        room = min(room, int(has.get("GPU", 0) // config.ray_gpus))
    workers = config.ray_workers or room
    if workers < 1:
        raise ConfigError(
            f"the cluster has {has.get('CPU', 0):g} cores and {has.get('GPU', 0):g} GPUs, which is no room "
            f"for a worker of {config.ray_cpus} and {config.ray_gpus:g}: lower --ray-cpus or --ray-gpus"
        )
    nodes = sum(1 for node in ray.nodes() if node["Alive"])
    on_note(f"{workers} workers of {config.ray_cpus} cores each on {nodes} machines of the Ray cluster")
    return workers
