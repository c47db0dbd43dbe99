"""PyAV, which brings FFmpeg's libraries: imported when a video is touched, missed in one sentence."""

from __future__ import annotations

from types import ModuleType

from pixelwise.errors import BackendError


def load_av() -> ModuleType:
    """The module `av`; `BackendError` where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise BackendError("videos need PyAV: pip install 'pixelwise[video]'") from error
    return av


def reason(error: Exception) -> str:
    """What FFmpeg says of a failure: without the file's name, which may hold a password."""
    if type(error).__name__ == "ExitError":  # what a timeout looks like
        return "nothing came for too long"
    said = getattr(error, "strerror", None)
    return str(said or type(error).__name__)


def camera_names(device: str) -> list[str]:
    """Names of the cameras that FFmpeg's device finds, in its order; none where this PyAV cannot ask."""
    av = load_av()
    if not hasattr(av, "enumerate_input_devices"):
        return []
    return [found.name for found in av.enumerate_input_devices(device) if "video" in found.media_types]
