"""Videos drawn by the tests themselves: flat colours that the fake network knows, on a moving square."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pixelwise.backends.fake import FakeBackend
from pixelwise.inference import Predictor
from pixelwise.types import Classes, SizePolicy

CLASSES = Classes(("ground", "box"), ((40, 80, 160), (210, 140, 30)))
GROUND, BOX = (np.array(colour, np.uint8) for colour in CLASSES.colours)
MILLISECOND = Fraction(1, 1000)


def scene(number: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Ground with a box of 16 by 16 that moves two pixels a frame, in the upper half."""
    picture = np.empty((*size, 3), np.uint8)
    picture[:] = GROUND
    left = 2 * number % (size[1] - 16)
    picture[4:20, left : left + 16] = BOX
    return picture


def draw_clip(
    path: Path,
    *,
    frames: int = 20,
    size: tuple[int, int] = (48, 64),
    times: Sequence[int] | None = None,
    movflags: str = "faststart",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pictures: Sequence[np.ndarray] | None = None,
) -> Path:
    """Writes a clip.

    Args:
        path: The file.
        frames: How many, 40 ms apart.
        size: `(height, width)`.
        times: Milliseconds of each frame instead.
        movflags: Of MP4; `faststart` puts the index first.
        codec: FFmpeg's encoder.
        options: Of the encoder.
        pictures: What is seen instead of `scene`.
    """
    times = times if times is not None else [40 * i for i in range(frames)]
    shown = pictures if pictures is not None else [scene(i, size) for i in range(len(times))]
    odd = size[0] % 2 or size[1] % 2
    with av.open(
        str(path), "w", options={"movflags": movflags} if path.suffix == ".mp4" and movflags else {}
    ) as out:
        stream = out.add_stream(codec, rate=25, options=options or {"crf": "1", "preset": "ultrafast"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        stream.time_base = stream.codec_context.time_base = MILLISECOND
        stream.codec_context.colorspace = 1
        for time, picture in zip(times, shown, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = frame.reformat(format=stream.pix_fmt, dst_colorspace=1, dst_color_range=1)
            frame.pts, frame.time_base = time, MILLISECOND
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    """A copy of the file's first part."""
    content = path.read_bytes()
    part = path.with_name(f"cut-{path.name}")
    part.write_bytes(content[: int(len(content) * share)])
    return part


def decode(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """What FFmpeg itself makes of a file that we wrote: RGB pictures, and seconds."""
    with av.open(str(path)) as file:
        found = [(frame.to_ndarray(format="rgb24"), frame.time) for frame in file.decode(video=0)]
    return [picture for picture, _ in found], [round(time, 4) for _, time in found]


def predictor(backend: FakeBackend | None = None, *, batch_size: int = 4) -> Predictor:
    """The fake network at 24 by 32."""
    backend = backend or FakeBackend(CLASSES.colours)
    return Predictor(backend, CLASSES, SizePolicy("resize", (24, 32)), batch_size=batch_size)
