"""Which libraries' versions a run's provenance has."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from pixelwise.training.run import RunFolder, write_provenance


@pytest.fixture(autouse=True)
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every library is there, in a version that bears its name."""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"{name} 1")


@pytest.mark.parametrize(
    ("arguments", "there"),
    [
        ({}, False),
        ({"encoder": None}, False),
        ({"encoder": "mobilenet_v2"}, False),
        ({"encoder": "timm:resnet18"}, True),
    ],
)
def test_timm_is_recorded_where_it_computes(
    arguments: dict[str, str | None], there: bool, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path)
    written = write_provenance(run, {"architecture": {"name": "unet", "arguments": arguments}})

    assert written["versions"]["torch"] == "torch 1"
    assert written["versions"].get("timm") == ("timm 1" if there else None)
    assert json.loads(run.provenance.read_text()) == written
