"""The numbers that other trackers gave to a run, kept in its folder so that a resumed run goes on in them."""

from __future__ import annotations

import json
from pathlib import Path

from pixelwise.files import write_whole

_NAME = "tracking.json"


def recorded_id(folder: Path, tracker: str) -> str | None:
    """The run's number at a tracker; None where there is none, or the file is no longer readable."""
    return _read(folder).get(tracker)


def record_id(folder: Path, tracker: str, number: str) -> None:
    """Keeps the run's number at a tracker."""
    document = {**_read(folder), tracker: number}
    write_whole(folder / _NAME, (json.dumps(document, indent=2) + "\n").encode())


def _read(folder: Path) -> dict[str, str]:
    try:
        document = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in document.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
