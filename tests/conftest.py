"""What every test may use: drawn data sets, and the real pictures where they lie beside the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawn_folder import draw_folder

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent

LONG = ("training", "engines", "parity", "graph", "cli")
"""Folders of tests that start processes, train or compile."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones come first: what is left at the end is short, and all processes end together."""
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] not in LONG)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures; skips where there is none, as in a stranger's clone."""
    folder = Path(os.environ.get("PIXELWISE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}; set PIXELWISE_REAL_DATA to their folder")
    return folder


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A fresh `draw_folder`, for tests that damage it."""
    return draw_folder(tmp_path / "data")


@pytest.fixture(scope="session")
def shared_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `draw_folder` that nobody may change."""
    return draw_folder(tmp_path_factory.mktemp("drawn") / "data")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file of an untrained network, for photos at 32x32; nobody may change it."""
    from pixelwise.header import Architecture, ModelHeader  # torch takes a second, and few tests need it
    from pixelwise.model_file import save_model
    from pixelwise.models import build_model
    from pixelwise.types import Classes, SizePolicy

    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    network = build_model("unet-xception", num_classes=2, seed=0)
    header = ModelHeader(
        Architecture("unet-xception"), Classes(("ground", "box")), SizePolicy("resize", (32, 32))
    )
    save_model(path, network, header)
    return path


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export measures speed and memory of no account, for tests of the rest of it."""
    monkeypatch.setattr("pixelwise.parity.prove.peak_memory", lambda *_: None)
    monkeypatch.setattr("pixelwise.parity.speed.ROUNDS", 1)


@pytest.fixture(scope="module")
def quick_curves() -> Iterator[None]:
    """No plot in `curves.png`: one takes longer than an epoch of these runs, and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelwise.training.log.save_curves", lambda _rows, path: path.write_bytes(b"curves"))
        yield
