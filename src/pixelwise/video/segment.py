"""A video in, an overlay video out.

Reading, the network, drawing and encoding each run in threads of their own; between them a few frames wait at
most, so memory does not grow with the video's length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from time import monotonic

import numpy as np
import numpy.typing as npt

from pixelwise.data.ahead import in_order
from pixelwise.data.resize import resize_picture
from pixelwise.errors import ConfigError, DataError
from pixelwise.inference import Input, Predictor, Sized
from pixelwise.segmentation import Segmentation
from pixelwise.video.address import find_source
from pixelwise.video.ahead import Ahead
from pixelwise.video.draw import Canvas
from pixelwise.video.package import camera_names
from pixelwise.video.read import Frame, Video, exact, pictures
from pixelwise.video.settings import VideoEndedEarlyError, VideoResult, VideoSettings
from pixelwise.video.smooth import Smoother
from pixelwise.video.write import VideoWriter, container_of

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

_Ready = tuple[Frame, Input]
"""A frame, and what the predictor gets of it."""

_Scored = tuple[int, Frame, Input, FloatArray]
"""A frame's number, the frame, what the predictor got of it, and its smoothed probabilities."""

_DRAWERS = 2
"""Threads that decide and draw; on one core they share it, and one encodes beside them."""


def segment_video(
    predictor: Predictor,
    source: str | Path,
    out: str | Path,
    settings: VideoSettings | None = None,
    *,
    on_frame: Callable[[int, int | None], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> VideoResult:
    """Segments every frame of a video, camera or stream and writes them with the class colours over them.

    Sound is left out. Times are kept, the first frame's becomes 0.

    Args:
        predictor: Of a `Segmenter`.
        source: A file; `camera:0` or `/dev/video0`; or a URL such as `rtsp://…`.
        out: `.mp4`, `.mov` or `.mkv`; written over.
        settings: The defaults where not given.
        on_frame: Called after each frame with how many are written, and how many there should be, if known.
        stop: Asked often; where it says true, the video is ended there.

    Returns:
        What was written.

    Raises:
        ConfigError: `out` has another ending, or is the source itself.
        DataError: The source cannot be read or `out` cannot be written; what was written can be played.
        VideoEndedEarlyError: A `DataError` too; all that could be read is written.
        BackendError: PyAV is not installed, or the network answers another number of classes.
    """
    job = _Job(predictor, source, Path(out), settings or VideoSettings(), stop)
    return job.run(on_frame)


class _Job:
    """One run of `segment_video`."""

    def __init__(
        self,
        predictor: Predictor,
        source: str | Path,
        out: Path,
        settings: VideoSettings,
        stop: Callable[[], bool],
    ) -> None:
        container_of(out)
        address = find_source(source, cameras=camera_names)
        if address.path is not None and out.exists() and address.path.exists() and out.samefile(address.path):
            raise ConfigError(f"{out} is the video to be read: write to another file with --out")
        self.out = out
        self.settings = settings
        self.stop = stop
        self.problem: DataError | None = None
        self.video = Video(address, live=settings.live)
        if self.video.live and settings.start > 0:
            raise ConfigError(f"{self.video.name}: a camera or stream has no begin to start after")
        self.predictor = Predictor(
            predictor.backend,
            predictor.classes,
            predictor.size_policy,
            config=predictor.config,
            # Where frames come as time passes, a batch would be waited for.
            batch_size=1 if self.video.live else predictor.batch_size,
            at_once=predictor.at_once,
        )
        self.canvas: Canvas | None = None
        self.writer: VideoWriter | None = None

    def run(self, on_frame: Callable[[int, int | None], None]) -> VideoResult:
        """Does all of it."""
        begin, total = monotonic(), self._total()
        if self.settings.masks is not None:
            _make_folder(self.settings.masks)
        with ExitStack() as stack:
            stack.callback(self._finish)
            ready, dropped = self._ready(stack)
            scored = stack.enter_context(closing(self._scored(self._limited(ready))))
            drawn = stack.enter_context(closing(in_order(self._draw, scored, workers=_DRAWERS)))
            for done in stack.enter_context(closing(in_order(self._write, drawn, workers=1, ahead=4))):
                on_frame(done, total)
                if self.stop():
                    break
        if self.writer is None or self.canvas is None:
            raise self.problem or DataError(f"{self.video.name}: no frame came before it was ended")
        result = VideoResult(
            out=self.out,
            frames=self.writer.frames,
            size=self.canvas.size,
            codec=self.writer.codec,
            seconds=monotonic() - begin,
            dropped=dropped(),
            live=self.video.live,
            has_legend=self.canvas.has_legend,
            ways=tuple(map(str, self.predictor.ways)),
        )
        if self.problem is not None:
            raise VideoEndedEarlyError(
                f"{self.problem}; {result.frames} frames are written to {self.out}", result
            ) from self.problem
        return result

    def _total(self) -> int | None:
        """Frames that there will be, if that is known."""
        settings, rate = self.settings, self.video.rate
        limits = [] if settings.frames is None else [settings.frames]
        if settings.seconds is not None:
            limits.append(max(1, round(settings.seconds * rate)))
        if self.video.frames is not None:
            limits.append(max(1, self.video.frames - round(settings.start * rate)))
        return min(limits, default=None)

    def _ready(self, stack: ExitStack) -> tuple[Iterable[_Ready], Callable[[], int]]:
        """Frames as the predictor takes them, read by a thread, and how many of them were dropped so far."""
        decoded, aspect = self.video.decoded(self.settings.start), self.video.pixel_aspect
        if self.video.live:
            # Turned into pictures on this side: what is dropped costs no more than its decoding.
            newest = stack.enter_context(closing(Ahead(decoded, newest=True, stop=self.stop)))
            return self._inputs(pictures(newest, aspect)), lambda: newest.dropped
        ahead = stack.enter_context(closing(Ahead(self._inputs(pictures(decoded, aspect)), stop=self.stop)))
        return ahead, lambda: 0

    def _inputs(self, frames: Iterable[Frame]) -> Generator[_Ready, None, None]:
        for frame in frames:
            picture = frame.picture
            size = (picture.shape[0], picture.shape[1])
            if self.predictor.way(size).mode == "resize":
                yield frame, Sized(resize_picture(picture, self.predictor.size_policy.size), size, picture)
            else:
                yield frame, picture

    def _limited(self, ready: Iterable[_Ready]) -> Generator[_Ready, None, None]:
        """Frames up to the settings' end, or to the video's; why it ended early is kept for later."""
        settings = self.settings
        seconds = None if settings.seconds is None else exact(settings.seconds)
        first: Fraction | None = None
        try:
            for number, (frame, image) in enumerate(ready, start=1):
                first = frame.time if first is None else first
                if seconds is not None and frame.time - first >= seconds:
                    return
                yield frame, image
                if number == settings.frames:
                    return
        except DataError as error:
            self.problem = error

    def _scored(self, ready: Iterable[_Ready]) -> Generator[_Scored, None, None]:
        """Frames with their smoothed probabilities, numbered from 0."""
        smoother = Smoother(self.settings.smooth)
        waiting: deque[Frame] = deque()

        def images() -> Generator[Input, None, None]:
            for frame, image in ready:
                waiting.append(frame)
                yield image

        for number, (image, score) in enumerate(self.predictor.scores(images())):
            frame = waiting.popleft()
            if self.canvas is None:
                height, width = frame.picture.shape[:2]
                self.canvas = Canvas(
                    self.predictor.classes,
                    (height, width),
                    opacity=self.settings.opacity,
                    legend=self.settings.legend,
                )
            small = image.network if isinstance(image, Sized) else image
            yield number, frame, image, smoother.step(score, small)

    def _draw(self, scored: _Scored) -> tuple[Frame, UInt8Array]:
        """The overlay of a frame; its mask is saved on the way."""
        number, frame, image, score = scored
        segmentation = self.predictor.decided(image, score, confidence=False)
        if self.settings.masks is not None:
            _save(segmentation, self.settings.masks / f"{number:06d}.png")
        if self.canvas is None:
            raise RuntimeError("the canvas is made before the first frame is drawn")
        return frame, self.canvas.draw(segmentation)

    def _write(self, drawn: tuple[Frame, UInt8Array]) -> int:
        """Writes a frame; returns how many are."""
        frame, overlay = drawn
        if self.writer is None:
            self.writer = VideoWriter(
                self.out,
                size=(overlay.shape[0], overlay.shape[1]),
                time_base=self.video.time_base,
                rate=self.video.rate,
                pixel_aspect=frame.pixel_aspect,
            )
        self.writer.write(overlay, frame.time)
        return self.writer.frames

    def _finish(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror}): choose another folder with --masks"
        ) from error


def _save(segmentation: Segmentation, path: Path) -> None:
    try:
        segmentation.save(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}): make room, or choose another folder with --masks"
        ) from error
