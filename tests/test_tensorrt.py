"""ONNX Runtime on a GPU, through CUDA and TensorRT: what it is told, and that nothing else computes instead.

No GPU is needed but for the last test: a fake `onnxruntime` records what it is asked, refuses or falls back.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise import fastest, loading
from pixelwise.backends import tensorrt
from pixelwise.backends import torch as torch_backend
from pixelwise.backends.onnxruntime import OnnxRuntimeBackend, has_provider
from pixelwise.backends.runtimes import first_installed, installed, open_runtime
from pixelwise.errors import BackendError, ConfigError
from pixelwise.exported import RUNTIMES

MODEL = Path(__file__).resolve().parents[1] / "models" / "pets.safetensors"

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


class FakeRuntime(ModuleType):
    """A module `onnxruntime` that was built with some providers.

    Args:
        built_with: What it says it was built with.
        loads: The providers whose libraries it finds; the processor's are always there.
        refuses: What it raises instead of leaving out a provider whose libraries it does not find.
        fails: What it raises at a picture.
    """

    __version__ = "1.99.0"

    def __init__(
        self,
        built_with: Sequence[str] = (TENSORRT, CUDA, CPU),
        *,
        loads: Sequence[str] = (TENSORRT, CUDA),
        refuses: Exception | None = None,
        fails: Exception | None = None,
    ) -> None:
        super().__init__("onnxruntime")
        self.__spec__ = ModuleSpec("onnxruntime", None)
        self.sessions: list[FakeSession] = []
        self.preloaded = 0
        self._built_with = built_with
        self.loads, self.refuses, self.fails = loads, refuses, fails

    def get_available_providers(self) -> list[str]:
        return list(self._built_with)

    def preload_dlls(self) -> None:
        self.preloaded += 1
        print("no such library")  # noqa: T201 - as the real one does

    def SessionOptions(self) -> Any:
        class Options:
            def add_session_config_entry(self, *_: str) -> None: ...

        return Options()

    def InferenceSession(self, model: bytes, options: Any, **told: Any) -> FakeSession:
        return FakeSession(self, options, **told)


class FakeSession:
    def __init__(self, runtime: FakeRuntime, options: Any, *, providers: list, enable_fallback: bool) -> None:
        self.runtime, self.threads = runtime, getattr(options, "intra_op_num_threads", None)
        self.names = [one if isinstance(one, str) else one[0] for one in providers]
        self.told = {one[0]: one[1] for one in providers if not isinstance(one, str)}
        self.falls_back = enable_fallback
        missing = [name for name in self.names if name != CPU and name not in runtime.loads]
        if missing and runtime.refuses is not None:
            raise runtime.refuses
        self.loaded = [name for name in self.names if name not in missing and name != CPU] + [CPU]
        runtime.sessions.append(self)

    def get_providers(self) -> list[str]:
        return self.loaded

    def run(self, _names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.runtime.fails is not None:
            raise self.runtime.fails
        images = feed["images"]
        return [np.zeros((len(images), 3, *images.shape[1:3]), np.float32)]


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, of this test alone."""
    for module in (tensorrt, fastest):
        monkeypatch.setattr(
            module.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name)
        )
    return tmp_path / "cache" / "pixelwise"


def install(monkeypatch: pytest.MonkeyPatch, runtime: FakeRuntime) -> FakeRuntime:
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    return runtime


def versions(monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    """Which of TensorRT's wheels are installed, by name with `_` for `-`."""

    def version(package: str) -> str:
        if package.replace("-", "_") in found:
            return found[package.replace("-", "_")]
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(tensorrt.metadata, "version", version)


@pytest.mark.parametrize("half", [False, True])
def test_tensorrt_comes_before_cuda_and_keeps_its_engines(
    monkeypatch: pytest.MonkeyPatch, caches: Path, capsys: pytest.CaptureFixture[str], half: bool
) -> None:
    runtime = install(monkeypatch, FakeRuntime())
    versions(monkeypatch, tensorrt="10.9.0")
    backend = open_runtime("tensorrt", b"model", threads=3, half=half, streams=4)
    (session,) = runtime.sessions
    assert session.names == [TENSORRT, CUDA]
    assert not session.falls_back
    assert session.threads == 3
    told = session.told[TENSORRT]
    assert told["trt_fp16_enable"] is half
    assert told["trt_engine_cache_enable"] is True
    folder = Path(told["trt_engine_cache_path"])
    assert folder.is_dir()
    assert folder.parent == caches / "tensorrt" == Path(told["trt_timing_cache_path"])
    assert not [key for key in told if key.startswith("trt_profile")]  # ranges grow with the pictures seen
    assert backend.logits(np.zeros((2, 5, 7, 3), np.uint8)).shape == (2, 3, 5, 7)
    assert runtime.preloaded == 1
    assert capsys.readouterr().out == ""  # results belong there


def test_engines_are_of_one_model_one_precision_and_one_version(
    monkeypatch: pytest.MonkeyPatch, caches: Path
) -> None:
    """ONNX Runtime names an engine by the graph alone: another training would find the old weights."""
    runtime = install(monkeypatch, FakeRuntime())
    versions(monkeypatch, tensorrt_cu12="10.9.0")
    for model in (b"one", b"one", b"other"):
        open_runtime("tensorrt", model)
    open_runtime("tensorrt", b"one", half=True)
    runtime.__version__ = "1.100.0"
    open_runtime("tensorrt", b"one")
    versions(monkeypatch, tensorrt="10.10.0", tensorrt_cu12="10.9.0")
    open_runtime("tensorrt", b"one")
    folders = [session.told[TENSORRT]["trt_engine_cache_path"] for session in runtime.sessions]
    assert folders[0] == folders[1]
    assert len(set(folders)) == 5
    assert sorted(path.name for path in (caches / "tensorrt").iterdir()) == sorted(
        {Path(folder).name for folder in folders}
    )


def test_half_where_tensorrt_has_no_such_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeRuntime())
    versions(monkeypatch, tensorrt_cu13="11.2.1.2")
    with pytest.raises(BackendError, match=r"TensorRT 11\.2\.1\.2 computes in the numbers that a file has"):
        open_runtime("tensorrt", b"model", half=True)
    open_runtime("tensorrt", b"model")


def test_a_cache_folder_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caches: Path
) -> None:
    install(monkeypatch, FakeRuntime())
    caches.parent.mkdir()
    caches.touch()
    with pytest.raises(
        BackendError, match=r"cannot be made for TensorRT's engines \(.*\): let XDG_CACHE_HOME"
    ):
        open_runtime("tensorrt", b"model")


@pytest.mark.parametrize(
    ("built_with", "provider", "sentence"),
    [
        ((CPU,), "cuda", rf"this ONNX Runtime has no {CUDA} \(it has {CPU}\): pip install 'onnxruntime-gpu"),
        ((CPU,), "tensorrt", rf"no {TENSORRT} and no {CUDA} \(it has {CPU}\): .*pip install tensorrt\), or"),
        ((CUDA, CPU), "tensorrt", rf"no {TENSORRT} \(it has {CUDA}, {CPU}\): pip install 'onnxruntime-gpu"),
    ],
)
def test_a_provider_that_it_was_not_built_with(
    monkeypatch: pytest.MonkeyPatch, built_with: Sequence[str], provider, sentence: str
) -> None:
    runtime = install(monkeypatch, FakeRuntime(built_with))
    assert not has_provider(provider)
    with pytest.raises(BackendError, match=sentence):
        OnnxRuntimeBackend(b"model", provider=provider)
    assert runtime.sessions == []


def test_this_machine_says_it_in_a_sentence() -> None:
    """The real ONNX Runtime, where it is the build for processors."""
    if has_provider("cuda"):
        pytest.skip("this ONNX Runtime was built for GPUs")
    with pytest.raises(
        BackendError, match=rf"this ONNX Runtime has no {TENSORRT} and no {CUDA} \(it has .*CPU"
    ):
        pw.load(MODEL, backend="tensorrt")


@pytest.mark.parametrize(
    ("provider", "loads", "missing", "instead"),
    [
        ("cuda", (), CUDA, CPU),
        ("tensorrt", (CUDA,), TENSORRT, f"{CUDA}, {CPU}"),
        ("tensorrt", (), f"{TENSORRT} and {CUDA}", CPU),
        ("tensorrt", (TENSORRT,), CUDA, f"{TENSORRT}, {CPU}"),
    ],
)
def test_another_provider_never_computes_instead(
    monkeypatch: pytest.MonkeyPatch, provider, loads: Sequence[str], missing: str, instead: str
) -> None:
    install(monkeypatch, FakeRuntime(loads=loads))
    with pytest.raises(
        BackendError, match=f"could not load {missing}, and would compute with {instead} instead: pip install"
    ):
        OnnxRuntimeBackend(b"model", provider=provider)


def test_a_refusal_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = RuntimeError("libnvinfer.so.10: cannot open shared object file\nand a trace")
    install(monkeypatch, FakeRuntime(loads=(CUDA,), refuses=refusal))
    with pytest.raises(
        BackendError,
        match=r"cannot run this model: libnvinfer\.so\.10: .* file; if a library is missing, pip",
    ):
        open_runtime("tensorrt", b"model")


def test_a_picture_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeRuntime(fails=RuntimeError("TensorRT EP failed to create engine\nmore")))
    backend = open_runtime("tensorrt", b"model")
    with pytest.raises(
        BackendError,
        match=r"failed on pictures of shape \(1, 2, 2, 3\) \(TensorRT EP failed to create engine\): take a",
    ):
        backend.logits(np.zeros((1, 2, 2, 3), np.uint8))


def test_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = RUNTIMES[".onnx"]
    install(monkeypatch, FakeRuntime())
    assert installed(names) == ["onnxruntime", "openvino", "tensorrt"]
    assert first_installed(names) == "onnxruntime"
    install(monkeypatch, FakeRuntime((CUDA, CPU)))
    assert installed(names) == ["onnxruntime", "openvino"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert installed(names) == ["openvino"]
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        BackendError, match=r"pip install 'pixelwise\[onnx\]' or pip install 'pixelwise\[openvino"
    ):
        first_installed(names)


def test_devices_and_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tensorrt runs on a GPU: take --device auto or cuda"):
        pw.load(MODEL, backend="tensorrt", device="cpu")
    with pytest.raises(ConfigError, match=r"tensorrt does not read \.xml files: take openvino"):
        pw.load(tmp_path / "model.xml", backend="tensorrt")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `auto` would measure, each time, and how many batches at once."""
    found: list[dict[str, Any]] = []

    def choose(able, header, *, batch_size: int, place: str, at_once: dict[str, int]):
        found.append({"able": able, "at_once": at_once})
        raise BackendError("enough")

    monkeypatch.setattr(loading, "choose", choose)
    return found


@pytest.mark.parametrize(
    ("gpu", "device", "half", "expected"),
    [
        (True, "auto", False, ["torch", loading.ON_CUDA, "tensorrt"]),
        (True, "cuda", True, ["torch", "tensorrt"]),
        (True, "cpu", False, ["torch", "onnxruntime", "openvino"]),
        # A torch for processors beside an ONNX Runtime for GPUs.
        (False, "auto", False, ["torch", "onnxruntime", "openvino", loading.ON_CUDA, "tensorrt"]),
        (False, "auto", True, ["torch", "openvino", "tensorrt"]),
    ],
)
def test_auto_measures_what_the_gpu_has(
    monkeypatch: pytest.MonkeyPatch, asked: list, gpu: bool, device, half: bool, expected: list[str]
) -> None:
    runtime = install(monkeypatch, FakeRuntime())
    versions(monkeypatch)
    monkeypatch.setattr(torch_backend.torch.cuda, "is_available", lambda: gpu)
    with pytest.raises(BackendError, match="enough"):
        pw.load(MODEL, backend="auto", device=device, half=half, many=True, threads=2)
    (one,) = asked
    assert list(one["able"]) == expected
    for name in expected:
        parallel = name in ("onnxruntime", "openvino") and device != "cuda"
        assert one["at_once"][name] == (2 if parallel else 1)
    for name, names in ((loading.ON_CUDA, [CUDA]), ("tensorrt", [TENSORRT, CUDA])):
        if name in expected:
            one["able"][name]()
            assert runtime.sessions[-1].names == names
            assert (TENSORRT not in names) or runtime.sessions[-1].told[TENSORRT]["trt_fp16_enable"] is half


@pytest.mark.parametrize("built_with", [(CPU,), (CUDA, CPU)])
def test_auto_measures_no_provider_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, asked: list, built_with: Sequence[str]
) -> None:
    install(monkeypatch, FakeRuntime(built_with))
    monkeypatch.setattr(torch_backend.torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="enough"):
        pw.load(MODEL, backend="auto")
    gpu = [loading.ON_CUDA] if CUDA in built_with else []
    assert list(asked[0]["able"]) == ["torch", "onnxruntime", "openvino", *gpu]


def test_auto_of_an_exported_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list) -> None:
    pw.load(MODEL).export(tmp_path / "model.onnx")
    header = pw.load(tmp_path / "model.onnx").header
    opened: list[tuple[str, str, bool]] = []

    def open_exported(path, *, runtime, device, threads, half, streams):
        opened.append((runtime, device, half))
        return object(), header

    monkeypatch.setattr(loading, "open_exported", open_exported)
    install(monkeypatch, FakeRuntime())
    for device, half, expected in (
        ("auto", False, ["onnxruntime", "openvino", loading.ON_CUDA, "tensorrt"]),
        ("cuda", False, [loading.ON_CUDA, "tensorrt"]),
        ("cuda", True, ["tensorrt"]),
        ("cpu", False, ["onnxruntime", "openvino"]),
    ):
        opened.clear()
        asked.clear()
        with pytest.raises(BackendError, match="enough"):
            pw.load(tmp_path / "model.onnx", backend="auto", device=device, half=half)
        assert list(asked[0]["able"]) == expected
        assert len(opened) == 1  # for the header; it is not opened again
        for open_it in asked[0]["able"].values():
            open_it()
        places = {loading.ON_CUDA: ("onnxruntime", "cuda", half), "tensorrt": ("tensorrt", "cuda", half)}
        assert opened == [places.get(name, (name, "cpu", half)) for name in expected]


def test_auto_of_an_exported_model_that_nothing_can_compute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pw.load(MODEL).export(tmp_path / "model.onnx")
    install(monkeypatch, FakeRuntime((CPU,)))
    with pytest.raises(BackendError, match=f"this ONNX Runtime has no {CUDA}"):
        pw.load(tmp_path / "model.onnx", backend="auto", device="cuda")


def test_auto_goes_on_where_no_engine_can_be_built(tmp_path: Path) -> None:
    class Answers:
        stride = 1

        def logits(self, images: np.ndarray) -> np.ndarray:
            return np.zeros((len(images), 3, *images.shape[1:3]), np.float32)

    class Fails:
        stride = 1

        def logits(self, images: np.ndarray) -> np.ndarray:
            raise BackendError("no engine")

    header = pw.load(MODEL, device="cpu").header
    settings: dict[str, Any] = {"batch_size": 1, "place": "cuda", "memory": tmp_path / "backends.json"}
    choice, opened = fastest.choose({"tensorrt": Fails, "torch": Answers}, header, **settings)
    assert isinstance(opened, Answers)
    assert (choice.backend, dict(choice.failed)) == ("torch", {"tensorrt": "no engine"})
    assert "tensorrt: no engine" in str(choice)
    with pytest.raises(BackendError, match="no backend can compute this model: no engine"):
        fastest.choose({"tensorrt": Fails}, header, **settings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
@pytest.mark.parametrize("half", [False, True])
def test_a_gpu_answers_as_the_processor_does(
    backend, half: bool, real_data: Path, caches: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    provider = "cuda" if backend == "onnxruntime" else "tensorrt"
    if not has_provider(provider):
        pytest.skip(f"this ONNX Runtime has no provider for {backend}")
    if half and backend == "onnxruntime":
        pytest.skip("it has no choice of numbers")
    photos = sorted((real_data / "cats" / "images").glob("yard_cat_*.jpg"))[:4]
    own = pw.load(MODEL, device="cpu")
    there = pw.load(MODEL, backend=backend, device="cuda", half=half)
    changed = [np.mean(own.predict(photo).labels != there.predict(photo).labels) for photo in photos]
    # Both round convolutions to TF32's 11 bits, as float16 has, where the GPU does.
    assert np.mean(changed) < 2e-3
    images = np.random.default_rng(0).integers(0, 256, (3, 61, 83, 3), np.uint8)
    assert there.predictor.backend.logits(images).shape == (3, len(own.classes), 61, 83)
    if backend == "tensorrt":
        assert list((caches / "tensorrt").glob("*/*.engine"))
