"""Shares: together they are the whole, whatever the number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.data.loader import BatchLoader
from pixelwise.data.prepared import Prepared
from pixelwise.data.share import ALL, Share


@settings(max_examples=50, deadline=None)
@given(count=st.integers(0, 60), ranks=st.integers(1, 9), unit=st.sampled_from([1, 2]))
def test_shares_cover_a_batch_once_and_differ_by_one_unit(count: int, ranks: int, unit: int) -> None:
    shares = [Share(rank, ranks, unit) for rank in range(ranks)]
    spans = [share.span(count) for share in shares]
    assert [place for span in spans for place in span] == list(range(count))
    assert all(span.start % unit == 0 for span in spans if len(span))
    assert max(map(len, spans)) - min(map(len, spans)) <= 2 * unit - 1
    assert {share.largest(count) for share in shares} == {max(map(len, spans))}
    assert sorted(place for share in shares for place in share.strided(count)) == list(range(count))


def test_pairs_stay_together() -> None:
    # 7 pictures are 4 pairs, the last one half: two for each of two ranks.
    assert [list(Share(rank, 2, 2).span(7)) for rank in range(2)] == [[0, 1, 2, 3], [4, 5, 6]]
    assert [list(Share(rank, 4).span(2)) for rank in range(4)] == [[], [0], [], [1]]
    assert list(ALL.span(3)) == list(ALL.strided(3)) == [0, 1, 2]


class _Numbers:
    """A source whose sample `i` is filled with `i`."""

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((2, 3, 3), index, np.uint8), np.full((2, 3), index, np.uint8)


@pytest.mark.parametrize("cached", [True, False])
def test_a_loader_gives_every_batch_even_an_empty_one(cached: bool) -> None:
    prepared = Prepared(np.arange(9), (2, 3), cached, np.zeros(1, np.int64), _Numbers())
    order = np.array([8, 7, 6, 5, 4, 3, 2, 1, 0])
    found = []
    for rank in range(2):
        with BatchLoader(
            prepared, order, batch_size=4, workers=3, start_batch=1, share=Share(rank, 2)
        ) as loader:
            found.append([batch.indices.tolist() for batch in loader])
    assert found == [[[4, 3], []], [[2, 1], [0]]]
    with BatchLoader(prepared, order, batch_size=9, workers=3, share=Share(0, 16)) as loader:
        (batch,) = loader
    assert batch.images.shape == (0, 2, 3, 3)
    assert batch.masks.shape == (0, 2, 3)
