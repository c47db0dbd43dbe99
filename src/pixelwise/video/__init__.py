"""Video files, cameras and streams: frames in, an overlay video out. Knows predictors, and no model file."""

from pixelwise.video.read import Frame, frames
from pixelwise.video.segment import segment_video
from pixelwise.video.settings import VideoEndedEarlyError, VideoResult, VideoSettings

__all__ = ["Frame", "VideoEndedEarlyError", "VideoResult", "VideoSettings", "frames", "segment_video"]
