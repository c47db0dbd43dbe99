"""A worker: the bytes of one process, nothing twice, bad pictures told, deadly ones found."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from many_pictures import CLASSES, addresses, contents, in_one_process, make_predictor, worker
from PIL import Image

from pixelwise.backends.fake import FakeBackend
from pixelwise.engines import attempts
from pixelwise.engines import lane as module
from pixelwise.engines.listing import Item, chunks, digest_of_chunk
from pixelwise.engines.parts import FOLDER
from pixelwise.engines.store import open_store
from pixelwise.engines.worker import Worker
from pixelwise.errors import BackendError, DataError
from pixelwise.inference.predictor import Predictor

ALL = {"probabilities": True, "labelme": True, "cutout": "cat"}


@pytest.mark.parametrize("kinds", [{}, ALL])
def test_every_result_is_that_of_one_process(photos: Path, tmp_path: Path, kinds: dict[str, Any]) -> None:
    expected = in_one_process(photos, tmp_path / "one", kinds)
    some = worker(str(tmp_path / "many"), kinds=kinds)
    reports = [some.run(chunk) for chunk in chunks(str(photos), 4)]
    assert contents(tmp_path / "many") == expected
    assert sum(report.done for report in reports) == 8
    ((address, why),) = [pair for report in reports for pair in report.failed.items()]
    assert address == str(photos / "bad.jpg")
    assert "no picture that can be read" in why
    assert not list((tmp_path / "many" / FOLDER / "begun").iterdir())


@pytest.mark.parametrize("kinds", [{}, ALL])
def test_from_one_object_store_to_another(
    photos: Path, tmp_path: Path, memory: Any, kinds: dict[str, Any]
) -> None:
    expected = in_one_process(photos, tmp_path / "one", kinds)
    memory.put(str(photos), "/bucket/in", recursive=True)
    some = worker("memory://bucket/out", kinds=kinds)
    reports = [some.run(chunk) for chunk in chunks("memory://bucket/in", 4)]
    memory.get("/bucket/out/", str(tmp_path / "many"), recursive=True)
    assert contents(tmp_path / "many") == expected
    (why,) = [why for report in reports for why in report.failed.values()]
    assert why.startswith("memory://bucket/in/bad.jpg: this is no picture")
    assert not [path for path in some.folder.rglob("*") if path.is_file() and path.name != "labels.txt"]


def test_going_on_does_what_is_new_changed_or_lost(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = worker(str(out))
    for chunk in chunks(str(photos), 4):
        first.run(chunk)
    before = contents(out)
    (out / "masks" / "02.png").unlink()
    (out / "masks" / "04.png").write_bytes(b"cut")
    (photos / "05.jpg").write_bytes((photos / "01.jpg").read_bytes())
    (photos / "00.png").write_bytes((photos / "02.png").read_bytes())  # new, and every chunk is another now
    second = worker(str(out), resume=True)
    reports = [second.run(chunk) for chunk in chunks(str(photos), 4)]
    assert (sum(r.done for r in reports), sum(r.skipped for r in reports)) == (4, 5)
    after = contents(out)
    assert after["masks/04.png"] == before["masks/04.png"]
    assert after["masks/05.png"] == before["masks/01.jpg.png"]
    third = worker(str(out), resume=True)
    assert [third.run(chunk).done for chunk in chunks(str(photos), 3)] == [0, 0, 0, 0]


def test_an_object_store_is_not_read_again_where_its_stamps_say_so(
    photos: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.put(str(photos), "/in", recursive=True)
    items = [Item(f"memory://in/{name}", name, "etag 1") for name in ("02.png", "04.png")]
    assert worker("memory://out").run(items).done == 2
    brought: list[str] = []
    bring = module.bring
    monkeypatch.setattr(
        module, "bring", lambda address, path: (brought.append(address), bring(address, path))
    )
    items[1] = Item("memory://in/04.png", "04.png", "etag 2")  # touched, and its bytes are the same
    report = worker("memory://out", resume=True).run(items)
    assert (report.done, report.skipped, brought) == (0, 2, ["memory://in/04.png"])
    memory.rm_file("/out/masks/02.png.png")
    assert worker("memory://out", resume=True).run(items).done == 1


def test_a_chunk_whose_answer_was_lost_is_not_done_again(photos: Path, tmp_path: Path) -> None:
    (chunk,) = chunks(str(photos), 20)
    some = worker(str(tmp_path / "out"))
    first = some.run(chunk)
    mask = tmp_path / "out" / "masks" / "02.png"
    written = mask.stat().st_mtime_ns
    second = some.run(chunk)
    assert (second.done, dict(second.failed)) == (first.done, dict(first.failed))
    assert mask.stat().st_mtime_ns == written


class _Deadly(FakeBackend):
    """Ends its process, as far as a test may, at a picture of 46 rows."""

    def logits(self, images: Any) -> Any:
        if images.shape[1] == 46:
            raise SystemExit("killed")
        return super().logits(images)


def test_a_picture_that_ends_its_worker_is_found_and_the_rest_go_on(photos: Path, tmp_path: Path) -> None:
    expected = in_one_process(photos, tmp_path / "one")
    (chunk,) = chunks(str(photos), 20)
    policy = make_predictor().size_policy
    deadly = Predictor(_Deadly(CLASSES.colours), CLASSES, policy, batch_size=2)
    some = worker(str(tmp_path / "out"), predictor=deadly)
    deaths = 0
    while True:
        try:
            report = some.run(chunk)
            break
        except SystemExit:
            deaths += 1
            assert deaths < 9
    assert deaths == 4  # twice in haste, twice alone
    guilty = str(photos / "deep" / "er" / "06.png")
    assert "its worker ended 2 times" in report.failed[guilty]
    assert report.done == 7
    assert contents(tmp_path / "out") == {k: v for k, v in expected.items() if "06" not in k}
    assert len(addresses(tmp_path / "out")) == len(set(addresses(tmp_path / "out"))) == 7


def test_a_list_may_name_a_picture_twice(photos: Path, tmp_path: Path) -> None:
    item = Item(str(photos / "02.png"), "02.png")
    assert worker(str(tmp_path / "out")).run([item, item]).done == 1


def test_results_that_cannot_be_written_end_the_job(photos: Path, tmp_path: Path) -> None:
    some = worker(str(tmp_path / "out"))
    (tmp_path / "out" / "masks").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        some.run(next(chunks(str(photos), 4)))


def test_a_store_whose_package_is_missing_costs_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(BackendError, match="pip install s3fs"):
            worker("s3://bucket/out")


@pytest.fixture
def server(photos: Path) -> Iterator[str]:
    """The pictures on a web server."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(photos)))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    web.server_close()


def test_a_list_of_urls_is_brought_over_the_web(server: str, photos: Path, tmp_path: Path) -> None:
    urls = [f"{server}/{name}" for name in ("02.png", "missing.png", "deep/er/03.jpg", "bad.jpg")]
    (tmp_path / "list.txt").write_text("\n".join(urls))
    (chunk,) = chunks(str(tmp_path / "list.txt"), 20)
    report = worker(str(tmp_path / "out")).run(chunk)
    assert report.done == 2
    assert set(report.failed) == {urls[1], urls[3]}
    expected = in_one_process(photos, tmp_path / "one")
    host = server.removeprefix("http://").replace(":", "%3A")
    written = contents(tmp_path / "out")
    assert written[f"masks/http/{host}/02.png.png"] == expected["masks/02.png"]
    assert written[f"overlays/http/{host}/deep/er/03.jpg.jpg"] == expected["overlays/deep/er/03.jpg"]


def test_a_server_that_sends_without_end_is_cut(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelwise.engines import store

    monkeypatch.setattr(store, "LARGEST", 100)
    with pytest.raises(DataError, match="is larger than"):
        store.bring(f"{server}/02.png", tmp_path / "02.png")
    assert (tmp_path / "02.png").stat().st_size <= 100


def test_the_batch_is_measured_where_it_is_not_given() -> None:
    from pixelwise.engines.batch import measure_batch

    class Slow(Predictor):
        """A second of overhead a call: every doubling pays, until memory has no room."""

        def network_probabilities(self, images: Any) -> Any:
            sizes.append(len(images))
            return np.zeros((len(images), 3, 32, 32), np.float32)

    sizes: list[int] = []
    usual = make_predictor()
    slow = Slow(usual.backend, usual.classes, usual.size_policy)
    room = iter([1000, 999, 999, 700])
    choice = measure_batch(slow, free=lambda: next(room))
    assert choice.size in (1, 2)
    assert max(sizes) == 2
    assert str(choice).startswith(f"batches of {choice.size} (a picture takes in batches of 1: ")


class _Watched:
    """Computes as `FakeBackend`, and notes the rows of each batch, and whether two calls met."""

    stride = 1

    def __init__(self, before_first: Callable[[], object]) -> None:
        self._usual, self._before_first = make_predictor().backend, before_first
        self._inside = threading.Lock()
        self.rows: list[int] = []
        self.met = False

    def logits(self, images: Any) -> Any:
        if not self._inside.acquire(blocking=False):
            self.met = True
            return self._usual.logits(images)
        try:
            if not self.rows:
                self._before_first()
            self.rows.append(images.shape[1])
            return self._usual.logits(images)
        finally:
            self._inside.release()


def _wait_for(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end
        time.sleep(0.005)


def _watched(out: Path, before_first: Callable[[], object]) -> tuple[Worker, _Watched]:
    backend, usual = _Watched(before_first), make_predictor()
    predictor = Predictor(backend, usual.classes, usual.size_policy, batch_size=2)
    return worker(str(out), predictor=predictor), backend


def test_two_chunks_are_under_way_and_the_network_computes_for_one(photos: Path, tmp_path: Path) -> None:
    expected = in_one_process(photos, tmp_path / "one")
    begun = tmp_path / "out" / attempts.FOLDER
    some, backend = _watched(tmp_path / "out", lambda: _wait_for(lambda: len(list(begun.iterdir())) == 2))
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(some.run, chunks(str(photos), 5)))
    assert sum(report.done for report in reports) == 8
    assert not backend.met
    assert contents(tmp_path / "out") == expected


def test_a_chunk_that_ended_its_worker_before_is_alone(photos: Path, tmp_path: Path) -> None:
    every = [item for chunk in chunks(str(photos), 20) for item in chunk if "bad" not in item.name]
    rows = [np.asarray(Image.open(item.address)).shape[0] for item in every]
    hasty, careful = every[:4], every[4:]
    store, name = open_store(str(tmp_path / "out")), f"000001-{digest_of_chunk(careful)}.jsonl"
    mark = tmp_path / "out" / attempts.FOLDER / name
    computes = threading.Event()

    def before_first() -> None:
        computes.set()
        _wait_for(lambda: '"number": 3' in mark.read_text())

    some, backend = _watched(tmp_path / "out", before_first)
    for _ in range(attempts.IN_HASTE):
        attempts.begin(store, name)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(some.run, hasty)
        assert computes.wait(30)
        second = pool.submit(some.run, careful)
        assert (first.result().done, second.result().done) == (4, 4)
    assert backend.rows[-4:] == rows[4:]  # one by one, behind all of the other chunk


def test_a_picture_of_a_store_that_is_too_large_is_left_out(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelwise.engines import store

    monkeypatch.setattr(store, "LARGEST", 100)
    memory.pipe_file("/in/a.png", bytes(101))
    memory.pipe_file("/in/b.png", bytes(100))
    with pytest.raises(DataError, match=r"memory://in/a\.png is larger than 100 bytes"):
        store.bring("memory://in/a.png", tmp_path / "a.png")
    store.bring("memory://in/b.png", tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == bytes(100)
