"""Who is found among many: against all pairs, however many look alike, in the order of the data set."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import CHANGES, clouds, looked_at, thumbnails_of
from PIL import Image

from pixelwise.check.candidates import find_candidates
from pixelwise.check.likeness import SIDE, Likeness, measure_likeness
from pixelwise.check.resemblance import is_comparable, resemblance, resemblance_cropped
from pixelwise.check.twins import ALIKE, Twins, find_twins, in_common
from pixelwise.data.join import join


def likeness(grey: npt.NDArray[np.float64]) -> Likeness:
    """Of a thumbnail that nobody else has."""
    thumbnail = np.clip(np.rint(grey), 0, 255).astype(np.uint8).tobytes()
    return Likeness(hashlib.sha256(thumbnail).hexdigest()[:32], thumbnail)


def twins_of(likenesses: Sequence[Likeness]) -> Twins:
    words = [(int(item.digest[:16], 16), int(item.digest[16:], 16)) for item in likenesses]
    digests = np.reshape(np.array(words, np.uint64), (len(words), 2))
    return find_twins(digests, thumbnails_of(likenesses), Path(tempfile.gettempdir()))


def pairs_of(twins: Twins) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for block in twins.blocks() for a, b in block[["first", "second"]].tolist()}


def groups_of(twins: Twins) -> npt.NDArray[np.int64]:
    """For each picture the first one of its group: identical and near ones belong together."""
    first, second = zip(*pairs_of(twins), strict=True) if pairs_of(twins) else ((), ())
    everyone = np.arange(len(twins.same))
    one = np.concatenate((twins.same, np.array(first, np.int64)))
    return join(len(everyone), one, np.concatenate((everyone, np.array(second, np.int64))))


def small(seed: int) -> npt.NDArray[np.float64]:
    return clouds(seed, (SIDE, SIDE))[..., 0].astype(float)


def all_pairs(likenesses: list[Likeness]) -> set[tuple[int, int]]:
    """The slow way: every pair of different pictures is compared in every way."""
    thumbnails = thumbnails_of(likenesses)
    common = in_common(thumbnails)
    enough = is_comparable(thumbnails)
    pairs = [
        (a, b)
        for a, b in combinations(range(len(likenesses)), 2)
        if enough[a] and enough[b] and likenesses[a].digest != likenesses[b].digest
    ]
    one, other = (thumbnails[[pair[side] for pair in pairs]] for side in (0, 1))
    ways = [
        compare(one, other, mirrored=mirrored)
        for compare in (resemblance, resemblance_cropped)
        for mirrored in (False, True)
    ]
    alike = (np.max(ways, axis=0) - common) / (1 - common) >= ALIKE
    return {pair for pair, chosen in zip(pairs, alike, strict=True) if chosen}


@pytest.fixture(scope="module")
def mixed() -> list[Likeness]:
    """30 photos, then what was made of the first eleven in every way, then flat ones."""
    images = [Image.fromarray(clouds(seed, (240, 320))) for seed in range(30)]
    changed = [change(images[number]) for number, change in enumerate(CHANGES.values())]
    flat = [np.full((256, 256, 3), value, np.uint8) for value in (0, 0, 255, 3)]
    return [measure_likeness(picture) for picture in (*map(looked_at, [*images, *changed]), *flat)]


def test_it_finds_what_all_pairs_find(mixed: list[Likeness]):
    twins = twins_of(mixed)
    found = pairs_of(twins)
    assert found == all_pairs(mixed)
    assert found == {(number, 30 + number) for number in range(len(CHANGES))}
    marked = {list(CHANGES)[row["first"]]: bool(row["mirrored"]) for rows in twins.blocks() for row in rows}
    assert marked == {change: change.startswith("mirrored") for change in CHANGES}
    assert groups_of(twins)[30 : 30 + len(CHANGES)].tolist() == list(range(len(CHANGES)))


def test_flat_pictures_are_twins_only_if_they_are_the_same(mixed: list[Likeness]):
    twins = twins_of(mixed)
    black, again, white, dark = range(len(mixed) - 4, len(mixed))
    assert twins.same[[black, again, white, dark]].tolist() == [black, black, white, dark]
    assert groups_of(twins)[[black, again, white, dark]].tolist() == [black, black, white, dark]


def test_few_or_no_pictures():
    assert len(twins_of([]).same) == 0
    one = measure_likeness(clouds(0))
    assert groups_of(twins_of([one])).tolist() == [0]
    twins = twins_of([one, one, measure_likeness(clouds(1))])
    assert twins.same.tolist() == groups_of(twins).tolist() == [0, 0, 2]
    assert len(twins.near) == 0


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(24)), st.integers(0, 5))
def test_the_order_does_not_matter(order: list[int], seed: int):
    rng = np.random.default_rng(seed)
    likenesses = [likeness(small(n % 16) + (n >= 16) * rng.normal(0, 2, (SIDE, SIDE))) for n in range(24)]
    twins = twins_of([likenesses[n] for n in order])
    pairs = {frozenset((order[a], order[b])) for a, b in pairs_of(twins)}
    assert pairs == {frozenset((n, n + 16)) for n in range(8)}
    assert all(a < b for a, b in pairs_of(twins))


def test_a_crowd_is_one_group_and_costs_little():
    rng = np.random.default_rng(0)
    scene = small(0)
    crowd = [likeness(scene + rng.normal(0, 3, (SIDE, SIDE))) for _ in range(300)]
    others = [likeness(small(seed)) for seed in range(1, 401)]
    likenesses = [item for pair in zip(crowd, others[:300], strict=True) for item in pair] + others[300:]
    twins = twins_of(likenesses)
    assert set(groups_of(twins)[0:600:2].tolist()) == {0}
    assert (groups_of(twins)[1:600:2] == np.arange(1, 600, 2)).all()
    assert len(twins.near) <= 2 * 32 * 300  # of 44,850 pairs


def test_what_all_pictures_share_makes_none_of_them_twins():
    rng = np.random.default_rng(0)
    scene = small(0)
    views = [scene + 0.4 * (small(seed) - 128) for seed in range(1, 201)]
    views.append(views[17] + rng.normal(0, 2, (SIDE, SIDE)))
    likenesses = [likeness(view) for view in views]
    assert in_common(thumbnails_of(likenesses)) > 0.5
    twins = twins_of(likenesses)
    assert pairs_of(twins) == {(17, 200)}


def test_a_thousand_pictures_with_planted_twins():
    rng = np.random.default_rng(0)
    originals = [small(seed) for seed in range(1000)]
    planted = [255 * (grey / 255) ** 1.3 + rng.normal(0, 1.5, (SIDE, SIDE)) for grey in originals[:40]]
    twins = twins_of([likeness(grey) for grey in (*originals, *planted)])
    found = pairs_of(twins)
    assert found == {(number, 1000 + number) for number in range(40)}


def test_what_is_found_does_not_depend_on_how_much_is_looked_at_at_once():
    """A crowd, crops, mirrored ones and strangers, in one go and in sevenths: the same pairs, in all ways."""
    rng = np.random.default_rng(1)
    wide = [clouds(seed, (64, 64))[..., 0] for seed in range(60)]
    views = [*wide, *(grey[2:-2, 2:-2] for grey in wide[:20]), *(grey[2:-2, -3:1:-1] for grey in wide[20:40])]
    thumbnails = np.stack([np.asarray(Image.fromarray(view).resize((SIDE, SIDE))) for view in views])
    crowd = np.clip(small(99) + rng.normal(0, 3, (40, SIDE, SIDE)), 0, 255).astype(np.uint8)
    thumbnails = np.concatenate((thumbnails, crowd))[rng.permutation(140)]
    folder = Path(tempfile.gettempdir())
    once, often = (
        np.concatenate([np.stack(pairs) for pairs in find_candidates(thumbnails, folder, at_once=size)], 1)
        for size in (1000, 20)
    )
    assert once.shape[1] > 400
    assert {tuple(way) for way in once[2:].T.tolist()} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    np.testing.assert_array_equal(once, often)
