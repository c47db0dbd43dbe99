"""Videos of the network, from a server of the test's own: a file is read whole, a stream as time passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from clips import CLASSES, decode, draw_clip, predictor

from pixelwise.backends.fake import FakeBackend
from pixelwise.errors import DataError
from pixelwise.video import VideoEndedEarlyError, VideoSettings, address, segment_video


@contextmanager
def _server(content: bytes, *, length: bool, pause: float = 0.0) -> Generator[str, None, None]:
    """Sends the bytes in sixteen parts; without a length, and with pauses, as a camera does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/MP2T")
            if length:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            step = len(content) // 16 + 1
            try:
                for start in range(0, len(content), step):
                    self.wfile.write(content[start : start + step])
                    time.sleep(pause)
            except OSError:
                return  # the reader has what it wants

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://me:secret@127.0.0.1:{server.server_address[1]}/cam"
    finally:
        server.shutdown()
        server.server_close()


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=50)
    with _server(clip.read_bytes(), length=True) as url:
        result = segment_video(predictor(), url, tmp_path / "out.mp4")
    assert (result.frames, result.live) == (50, False)


class Slow(FakeBackend):
    """Takes longer for a frame than it lasts."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        time.sleep(0.08)
        return super().logits(images)


def test_a_stream_does_not_lag_behind(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.ts", frames=100, options={"g": "10", "crf": "10", "preset": "ultrafast"})
    # Without a length FFmpeg cannot tell the stream's end from a lost connection, and nor can we.
    with (
        _server(clip.read_bytes(), length=False, pause=0.05) as url,
        pytest.raises(VideoEndedEarlyError, match="the stream broke off") as caught,
    ):
        segment_video(predictor(Slow(CLASSES.colours)), url, tmp_path / "out.mp4")
    result = caught.value.result
    assert result.live
    assert result.dropped > 20
    assert result.frames + result.dropped == 100
    assert decode(tmp_path / "out.mp4")[1][-1] > 2


def test_a_limit_ends_a_stream(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.ts", frames=100)
    # Of frames that come at once only the newest stays: without pauses the stream may end before three.
    with _server(clip.read_bytes(), length=False, pause=0.2) as url:
        result = segment_video(predictor(), url, tmp_path / "out.mp4", VideoSettings(frames=3))
    assert result.frames == 3


def test_a_stream_that_falls_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "NETWORK_SECONDS", 0.5)
    clip = draw_clip(tmp_path / "in.ts", frames=100)
    with (
        _server(clip.read_bytes(), length=False, pause=5.0) as url,
        pytest.raises(DataError, match="nothing came for too long") as caught,
    ):
        segment_video(predictor(), url, tmp_path / "out.mp4")
    assert "secret" not in str(caught.value)
