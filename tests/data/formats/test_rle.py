"""Run-length masks: as the official library packs them, by hand, and damaged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as official

from pixelwise.data.formats.rle import parse_runs
from pixelwise.errors import DataError

Mask = npt.NDArray[np.uint8]
MASKS = st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(
    lambda size: arrays(np.uint8, size, elements=st.integers(0, 1))
)


def decode_rle(segmentation: dict[str, object], size: tuple[int, int], where: str) -> npt.NDArray[np.bool_]:
    """The slow and obvious way from run lengths to a mask."""
    values: list[bool] = []
    for place, count in enumerate(parse_runs(segmentation, size, where).tolist()):
        values += [place % 2 == 1] * count
    return np.array(values).reshape(size[1], size[0]).T


def test_by_hand() -> None:
    """Down the columns: one 0, two 1s, three 0s."""
    mask = decode_rle({"size": [3, 2], "counts": [1, 2, 3]}, (3, 2), "a")
    assert mask.tolist() == [[False, False], [True, False], [True, False]]
    packed = decode_rle(
        {"size": [3, 2], "counts": "123"}, (3, 2), "a"
    )  # five bits suffice: 1, 2, 3 as themselves
    assert np.array_equal(packed, mask)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(MASKS, st.integers(1, 40))
def test_as_the_official_library_packs(mask: Mask, times: int) -> None:
    mask = np.repeat(mask, times, axis=0)
    packed = official.encode(np.asfortranarray(mask))
    text = {"size": list(mask.shape), "counts": packed["counts"].decode()}  # pyright: ignore[reportAttributeAccessIssue]
    assert np.array_equal(decode_rle(text, mask.shape, "a"), mask.astype(bool))


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        ({"size": [2, 3], "counts": [6]}, "for a mask of 3x2, but the picture is 2x3"),
        ({"size": None, "counts": [6]}, "for a mask of size null"),
        ({"counts": [6]}, "for a mask of size null"),
        ({"size": [3, 2], "counts": [5]}, "make 5 pixels, but a mask of 2x3 has 6"),
        ({"size": [3, 2], "counts": [7, -1]}, "make 6 pixels"),
        ({"size": [3, 2], "counts": [1 << 70]}, "make 1,099,511,627,776 pixels"),
        ({"size": [3, 2], "counts": [6.0]}, "must be a list of whole numbers, or a text"),
        ({"size": [3, 2], "counts": None}, "must be a list of whole numbers, or a text"),
        ({"size": [3, 2], "counts": ""}, "packed counts '' are damaged"),
        ({"size": [3, 2], "counts": "P"}, "packed counts 'P' are damaged"),  # says that more follows
        ({"size": [3, 2], "counts": "ä"}, "packed counts 'ä' are damaged"),
        ({"size": [3, 2], "counts": "o" * 30 + "0"}, "a number that no picture has"),
        ({"size": [3, 2], "counts": "2O5"}, "make"),
    ],
)
def test_what_cannot_be(segmentation: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=f"^a: .*{says}"):
        decode_rle(segmentation, (3, 2), "a")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=12) | st.lists(st.integers(-3, 9) | st.integers() | st.none(), max_size=6))
def test_anything_gives_a_mask_or_a_sentence(counts: object) -> None:
    try:
        assert decode_rle({"size": [3, 2], "counts": counts}, (3, 2), "a").shape == (3, 2)
    except DataError as error:
        text = str(error)
        assert text.startswith("a: ")
