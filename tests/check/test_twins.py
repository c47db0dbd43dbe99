"""Who is found among many: against all pairs, however many look alike, in the order of the data set."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import CHANGES, clouds, looked_at
from PIL import Image

from pixelwise.check.likeness import SIDE, Likeness, measure_likeness
from pixelwise.check.resemblance import is_comparable, resemblance, resemblance_cropped
from pixelwise.check.twins import ALIKE, find_twins, in_common, thumbnails_of


def likeness(grey: npt.NDArray[np.float64]) -> Likeness:
    """Of a thumbnail that nobody else has."""
    thumbnail = np.clip(np.rint(grey), 0, 255).astype(np.uint8).tobytes()
    return Likeness(hashlib.sha256(thumbnail).hexdigest()[:32], thumbnail)


def small(seed: int) -> npt.NDArray[np.float64]:
    return clouds(seed, (SIDE, SIDE))[..., 0].astype(float)


def all_pairs(likenesses: list[Likeness]) -> set[tuple[int, int]]:
    """The slow way: every pair of different pictures is compared in every way."""
    thumbnails = thumbnails_of(likenesses)
    common = in_common(thumbnails)
    found = set()
    for a in range(len(likenesses)):
        for b in range(a + 1, len(likenesses)):
            one, other = thumbnails[a : a + 1], thumbnails[b : b + 1]
            if likenesses[a].digest == likenesses[b].digest or not is_comparable(thumbnails[[a, b]]).all():
                continue
            best = max(
                float(compare(one, other, mirrored=mirrored)[0])
                for compare in (resemblance, resemblance_cropped)
                for mirrored in (False, True)
            )
            if (best - common) / (1 - common) >= ALIKE:
                found.add((a, b))
    return found


@pytest.fixture(scope="module")
def mixed() -> list[Likeness]:
    """30 photos, then what was made of the first eleven in every way, then flat ones."""
    images = [Image.fromarray(clouds(seed, (240, 320))) for seed in range(30)]
    changed = [change(images[number]) for number, change in enumerate(CHANGES.values())]
    flat = [np.full((256, 256, 3), value, np.uint8) for value in (0, 0, 255, 3)]
    return [measure_likeness(picture) for picture in (*map(looked_at, [*images, *changed]), *flat)]


def test_it_finds_what_all_pairs_find(mixed: list[Likeness]):
    twins = find_twins(mixed)
    found = set(zip(twins.first.tolist(), twins.second.tolist(), strict=True))
    assert found == all_pairs(mixed)
    assert found == {(number, 30 + number) for number in range(len(CHANGES))}
    marked = {list(CHANGES)[a]: bool(m) for a, m in zip(twins.first, twins.mirrored, strict=True)}
    assert marked == {change: change.startswith("mirrored") for change in CHANGES}
    assert twins.groups[30 : 30 + len(CHANGES)].tolist() == list(range(len(CHANGES)))


def test_flat_pictures_are_twins_only_if_they_are_the_same(mixed: list[Likeness]):
    twins = find_twins(mixed)
    black, again, white, dark = range(len(mixed) - 4, len(mixed))
    assert twins.same[[black, again, white, dark]].tolist() == [black, black, white, dark]
    assert twins.groups[[black, again, white, dark]].tolist() == [black, black, white, dark]


def test_few_or_no_pictures():
    assert len(find_twins([]).same) == 0
    one = measure_likeness(clouds(0))
    assert find_twins([one]).groups.tolist() == [0]
    twins = find_twins([one, one, measure_likeness(clouds(1))])
    assert twins.same.tolist() == twins.groups.tolist() == [0, 0, 2]
    assert len(twins.first) == 0


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(24)), st.integers(0, 5))
def test_the_order_does_not_matter(order: list[int], seed: int):
    rng = np.random.default_rng(seed)
    likenesses = [likeness(small(n % 16) + (n >= 16) * rng.normal(0, 2, (SIDE, SIDE))) for n in range(24)]
    twins = find_twins([likenesses[n] for n in order])
    pairs = {frozenset((order[a], order[b])) for a, b in zip(twins.first, twins.second, strict=True)}
    assert pairs == {frozenset((n, n + 16)) for n in range(8)}
    assert (twins.first < twins.second).all()


def test_a_crowd_is_one_group_and_costs_little():
    rng = np.random.default_rng(0)
    scene = small(0)
    crowd = [likeness(scene + rng.normal(0, 3, (SIDE, SIDE))) for _ in range(600)]
    others = [likeness(small(seed)) for seed in range(1, 801)]
    likenesses = [item for pair in zip(crowd, others[:600], strict=True) for item in pair] + others[600:]
    twins = find_twins(likenesses)
    assert set(twins.groups[0:1200:2].tolist()) == {0}
    assert (twins.groups[1:1200:2] == np.arange(1, 1200, 2)).all()
    assert len(twins.first) <= 2 * 32 * 600  # of 180,000 pairs


def test_what_all_pictures_share_makes_none_of_them_twins():
    rng = np.random.default_rng(0)
    scene = small(0)
    views = [scene + 0.4 * (small(seed) - 128) for seed in range(1, 201)]
    views.append(views[17] + rng.normal(0, 2, (SIDE, SIDE)))
    likenesses = [likeness(view) for view in views]
    assert in_common(thumbnails_of(likenesses)) > 0.5
    twins = find_twins(likenesses)
    assert list(zip(twins.first.tolist(), twins.second.tolist(), strict=True)) == [(17, 200)]


def test_three_thousand_pictures_with_planted_twins():
    rng = np.random.default_rng(0)
    originals = [small(seed) for seed in range(3000)]
    planted = [255 * (grey / 255) ** 1.3 + rng.normal(0, 1.5, (SIDE, SIDE)) for grey in originals[:60]]
    twins = find_twins([likeness(grey) for grey in (*originals, *planted)])
    found = set(zip(twins.first.tolist(), twins.second.tolist(), strict=True))
    assert found == {(number, 3000 + number) for number in range(60)}
