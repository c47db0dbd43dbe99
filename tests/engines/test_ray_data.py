"""Ray Data on a real cluster of three nodes, one of which is killed; and a driver that is killed."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from many_pictures import addresses, contents, draw

from pixelwise.cli import main
from pixelwise.config import PredictConfig, RayConfig
from pixelwise.engines.parts import FOLDER
from pixelwise.engines.task import Task
from pixelwise.errors import DataError
from pixelwise.inference.outputs import Outputs

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray")

PICTURES = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head for the driver, and two nodes of one core each for workers."""
    from ray.cluster_utils import Cluster

    quick = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 4,
    }
    node = {"object_store_memory": 80 << 20}
    head = {**node, "num_cpus": 0, "include_dashboard": False, "_system_config": quick}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1, **node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good ones and a bad one."""
    folder = draw(tmp_path_factory.mktemp("many") / "photos", PICTURES)
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def expected(model: Path, pictures: Path) -> dict[str, bytes]:
    """The results of one process."""
    out = pictures.parent / "one"
    assert main(["predict", str(model), str(pictures), "--out", str(out)]) == 2
    return contents(out)


def _task(model: Path, source: object, out: object) -> Task:
    outputs = Outputs(folder=Path())
    return Task(
        model=model,
        source=str(source),
        outputs=outputs,
        out=str(out),
        prediction=PredictConfig(),
        batch_size=4,
        identity={"model": "a"},
    )


def _predict(task: Task, *, resume: bool = False, workers: int = 2, on_done: Any = lambda now: None) -> Any:
    from pixelwise.engines import ray_data

    return ray_data.predict(
        task,
        RayConfig(ray_chunk=2, ray_workers=workers),
        resume=resume,
        on_note=lambda text: None,
        on_done=on_done,
    )


def test_a_node_that_is_killed_costs_nothing_and_doubles_nothing(
    cluster: Any, model: Path, pictures: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    killed: list[str] = []

    def kill(now: Any) -> None:
        """The first that has done something: it is at its next chunk, and has another waiting."""
        for node in cluster.list_all_nodes():
            if not killed and now.nodes[node.node_id] >= 4:
                killed.append(node.node_id)
                cluster.remove_node(node, allow_graceful=False)

    summary = _predict(_task(model, pictures, tmp_path / "out"), on_done=kill)
    assert 4 <= summary.nodes[killed[0]] < PICTURES
    assert len(summary.nodes) == 2
    assert (summary.done, summary.skipped) == (PICTURES + 1, 0)
    assert [*summary.failed] == [str(pictures / "bad.jpg")]
    assert contents(tmp_path / "out") == expected
    done = addresses(tmp_path / "out")
    assert len(done) == len(set(done)) == PICTURES + 1


@pytest.mark.slow
def test_going_on_does_what_is_new_alone(
    cluster: Any, model: Path, pictures: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    task = _task(model, pictures, tmp_path / "out")
    assert _predict(task, workers=1).done == PICTURES + 1
    # The new picture makes every chunk behind it another one.
    (pictures / "00 new.png").write_bytes((pictures / "02.png").read_bytes())
    try:
        again = _predict(task, resume=True, workers=1)
    finally:
        (pictures / "00 new.png").unlink()
    assert (again.done, again.skipped, again.failures) == (1, PICTURES + 1, 1)
    assert contents(tmp_path / "out")["masks/00 new.png"] == expected["masks/02.png"]


@pytest.mark.slow
def test_urls_come_over_the_web_and_errors_of_workers_arrive(
    cluster: Any, model: Path, pictures: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(pictures)))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    urls = [f"http://127.0.0.1:{web.server_port}/{name}" for name in ("02.png", "none.png", "deep/er/03.jpg")]
    (tmp_path / "list.txt").write_text("\n".join(urls))
    try:
        summary = _predict(_task(model, tmp_path / "list.txt", tmp_path / "out"), workers=1)
    finally:
        web.shutdown()
        web.server_close()
    assert (summary.done, [*summary.failed]) == (2, [urls[1]])
    masks = {path.name: path.read_bytes() for path in (tmp_path / "out" / "masks").rglob("*.png")}
    assert masks["02.png.png"] == expected["masks/02.png"]
    assert masks["03.jpg.png"] == expected["masks/deep/er/03.png"]

    (tmp_path / "out" / "overlays").rename(tmp_path / "moved")
    (tmp_path / "out" / "overlays").write_text("a file in the way")
    with pytest.raises(DataError, match="cannot be written"):
        _predict(_task(model, pictures, tmp_path / "out"), workers=1)


@pytest.mark.slow
def test_a_driver_that_is_killed_goes_on(
    model: Path, pictures: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pixelwise", "predict", str(model), str(pictures), "--out", str(out)]
    command += ["--engine", "ray", "--ray-workers", "1", "--ray-chunk", "2", "--batch-size", "4", "--json"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as begun:
        end = time.monotonic() + 120
        while time.monotonic() < end and len(list((out / FOLDER).glob("*.jsonl"))) < 3:
            time.sleep(0.02)
        begun.send_signal(signal.SIGKILL)
    before = len(set(addresses(out)))
    assert 0 < before <= PICTURES
    time.sleep(3)  # its workers notice, and end
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2, done.stderr
    result = json.loads(done.stdout)
    assert result["failed"] == [str(pictures / "bad.jpg")]
    assert result["skipped"] >= before
    assert result["skipped"] + result["done"] == PICTURES + 1
    assert contents(out) == expected
    assert len(addresses(out)) == len(set(addresses(out))) == PICTURES + 1


def test_what_an_engine_cannot_do_is_told_at_once(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, said in (
        (["--coco"], "leave out --engine ray"),
        (["b"], "takes one source"),
        (["--ray-chunk", "0"], "ray-chunk must lie in"),
    ):
        assert main(["predict", str(model), "a", *more, "--engine", "ray"]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_without_ray_it_costs_a_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "pixelwise.engines.ray_data", raising=False)
    monkeypatch.delattr("pixelwise.engines.ray_data", raising=False)
    assert main(["predict", str(model), str(tmp_path), "--engine", "ray"]) == 2
    assert "pip install 'pixelwise[ray]'" in " ".join(capsys.readouterr().err.split())
