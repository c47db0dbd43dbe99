"""From a video to its overlay video: every frame once, at its time, smoothed, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from clips import BOX, CLASSES, GROUND, cut, decode, draw_clip, predictor, scene
from PIL import Image

from pixelwise.backends.fake import FakeBackend
from pixelwise.errors import BackendError, ConfigError, DataError
from pixelwise.inference import Predictor
from pixelwise.types import SizePolicy
from pixelwise.video import VideoEndedEarlyError, VideoSettings, frames, segment_video, sink, write

TOLERANCE = 8
"""Of 255, on flat pictures: two passes through H.264, at quality 1 and 20."""

COLOURS_ALONE = VideoSettings(opacity=1.0, legend=False)


def test_every_frame_at_its_time(tmp_path: Path) -> None:
    times = [0, 40, 80, 81, 300, 340, 1000]
    clip = draw_clip(tmp_path / "in.mp4", times=times)
    seen: list[tuple[int, int | None]] = []
    result = segment_video(
        predictor(), clip, tmp_path / "out.mp4", COLOURS_ALONE, on_frame=lambda *now: seen.append(now)
    )
    assert (result.frames, result.size, result.codec) == (7, (48, 64), "libx264")
    assert (result.dropped, result.live, result.has_legend) == (0, False, False)
    assert seen == [(i + 1, 7) for i in range(7)]
    pictures, found = decode(tmp_path / "out.mp4")
    assert found == [t / 1000 for t in times]
    for number, picture in enumerate(pictures):
        expected = scene(number).astype(int)
        box = (expected == BOX).all(2)
        # away from borders of the box, which 4:2:0 and the network's smaller size blur
        for colour, mask in ((BOX, box), (GROUND, ~box)):
            inner = mask & np.all([np.roll(mask, s, a) for s in (-4, 4) for a in (0, 1)], axis=0)
            difference = np.abs(picture[inner].astype(int) - colour)
            assert difference.mean() <= 4  # as in test_write
            assert difference.max() <= 20  # H.264 rings around what moves


@pytest.mark.parametrize("mode", ["resize", "native"])
def test_masks_are_those_of_predict(tmp_path: Path, mode: str) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=6, size=(47, 63))
    policy = SizePolicy(mode, (24, 32))  # pyright: ignore[reportArgumentType]
    ours = Predictor(FakeBackend(CLASSES.colours), CLASSES, policy, batch_size=4)
    settings = VideoSettings(masks=tmp_path / "masks" / "deep")
    result = segment_video(ours, clip, tmp_path / "out.mkv", settings)
    assert result.size == (48, 64)
    files = sorted((tmp_path / "masks" / "deep").iterdir())
    assert [file.name for file in files] == [f"{i:06d}.png" for i in range(6)]
    for file, frame in zip(files, frames(clip), strict=True):
        expected = ours.predict(frame.picture).labels
        np.testing.assert_array_equal(np.asarray(Image.open(file)), expected)
        assert 100 < (expected == 1).sum() < 400


class Flickering(FakeBackend):
    """Sure of the ground, but for every third frame, which it takes for a box."""

    def __init__(self) -> None:
        super().__init__(CLASSES.colours)
        self.seen = 0

    def logits(self, images: np.ndarray) -> np.ndarray:
        answer = np.zeros((len(images), 2, *images.shape[1:3]), np.float32)
        for one in answer:
            one[int(self.seen % 3 == 2)] = 5.0
            self.seen += 1
        return answer


@pytest.mark.parametrize(("smooth", "boxes"), [(0.0, 4), (0.7, 0)])
def test_smoothing_calms_flicker(tmp_path: Path, smooth: float, boxes: int) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=12)
    settings = VideoSettings(smooth=smooth, masks=tmp_path / "masks")
    segment_video(predictor(Flickering(), batch_size=5), clip, tmp_path / "out.mp4", settings)
    labels = [np.asarray(Image.open(p)).mean() for p in sorted((tmp_path / "masks").iterdir())]
    assert sum(value > 0.5 for value in labels) == boxes


def test_the_legend(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=3, size=(240, 320))
    result = segment_video(predictor(), clip, tmp_path / "out.mp4")
    assert result.has_legend
    pictures, _ = decode(tmp_path / "out.mp4")
    assert pictures[0].shape == (*result.size, 3)
    assert pictures[0][-2:].min() > 240  # a white strip


@pytest.mark.parametrize(
    ("settings", "first", "count"),
    [
        (VideoSettings(frames=3), 0, 3),
        (VideoSettings(seconds=0.2), 0, 5),
        (VideoSettings(start=0.4), 10, 10),
        (VideoSettings(start=0.4, seconds=0.12), 10, 3),
    ],
)
def test_a_part_of_a_video(tmp_path: Path, settings: VideoSettings, first: int, count: int) -> None:
    grey = [np.full((48, 64, 3), 12 * i, np.uint8) for i in range(20)]
    clip = draw_clip(tmp_path / "in.mp4", pictures=grey, frames=20)
    seen: list[int | None] = []
    plain = VideoSettings(start=settings.start, seconds=settings.seconds, frames=settings.frames, opacity=0.0)
    result = segment_video(
        predictor(), clip, tmp_path / "out.mp4", plain, on_frame=lambda _, total: seen.append(total)
    )
    pictures, times = decode(tmp_path / "out.mp4")
    assert result.frames == len(pictures) == count
    assert times[0] == 0
    assert np.abs(pictures[0][40, 60].astype(int) - 12 * first).max() <= TOLERANCE
    assert seen == [count] * count


def test_a_video_that_ends_early(tmp_path: Path) -> None:
    whole = draw_clip(tmp_path / "in.mp4", frames=100, options={"g": "10", "crf": "20"})
    out = tmp_path / "out.mp4"
    with pytest.raises(VideoEndedEarlyError) as caught:
        segment_video(predictor(), cut(whole, 0.6), out)
    result = caught.value.result
    assert 20 < result.frames < 90
    assert f"; {result.frames} frames are written to {out}" in str(caught.value)
    assert "ends early" in str(caught.value)
    assert len(decode(out)[0]) == result.frames


def test_nothing_is_written_where_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"no video at all")
    out = tmp_path / "out.mp4"
    out.write_bytes(b"what was there")
    with pytest.raises(DataError, match="no video that can be read"):
        segment_video(predictor(), tmp_path / "in.mp4", out)
    assert out.read_bytes() == b"what was there"


def test_the_source_is_not_written_over(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=3)
    content = clip.read_bytes()
    (tmp_path / "link.mp4").symlink_to(clip)
    for out in (clip, tmp_path / "link.mp4"):
        with pytest.raises(ConfigError, match="is the video to be read"):
            segment_video(predictor(), clip, out)
    assert clip.read_bytes() == content


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(sink.Sink):
        def write(self, data: bytes) -> int:
            if self.error is None and self.tell() + len(data) > 30_000:
                self._fail(OSError(errno.ENOSPC, "No space left on device"))
            return super().write(data)

    monkeypatch.setattr(write, "Sink", Full)
    clip = draw_clip(tmp_path / "in.mp4", frames=400, size=(96, 128))
    with pytest.raises(DataError, match=r"out\.mp4 cannot be written further \(No space left on device\)"):
        segment_video(predictor(), clip, tmp_path / "out.mp4")
    assert len(decode(tmp_path / "out.mp4")[0]) > 10


def test_masks_that_cannot_be_written(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=3)
    with pytest.raises(DataError, match="--masks"):
        segment_video(predictor(), clip, tmp_path / "out.mp4", VideoSettings(masks=clip))


def test_an_error_of_the_network_leaves_no_thread(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=200)
    other = Predictor(FakeBackend([(0, 0, 0)] * 3), CLASSES, SizePolicy("resize", (24, 32)))
    before = threading.active_count()
    with pytest.raises(BackendError, match="the backend answered"):
        segment_video(other, clip, tmp_path / "out.mp4")
    assert threading.active_count() == before


def test_it_reads_no_further_than_a_few_frames(tmp_path: Path) -> None:
    """Memory does not grow with the video: what is computed is soon written."""
    clip = draw_clip(tmp_path / "in.mp4", frames=300)
    backend = FakeBackend(CLASSES.colours)
    computed: list[int] = []

    def first(done: int, total: int | None) -> None:
        time.sleep(0.005)
        computed.append(sum(backend.batch_sizes) - done)

    segment_video(predictor(backend, batch_size=4), clip, tmp_path / "out.mp4", on_frame=first)
    assert len(computed) == 300
    assert max(computed) <= 4 * 3 + 2 * 2 + 4 + 2  # batches, drawers, the encoder


def test_stop_ends_it_properly(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=300)
    written: list[int] = []
    result = segment_video(
        predictor(),
        clip,
        tmp_path / "out.mp4",
        on_frame=lambda done, _: written.append(done),
        stop=lambda: len(written) >= 5,
    )
    assert 5 <= result.frames < 100
    pictures, times = decode(tmp_path / "out.mp4")
    assert len(pictures) == result.frames
    assert times == [round(i / 25, 4) for i in range(result.frames)]


class Slow(FakeBackend):
    """Takes longer for a frame than decoding does."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return super().logits(images)


def test_a_live_source_drops_frames_and_ends_at_the_newest(tmp_path: Path) -> None:
    """A file read as fast as it can be stands for a camera that is faster than the network."""
    grey = [np.full((48, 64, 3), i, np.uint8) for i in range(0, 240, 2)]
    clip = draw_clip(tmp_path / "in.mp4", frames=120, pictures=grey)
    backend = Slow(CLASSES.colours)
    settings = VideoSettings(live=True, opacity=0.0, legend=False)
    result = segment_video(predictor(backend), clip, tmp_path / "out.mp4", settings)
    assert result.live
    assert result.dropped > 0
    assert result.frames + result.dropped == 120
    assert set(backend.batch_sizes) == {1}  # no frame waits for a batch to fill
    pictures, times = decode(tmp_path / "out.mp4")
    assert np.abs(pictures[-1][20, 20].astype(int) - 238).max() <= TOLERANCE
    # They keep their own times: a frame's grey says which one it was. How many of them there are is the
    # scheduler's matter; where reading outruns all else, the newest is the only one.
    assert len(times) == result.frames
    numbers = np.array([picture[20, 20].mean() / 2 for picture in pictures])
    late = (numbers - numbers[0]) - 25 * (np.array(times) - times[0])
    assert np.abs(late).max() <= TOLERANCE


def test_a_pipe_of_frames(tmp_path: Path) -> None:
    """What another program writes into a named pipe is read as it comes, without being sought in."""
    clip = draw_clip(tmp_path / "in.mkv", frames=30)
    pipe = tmp_path / "pipe"
    try:
        os.mkfifo(pipe)
    except (AttributeError, OSError):
        pytest.skip("no named pipes on this system")
    feeder = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
    feeder.start()
    result = segment_video(predictor(), pipe, tmp_path / "out.mp4")
    feeder.join(30)
    assert result.frames == 30


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"smooth": 1.0}, "less than 1"),
        ({"opacity": 1.5}, "0..1"),
        ({"start": -1.0}, "positive"),
        ({"seconds": 0.0}, "positive"),
        ({"frames": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        VideoSettings(**wrong)  # pyright: ignore[reportArgumentType]


def test_a_camera_has_no_begin(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "in.mp4", frames=3)
    with pytest.raises(ConfigError, match="no begin"):
        segment_video(predictor(), clip, tmp_path / "out.mp4", VideoSettings(live=True, start=1.0))
