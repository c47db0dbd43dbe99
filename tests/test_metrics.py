"""Metrics: worked by hand, against an obvious loop, and as properties of how the set is cut."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.errors import DataError
from pixelwise.metrics import ConfusionMatrix, Metrics, scores
from pixelwise.types import Classes

NAMES = Classes(("sky", "road", "car", "tree"))


def matrix_of(prediction, target, num_classes):
    matrix = ConfusionMatrix(num_classes)
    matrix.update(np.asarray(prediction, np.uint8), np.asarray(target, np.uint8))
    return matrix


def test_hand_worked():
    target = [[0, 0, 0, 1], [1, 1, 255, 255]]
    prediction = [[0, 0, 1, 1], [1, 0, 0, 3]]
    # Counted pixels (target != 255): six.
    #   truth 0: predicted 0, 0, 1 -> row [2, 1, 0, 0]
    #   truth 1: predicted 1, 1, 0 -> row [1, 2, 0, 0]
    matrix = matrix_of(prediction, target, 4)
    assert matrix.counts.tolist() == [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    result = scores(matrix.counts, NAMES)
    # IoU 0 = 2 / (2 + 1 + 1) = 1/2, and the same for class 1; Dice = 4 / (3 + 3) = 2/3.
    assert result.iou == (0.5, 0.5, None, None)
    assert result.dice == (2 / 3, 2 / 3, None, None)
    assert result.precision == (2 / 3, 2 / 3, None, None)
    assert result.recall == (2 / 3, 2 / 3, None, None)
    assert result.pixel_share == (0.5, 0.5, 0.0, 0.0)
    assert result.miou == 0.5
    assert result.mean_dice == 2 / 3
    assert result.pixel_accuracy == 4 / 6
    assert result.mean_class_accuracy == 2 / 3
    assert result.frequency_weighted_iou == 0.5  # 3/6 * 1/2 + 3/6 * 1/2
    assert result.absent == ("car", "tree")
    assert result.pixels == 6


def test_hand_worked_missed_and_invented_classes():
    target = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    prediction = [0, 0, 2, 2, 0, 0, 0, 0, 0, 0]
    result = scores(matrix_of(prediction, target, 4).counts, NAMES)
    # sky:  TP 2, FN 2, FP 6 -> 2/10; Dice 4/12; precision 2/8; recall 2/4
    # road: TP 0, FN 6, FP 0 -> IoU 0: present but never predicted, so precision has nothing to divide by
    # car:  TP 0, FN 0, FP 2 -> IoU 0: predicted but nowhere true, so recall has nothing to divide by
    # tree: neither -> absent
    assert result.iou == (0.2, 0.0, 0.0, None)
    assert result.dice == (1 / 3, 0.0, 0.0, None)
    assert result.precision == (0.25, None, 0.0, None)
    assert result.recall == (0.5, 0.0, None, None)
    assert result.miou == pytest.approx(0.2 / 3, abs=1e-15)  # over sky, road, car
    assert result.mean_class_accuracy == 0.25  # (1/2 + 0) / 2: over sky and road, which have truth
    assert result.pixel_accuracy == 0.2
    assert result.frequency_weighted_iou == pytest.approx(0.4 * 0.2)  # sky covers 4 of 10 pixels
    assert result.absent == ("tree",)
    assert "absent" in result.rule
    assert "255" in result.rule


def test_perfect_prediction_is_exactly_one():
    target = np.arange(4).repeat(7)
    result = scores(matrix_of(target, target, 4).counts, NAMES)
    assert result.miou == result.mean_dice == result.pixel_accuracy == result.frequency_weighted_iou == 1.0


def test_nothing_counted_gives_none_not_nan():
    result = scores(matrix_of([[0, 1]], [[255, 255]], 2).counts, Classes(("a", "b")))
    assert result.miou is None
    assert result.pixel_accuracy is None
    assert result.frequency_weighted_iou is None
    assert result.pixel_share == (None, None)
    assert result.absent == ("a", "b")
    assert result.pixels == 0


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 255),
    cuts=st.lists(st.integers(1, 399), max_size=5),
)
def test_does_not_depend_on_the_batch_size(seed, classes, cuts):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, classes, 400).astype(np.uint8)
    target[generator.random(400) < 0.1] = 255
    prediction = generator.integers(0, classes, 400).astype(np.uint8)
    whole = matrix_of(prediction, target, classes)
    parts = ConfusionMatrix(classes)
    for p, t in zip(np.split(prediction, sorted(cuts)), np.split(target, sorted(cuts)), strict=True):
        part = ConfusionMatrix(classes)
        part.update(p, t)
        parts.merge(part)
    names = Classes(tuple(str(i) for i in range(classes)))
    assert scores(parts.counts, names) == scores(whole.counts, names)
    # The obvious way, class by class.
    result = scores(whole.counts, names)
    counted = target != 255
    for c in range(classes):
        true, found = (target == c) & counted, (prediction == c) & counted
        union = int((true | found).sum())
        expected = int((true & found).sum()) / union if union else None
        assert result.iou[c] == expected


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_every_integer_type_and_both_kinds_of_array(dtype):
    target = torch.tensor([[0, 199, 255], [7, 7, 199]], dtype=dtype)
    prediction = torch.tensor([[0, 199, 3], [7, 0, 198]], dtype=dtype)
    matrix = ConfusionMatrix(200)
    matrix.update(prediction, target)
    matrix.update(prediction.numpy(), target.numpy())
    expected = np.zeros((200, 200), np.int64)
    for t, p in ((0, 0), (199, 199), (7, 7), (7, 0), (199, 198)):
        expected[t, p] = 2  # 199 * 256 + 199 does not fit the uint8 and int16 of the input
    np.testing.assert_array_equal(matrix.counts, expected)


def test_counts_beyond_32_bits_and_sums_beyond_64():
    # A row that sums to 2 ** 63 overflows int64; 2 TP of the Dice does so as well.
    huge = 2**62
    result = scores(np.array([[huge, huge], [0, huge]]), Classes(("a", "b")))
    assert result.iou == (0.5, 0.5)  # huge / (huge + huge), both
    assert result.dice == (2 / 3, 2 / 3)
    assert result.pixels == 3 * huge
    many = ConfusionMatrix(2)
    many.update(np.zeros(1 << 20, np.uint8), np.zeros(1 << 20, np.uint8))
    for _ in range(13):
        many.merge(many)
    assert many.counts[0, 0] == 2**33


def test_counted_in_parts_where_the_picture_is_large(monkeypatch):
    generator = np.random.default_rng(0)
    prediction, target = generator.integers(0, 3, (2, 61, 83)).astype(np.uint8)
    whole = matrix_of(prediction, target, 3).counts
    monkeypatch.setattr("pixelwise.metrics._CHUNK", 100)
    np.testing.assert_array_equal(matrix_of(prediction, target, 3).counts, whole)


def test_read_only_and_strided_arrays_are_counted_without_a_warning(recwarn):
    target = np.tile(np.array([[0], [1]], np.uint8), (4, 6))
    target.setflags(write=False)
    matrix = ConfusionMatrix(2)
    matrix.update(target[::2, ::-1], target[::2, ::-1])
    assert matrix.counts.tolist() == [[24, 0], [0, 0]]
    assert not recwarn.list


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        ([0, 1, 3], [0, 1, 1], "prediction holds 3"),
        ([0, 255, 0], [0, 1, 1], "prediction holds 255"),
        ([0, 1, 1], [0, 7, 7], r"truth holds 7 \(2 pixels\)"),
        ([0, 0], [0, 0, 0], "one shape"),
    ],
)
def test_strays_are_errors_and_count_nothing(prediction, target, message):
    matrix = ConfusionMatrix(3)
    with pytest.raises(DataError, match=message):
        matrix.update(np.array(prediction, np.uint8), np.array(target, np.uint8))
    assert matrix.counts.sum() == 0


@pytest.mark.parametrize("value", [-1, 256, 1000])
def test_ids_that_no_byte_holds_are_errors(value):
    with pytest.raises(DataError, match=str(value)):
        ConfusionMatrix(3).update(torch.tensor([value]), torch.tensor([0]))


def test_logits_instead_of_labels_are_an_error():
    with pytest.raises(DataError, match="integer class ids"):
        ConfusionMatrix(3).update(torch.zeros(4), torch.zeros(4, dtype=torch.uint8))


def test_json_round_trip_without_nan():
    result = scores(matrix_of([0, 0, 2, 2], [0, 1, 2, 255], 4).counts, NAMES)
    text = json.dumps(result.to_json(), allow_nan=False)
    assert Metrics.from_json(json.loads(text)) == result
    assert not any(isinstance(v, float) and math.isnan(v) for v in result.iou)
    for wrong in ([], {"miou": 0.5}, {**result.to_json(), "extra": 1}):
        with pytest.raises(DataError):
            Metrics.from_json(wrong)


def test_wrong_use():
    with pytest.raises(ValueError, match="1 to 255"):
        ConfusionMatrix(0)
    with pytest.raises(ValueError, match="merge"):
        ConfusionMatrix(2).merge(ConfusionMatrix(3))
    two = Classes(("a", "b"))
    for counts in (
        np.zeros((1, 1), np.int64),
        np.zeros((2, 3), np.int64),
        np.zeros((2, 2)),
        -np.eye(2, dtype=int),
    ):
        with pytest.raises(ValueError, match="rows and columns"):
            scores(counts, two)
