"""`pixelwise video`: an overlay video of a video file, a camera or a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from pixelwise.cli.compute import Compute, facts
from pixelwise.config import PredictConfig
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from pixelwise.segmenter import Segmenter
    from pixelwise.video import VideoResult, VideoSettings

INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Video:
    """Segment a video file, a camera or a stream: a video with the class colours over it.

    Times are kept, sound is left out. Of a camera or stream, frames that come faster than they are computed
    are dropped. Ctrl-C ends the video properly. Whatever happens, what was written until then can be played.
    """

    model: Positional[Path]
    """Model file of a run, e.g. run/best.safetensors."""
    source: Positional[str]
    """A video file; camera:0 or /dev/video0; or a URL, e.g. rtsp://host/stream."""
    out: Path = Path("overlay.mp4")
    """The video to write: .mp4, .mov or .mkv."""
    masks: Path | None = None
    """Also write each frame's label PNG to this folder, at the frame's size, 000000.png for the first."""
    smooth: float = 0.0
    """Weight of the past in the mean over time, from 0 to less than 1; 0.6 calms flicker and lags two frames
    behind changes. At a cut it starts anew."""
    legend: bool = True
    """Name the classes below the picture, where that takes no more than a third of its height."""
    opacity: float = 0.45
    """Of the class colours: 0 shows the picture alone, 1 the colours alone."""
    start: float = 0.0
    """Seconds of a video file to pass over."""
    seconds: float | None = None
    """End after so many seconds of the video."""
    frames: int | None = None
    """End after so many frames."""
    batch_size: int = 8
    """Frames per call of the network; of a camera or stream always one."""
    json: bool = False
    """Print the result for machines."""
    compute: Compute = field(default_factory=Compute)
    prediction: PredictConfig = field(default_factory=PredictConfig)

    def run(self) -> int:
        """Segments; 0, or 2 if the video ended early, or 130 if a file was interrupted."""
        from pixelwise import torch_runtime
        from pixelwise.video import VideoSettings

        if self.batch_size < 1:
            raise ConfigError("batch-size must be at least 1")
        settings = VideoSettings(
            smooth=self.smooth,
            opacity=self.opacity,
            legend=self.legend,
            start=self.start,
            seconds=self.seconds,
            frames=self.frames,
            masks=self.masks,
        )
        torch_runtime.keep_large_blocks()

        from pixelwise.video.address import find_source
        from pixelwise.video.package import camera_names, load_av
        from pixelwise.video.write import container_of

        # What a model need not be loaded for.
        load_av()
        container_of(self.out)
        live = find_source(self.source, cameras=camera_names).live
        many = live is False
        segmenter = self.compute.load(self.model, self.prediction, batch_size=self.batch_size, many=many)
        return self._segment(segmenter, settings)

    def _segment(self, segmenter: Segmenter, settings: VideoSettings) -> int:
        from pixelwise.cli.terminal import Display, complain
        from pixelwise.interrupt import stop_on_signals
        from pixelwise.video import VideoEndedEarlyError, segment_video

        problem = ""
        with Display() as display, stop_on_signals() as stopped:
            for fact in facts(segmenter):
                display.note(fact)
            try:
                result = segment_video(
                    segmenter.predictor,
                    self.source,
                    self.out,
                    settings,
                    on_frame=lambda done, total: display.work("segmenting", done, total),
                    stop=lambda: bool(stopped),
                )
            except VideoEndedEarlyError as error:
                result, problem = error.result, str(error)
            for way in result.ways:
                display.note(way)
            if self.legend and not result.has_legend:
                display.note("no legend: it would take more than a third of the picture's height")
        self._report(result, problem)
        if problem:
            complain(problem)
            return 2
        # A camera has no end of its own: to interrupt is how one is ended.
        return INTERRUPTED if stopped and not result.live else 0

    def _report(self, result: VideoResult, problem: str) -> None:
        from pixelwise.cli.terminal import print_json

        speed = result.frames / max(result.seconds, 1e-9)
        if self.json:
            height, width = result.size
            document: dict[str, Any] = {
                "out": str(result.out),
                "frames": result.frames,
                "dropped": result.dropped,
                "size": [height, width],
                "codec": result.codec,
                "seconds": round(result.seconds, 3),
                "frames_per_second": round(speed, 2),
                "masks": None if self.masks is None else str(self.masks),
                "problem": problem or None,
            }
            print_json(document)
            return
        dropped = f", {result.dropped} dropped to keep up" if result.dropped else ""
        print(f"{result.frames} frames in {result.seconds:.1f} s, {speed:.1f} frames/s{dropped}")
        print(f"overlay  {result.out}")
        if self.masks is not None:
            print(f"masks    {self.masks}")
