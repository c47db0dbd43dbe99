"""Which pictures validate: pinned draws, exact counts, and sides that may not be empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.config import DataConfig
from pixelwise.data.splits import make_split
from pixelwise.errors import DataError

NAMES = [f"scene_{i}" for i in range(10)]


def test_the_last_n():
    split = make_split(NAMES, {}, DataConfig(val_last=3))
    assert split.train == tuple(range(7))
    assert split.val == (7, 8, 9)
    with pytest.raises(DataError, match="--val-last 10 leaves no picture to train on"):
        make_split(NAMES, {}, DataConfig(val_last=10))


def test_the_draw_is_the_same_everywhere():
    # Sorted by the SHA-256 of "seed:name"; pinned, so that no version of anything may move it.
    assert make_split(NAMES, {}, DataConfig(val_share=0.3)).val == PINNED[0]
    assert make_split(NAMES, {}, DataConfig(val_share=0.3, val_seed=1)).val == PINNED[1]


PINNED = ((2, 6, 9), (5, 6, 9))


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 5))
def test_every_picture_is_on_one_side(count, share, seed):
    names = [f"n{i}" for i in range(count)]
    split = make_split(names, {}, DataConfig(val_share=share, val_seed=seed))
    assert sorted((*split.train, *split.val)) == list(range(count))
    assert len(split.val) == min(max(round(count * share), 1), count - 1)


def test_a_new_picture_moves_few_others():
    before = set(make_split(NAMES, {}, DataConfig(val_share=0.3)).val)
    after = set(make_split([*NAMES, "new"], {}, DataConfig(val_share=0.3)).val)
    assert len((after - {10}) - before) <= 1


def test_official_lists_come_first_and_flags_before_them():
    official = {"train": (0, 1, 2), "val": (5, 6), "test": (7,)}
    split = make_split(NAMES, official, DataConfig())
    assert (split.train, split.val) == ((0, 1, 2), (5, 6))
    assert "4 pictures" not in split.rule
    assert make_split(NAMES, official, DataConfig(val_last=1)).val == (9,)
    only_train = make_split(NAMES, {"train": (0, 1, 2, 3, 4)}, DataConfig())
    assert set(only_train.train) | set(only_train.val) == {0, 1, 2, 3, 4}


def test_a_single_picture_is_never_validated_on():
    for config in (DataConfig(), DataConfig(val_share=0.5)):
        split = make_split(["a"], {}, config)
        assert (split.train, split.val) == ((0,), ())
        assert "cannot be split" in split.rule


FILMS = [f"{film}/l{n:03d}" for film, count in (("a", 6), ("b", 3), ("c", 1)) for n in range(count)]


@given(st.lists(st.integers(1, 9), min_size=2, max_size=12), st.floats(0.01, 0.99), st.integers(0, 5))
def test_groups_stay_whole_and_come_as_near_to_the_share_as_each_can(sizes, share, seed):
    names = [f"film{chr(97 + group)}/{n:04d}" for group, size in enumerate(sizes) for n in range(size)]
    split = make_split(
        names, {"train": (0,), "val": (1,)}, DataConfig(val_groups=True, val_share=share, val_seed=seed)
    )
    assert sorted((*split.train, *split.val)) == list(range(len(names)))
    assert split.train
    assert split.val
    folders = [{names[i].split("/")[0] for i in side} for side in (split.train, split.val)]
    assert not folders[0] & folders[1]
    wanted = min(max(round(len(names) * share), 1), len(names) - 1)
    # No group that is left would have brought the validation nearer, when it was asked in its turn.
    if len(split.val) < wanted:
        rest = [sizes[ord(folder[-1]) - 97] for folder in folders[0]]
        assert len(rest) == 1 or all(
            abs(len(split.val) + s - wanted) >= wanted - len(split.val) for s in rest
        )


def test_groups_are_drawn_the_same_everywhere():
    config = DataConfig(val_groups=True)
    # 10 pictures, of which 2 are wanted: a of 6 is too many; pinned like the draw of pictures.
    split = make_split(FILMS, {}, config)
    assert split.val == (6, 7, 8)
    assert split.rule == "1 of 3 groups, drawn with seed 0, validate: 3 of 10 pictures"
    shuffled = list(reversed(FILMS))
    assert {shuffled[i] for i in make_split(shuffled, {}, config).val} == {FILMS[i] for i in split.val}


def test_one_group_cannot_be_split():
    with pytest.raises(DataError, match=r"one group only, 'scene_#'.*--val-last N"):
        make_split(NAMES, {}, DataConfig(val_groups=True))
