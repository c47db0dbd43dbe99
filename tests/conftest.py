"""What every test may use: drawn data sets, and the real pictures where they lie beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drawn_folder import draw_folder

REPOSITORY = Path(__file__).resolve().parents[1]


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
