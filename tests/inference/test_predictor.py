"""From pictures to segmentations: any size in, a mask of exactly that size out, in order, in batches."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pixelwise.backends.fake import FakeBackend
from pixelwise.config import PredictConfig
from pixelwise.errors import BackendError
from pixelwise.inference import Predictor
from pixelwise.inference.refine import GuidedFilter
from pixelwise.types import Classes, SizePolicy

RED_GREEN = Classes(("red", "green"), ((255, 0, 0), (0, 255, 0)))


def _picture(height: int, width: int) -> np.ndarray:
    """Red on the left half, green on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2, 0] = 255
    picture[:, width // 2 :, 1] = 255
    return picture


def _predictor(mode: str = "resize", *, batch_size: int = 4) -> Predictor:
    policy = SizePolicy(mode, (16, 16))  # pyright: ignore[reportArgumentType]
    return Predictor(FakeBackend(RED_GREEN.colours), RED_GREEN, policy, batch_size=batch_size)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (13, 7), (16, 16), (61, 84), (200, 2)])
@pytest.mark.parametrize("mode", ["resize", "native"])
def test_the_mask_has_the_photos_size(mode: str, size: tuple[int, int]) -> None:
    segmentation = _predictor(mode).predict(_picture(*size))
    assert segmentation.labels.shape == size
    assert segmentation.confidence is not None
    assert segmentation.confidence.shape == size


@pytest.mark.parametrize("mode", ["resize", "native"])
@pytest.mark.parametrize("width", [32, 64, 100])
def test_the_border_lies_where_it_is_in_the_photo(mode: str, width: int) -> None:
    labels = _predictor(mode).predict(_picture(20, width)).labels
    assert (labels[:, : width // 2] == 0).all()
    assert (labels[:, width // 2 :] == 1).all()


def test_order_and_batches() -> None:
    predictor = _predictor(batch_size=4)
    pictures = [_picture(10 + i, 20) for i in range(10)]
    heights = [s.labels.shape[0] for s in predictor.predict_many(iter(pictures))]
    assert heights == [10 + i for i in range(10)]
    assert predictor.backend.batch_sizes == [4, 4, 2]  # pyright: ignore[reportAttributeAccessIssue]


def test_native_groups_equal_sizes_only() -> None:
    predictor = _predictor("native", batch_size=3)
    shapes = [(4, 4), (4, 4), (5, 4), (4, 4), (4, 4), (4, 4), (4, 4)]
    results = [s.labels.shape for s in predictor.predict_many(_picture(*shape) for shape in shapes)]
    assert results == shapes
    assert predictor.backend.batch_sizes == [2, 1, 3, 1]  # pyright: ignore[reportAttributeAccessIssue]


def test_it_reads_no_further_than_a_batch() -> None:
    taken = []

    def pictures():
        for i in range(100):
            taken.append(i)
            yield _picture(8, 8)

    next(_predictor(batch_size=4).predict_many(pictures()))
    assert len(taken) <= 9  # the batch in work, the one that waits, and the picture that showed it was full


class Meeting(FakeBackend):
    """Answers only when as many calls as expected are inside at the same time."""

    def __init__(self, calls: int) -> None:
        super().__init__(RED_GREEN.colours)
        self._barrier = threading.Barrier(calls)

    def logits(self, images: np.ndarray) -> np.ndarray:
        self._barrier.wait(timeout=30)
        return super().logits(images)


def test_calls_at_once_compute_at_once_and_keep_the_order() -> None:
    predictor = Predictor(Meeting(2), RED_GREEN, SizePolicy("resize", (16, 16)), batch_size=2, at_once=2)
    pictures = [_picture(10 + i, 20) for i in range(8)]  # four batches: two meetings
    found = list(predictor.predict_many(iter(pictures)))
    assert [s.labels.shape[0] for s in found] == [10 + i for i in range(8)]
    one = _predictor(batch_size=2)
    for picture, segmentation in zip(pictures, found, strict=True):
        assert np.array_equal(segmentation.labels, one.predict(picture).labels)


def test_the_network_computes_while_the_caller_uses_what_it_has() -> None:
    predictor = Predictor(Meeting(2), RED_GREEN, SizePolicy("resize", (16, 16)), batch_size=2)
    answers = predictor.predict_many(_picture(8, 8) for _ in range(4))
    barrier = predictor.backend._barrier  # pyright: ignore
    arrived = threading.Thread(target=lambda: [barrier.wait(timeout=30) for _ in range(2)], daemon=True)
    arrived.start()
    next(answers)
    arrived.join(timeout=30)  # the second batch was begun although the first has not been used up
    assert not arrived.is_alive()


def test_confidence_only_where_it_is_wanted() -> None:
    predictor = _predictor()
    (with_it,) = predictor.predict_many([_picture(9, 9)])
    (without,) = predictor.predict_many([_picture(9, 9)], confidence=False)
    assert with_it.confidence is not None
    assert without.confidence is None
    assert np.array_equal(with_it.labels, without.labels)


def test_probabilities_only_on_request() -> None:
    assert _predictor().predict(_picture(9, 9)).probabilities is None
    probabilities = _predictor().predict(_picture(9, 9), probabilities=True).probabilities
    assert probabilities is not None
    assert probabilities.shape == (2, 9, 9)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)


def test_a_backend_of_other_classes_is_found_out() -> None:
    predictor = Predictor(FakeBackend([(0, 0, 0)] * 3), RED_GREEN, SizePolicy("resize", (8, 8)))
    with pytest.raises(BackendError, match=r"answered \(1, 3, 8, 8\) where \(1, 2, 8, 8\)"):
        predictor.predict(_picture(4, 4))


def test_it_remembers_how_pictures_met_the_network() -> None:
    predictor = _predictor("native")
    assert list(predictor.ways) == []
    list(predictor.predict_many([_picture(8, 8), _picture(9, 9)]))
    assert [str(way) for way in predictor.ways] == [
        "native, because the model was trained on photos as they are"
    ]
    predictor.config = PredictConfig(sizing="tile", tile=32)
    predictor.predict(_picture(8, 8))
    predictor.predict(_picture(50, 8))
    assert [str(way) for way in predictor.ways] == ["tile, because that was asked for"]


@pytest.mark.parametrize(
    ("size", "mode"), [((1, 1), "native"), ((2048, 2048), "native"), ((2048, 2049), "tile")]
)
def test_auto_gives_a_native_model_at_most_four_megapixels_at_once(size: tuple[int, int], mode: str) -> None:
    assert _predictor("native").way(size).mode == mode
    assert _predictor("resize").way(size).mode == "resize"
    assert _predictor("resize").way(size, by_rows="it is large").mode == "tile"


def test_refined_probabilities_and_labels_are_of_one_refinement(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    refine = GuidedFilter.strips
    monkeypatch.setattr(GuidedFilter, "strips", lambda *given: calls.append(1) or refine(*given))
    predictor = _predictor()
    predictor.config = PredictConfig(refine="guided")
    answer = predictor.predict(_picture(40, 50), probabilities=True)
    assert len(calls) == 1
    assert answer.probabilities is not None
    assert np.array_equal(answer.labels, answer.probabilities.argmax(0))
    assert np.array_equal(answer.labels, predictor.predict(_picture(40, 50)).labels)
