"""Pictures into a video file that can be played whatever happens while it is written.

MP4 and MOV are written in fragments of a second, and at the end turned into an ordinary file, which every
player seeks in; Matroska in clusters of a second. So after a kill or a full disk what was written until then
plays. Knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwise.errors import BackendError, ConfigError, DataError
from pixelwise.video.package import load_av, reason
from pixelwise.video.sink import Sink

_FRAGMENTS = {
    "movflags": "hybrid_fragmented+frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "1000000",
    "flush_packets": "1",
}

CONTAINERS: dict[str, tuple[str, dict[str, str]]] = {
    ".mp4": ("mp4", _FRAGMENTS),
    ".mov": ("mov", _FRAGMENTS),
    ".mkv": ("matroska", {"cluster_time_limit": "1000", "flush_packets": "1"}),
}
"""A file's ending, with FFmpeg's name of the format and what it is told."""


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders.

    Attributes:
        name: FFmpeg's.
        options: For it. No frames are predicted from later ones, so that times begin at 0 and need no edit
            list, which fragments have none of.
        finest: The largest denominator of a time base that it takes.
    """

    name: str
    options: dict[str, str] = field(default_factory=dict)
    finest: int = 1_000_000


ENCODERS = (
    Encoder("libx264", {"preset": "veryfast", "crf": "20", "bf": "0", "g": "50"}),
    Encoder("mpeg4", {"flags": "+qscale", "global_quality": str(3 * 118), "g": "50"}, finest=65_535),
)
"""H.264, and for an FFmpeg that was built without it MPEG-4 Part 2, which all have; the first there is."""

_TIME_BASE = Fraction(1, 60_000)
"""Where the source's does not fit: 24, 25, 30 and 50 frames a second and 30000/1001 are multiples of it."""

# FFmpeg's numbers for BT.709 and the range 16..235.
_BT709, _LIMITED, _FULL = 1, 1, 2


def container_of(path: Path) -> tuple[str, dict[str, str]]:
    """The format that a path's ending names; `ConfigError` for others."""
    found = CONTAINERS.get(path.suffix.lower())
    if found is None:
        raise ConfigError(f"{path}: a video is written as {', '.join(CONTAINERS)}; choose such an ending")
    return found


class VideoWriter:
    """Writes pictures of one size as 8-bit 4:2:0 video in BT.709.

    Args:
        path: `.mp4`, `.mov` or `.mkv`; written over.
        size: `(height, width)` of the pictures, both even as 4:2:0 needs them.
        time_base: Of the source. Times are kept exactly where the encoder takes it; Matroska rounds to 1 ms.
        rate: Frames a second, as a hint.
        pixel_aspect: Width of a pixel by its height.

    Attributes:
        codec: FFmpeg's name of the encoder.
        frames: Written so far.

    Raises:
        ConfigError: Another ending.
        DataError: The file cannot be written.
        BackendError: PyAV is not installed, or its FFmpeg has no encoder.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        av = load_av()
        name, options = container_of(path)
        encoder = _first_encoder(av)
        self.path = path
        self.codec = encoder.name
        self.frames = 0
        self._av = av
        self._last = -1
        self._first: Fraction | None = None
        self._reformatter = av.video.reformatter.VideoReformatter()
        fits = time_base.numerator == 1 and time_base.denominator <= encoder.finest
        self._time_base = time_base if fits else _TIME_BASE
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sink = Sink(path)
        except OSError as error:
            raise DataError(
                f"{path} cannot be written ({error.strerror}): choose another file with --out"
            ) from error
        self._container = av.open(self._sink, "w", format=name, options=options)
        self._stream = self._add_stream(encoder, size, rate, pixel_aspect)

    def _add_stream(
        self, encoder: Encoder, size: tuple[int, int], rate: Fraction, pixel_aspect: Fraction
    ) -> Any:
        stream = self._container.add_stream(encoder.name, rate=rate, options=encoder.options)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = pixel_aspect
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream

    def write(self, picture: npt.NDArray[np.uint8], time: Fraction) -> None:
        """Adds a frame.

        Args:
            picture: `(H, W, 3) uint8` RGB.
            time: Seconds; the first frame's becomes 0. One that is not after the last frame's is put right
                behind it.

        Raises:
            DataError: The disk is full. What was written before can be played.
        """
        self._first = time if self._first is None else self._first
        frame = self._av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = self._reformatter.reformat(
            frame,
            format="yuv420p",
            src_color_range=_FULL,
            dst_colorspace=_BT709,
            dst_color_range=_LIMITED,
        )
        self._last = max(round((time - self._first) / self._time_base), self._last + 1)
        frame.pts, frame.time_base = self._last, self._time_base
        self._mux(frame)
        self.frames += 1

    def close(self) -> None:
        """Ends the file.

        Raises:
            DataError: The disk is full. What was written before can be played.
        """
        try:
            if self._sink.error is None and self.frames:
                self._mux(None)
        finally:
            try:
                self._sink.mark()
                self._container.close()
            except self._av.error.FFmpegError as error:
                self._sink.error = self._sink.error or OSError(None, reason(error))
            finally:
                self._sink.finish()
        self._check()

    def _mux(self, frame: Any) -> None:
        """Encodes a frame, or what the encoder still holds, and writes what comes of it."""
        try:
            for packet in self._stream.encode(frame):
                self._sink.mark()  # a packet closes a whole fragment, or writes nothing
                self._container.mux(packet)
        except (self._av.error.FFmpegError, ValueError) as error:
            if self._sink.error is None:
                raise DataError(
                    f"{self.path}: a frame cannot be encoded with {self.codec} ({reason(error)})"
                ) from error
        self._check()

    def _check(self) -> None:
        error = self._sink.error
        if error is not None:
            raise DataError(
                f"{self.path} cannot be written further ({error.strerror}), what is there of it can be "
                "played: make room and try again"
            ) from error


def _first_encoder(av: Any) -> Encoder:
    for encoder in ENCODERS:
        try:
            av.Codec(encoder.name, "w")
        except ValueError:
            continue
        return encoder
    names = " or ".join(encoder.name for encoder in ENCODERS)
    raise BackendError(
        f"this FFmpeg has no encoder {names}: install PyAV with pip install 'pixelwise[video]'"
    )
