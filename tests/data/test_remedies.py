"""What errors propose mends what they are about, as a change of the config and as flags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st
from stripes import ids

from pixelwise.cli.train import Train
from pixelwise.config import DataConfig, changed
from pixelwise.config.flags import flags
from pixelwise.data import open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.io import UnreadableError
from pixelwise.data.map_flag import parse_map
from pixelwise.data.mapping import UnknownValueError, build_table
from pixelwise.data.mendable import MendableError
from pixelwise.drawing import Colour
from pixelwise.errors import ConfigError, DataError


def table_of(classes: int, config: DataConfig):
    return build_table(classes, parse_map(config.map))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 12),
    st.dictionaries(st.integers(0, 20) | st.integers(0, 260), st.integers(1, 1000), min_size=1, max_size=14),
    st.sampled_from([(), ("255=1",), ("1=0", "2=1"), ("0=ignore",)]),
)
def test_a_proposal_leaves_no_value_unknown(classes, seen, given_map):
    config = DataConfig(map=given_map)
    table = table_of(classes, config)
    if not table.unknown(seen):
        return
    proposal = table.propose(seen)
    for text in (*proposal.pairs, *proposal.otherwise):
        assert text in proposal.text or proposal.text.endswith(" …")
    mended = changed(config, proposal.changes)
    if proposal.reason == "photo" and not proposal.snap:
        assert not proposal.changes
        return
    assert replace(table_of(classes, mended), tolerance=mended.snap).unknown(seen) == {}


@pytest.mark.parametrize(
    ("values", "map_"),
    [((0, 255), ("255=1",)), ((1, 2, 3), ("1=0", "2=1", "3=2")), ((0, 85, 170), ("85=1", "170=2"))],
)
@pytest.mark.parametrize("start", [(), ("255=ignore", "9=ignore")])
def test_masks_without_names(make_set, values, map_, start):
    root = make_set({"a": ids(*values), "b": ids(*values)})
    with pytest.raises(MendableError) as caught:
        open_dataset(root, DataConfig(map=start))
    assert dict(caught.value.changes) == {"map": map_}
    mended = changed(DataConfig(map=start), caught.value.changes)
    mask = open_dataset(root, mended).reader[0].mask
    assert sorted(set(mask.ravel().tolist())) == list(range(len(values)))


def test_names_and_0_255(make_set):
    root = make_set({"a": ids(0, 255), "b": ids(0, 255)}, classes="ground\nbox\n")
    with pytest.raises(MendableError) as caught:
        open_dataset(root)
    assert dict(caught.value.changes) == {"map": ("255=1",)}
    one = make_set({"a": ids(0, 255), "b": ids(0, 255)}, root="one", classes="ground\n")
    with pytest.raises(MendableError) as caught:
        open_dataset(one)
    assert dict(caught.value.changes) == {"map": ("255=ignore",)}
    assert open_dataset(one, changed(DataConfig(), caught.value.changes)).reader[0].mask.max() == 255


def test_what_no_flag_mends_is_a_plain_error(make_set, save, tmp_path):
    with pytest.raises(DataError, match="nothing to tell apart") as caught:
        open_dataset(make_set({"a": ids(0), "b": ids(0)}))
    assert not isinstance(caught.value, MendableError)
    for name in "ab":
        save(f"rgb/images/{name}.png", np.zeros((4, 4, 3), np.uint8))
        save(f"rgb/masks/{name}.png", np.eye(4, dtype=np.uint8)[..., None] * np.array([9, 0, 0], np.uint8))
    with pytest.raises(DataError, match="the mask is a colour picture") as caught:
        open_dataset(tmp_path / "rgb")
    assert not isinstance(caught.value, MendableError)


def test_an_unknown_value_carries_what_mends_its_mask(make_set):
    named = DataConfig(classes=("a", "b"))
    root = make_set({"a": ids(0, 1), "b": ids(0, 1, 7, 9)})
    with pytest.raises(UnknownValueError) as caught:
        open_dataset(root, named).reader[1]
    assert dict(caught.value.changes) == {"map": ("7=ignore", "9=ignore")}
    mended = open_dataset(root, changed(named, caught.value.changes)).reader[1]
    assert set(mended.mask.ravel().tolist()) == {0, 1, 255}


def test_all_unknown_values_are_in_the_change_though_the_sentence_is_short():
    seen: dict[int | Colour, int] = dict.fromkeys([0, 1, *range(10, 30)], 5)
    proposal = build_table(2, {}).propose(seen)
    assert proposal.text.endswith("--map " + " ".join(f"{value}=ignore" for value in range(10, 18)) + " …")
    assert proposal.changes == {"map": tuple(f"{value}=ignore" for value in range(10, 30))}


def test_unreadable_files_are_mended_by_leaving_them_out(make_set, tmp_path):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1), "c": ids(0, 1)})
    (root / "masks" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UnreadableError) as caught:
        open_dataset(root)
    config = changed(DataConfig(cache_dir=tmp_path / "cache"), caught.value.changes)
    prepared = prepare(open_dataset(root, config), (6, 8), config)
    assert len(prepared.train) + len(prepared.val) == 2
    strict = DataConfig(classes=("a", "b"), cache_dir=tmp_path / "cache")
    for _ in range(2):  # from the files, and from the cache
        with pytest.raises(MendableError) as caught:
            prepare(open_dataset(root, strict), (6, 8), strict)
        assert dict(caught.value.changes) == {"skip_broken": True}


def test_one_error_for_a_set_proposes_what_mends_all_of_it(make_set, save, tmp_path):
    root = make_set({"a": ids(0, 1), "b": ids(0, 9), "c": ids(0, 1), "d": ids(0, 8)})
    save("set/masks/c.png", ids(0, 1, size=(12, 16)))
    config = DataConfig(classes=("w", "x", "y", "z"), cache_dir=tmp_path / "cache")
    with pytest.raises(MendableError, match="3 of 4 samples") as caught:
        prepare(open_dataset(root, config), (6, 8), config)
    assert dict(caught.value.changes) == {"map": ("8=ignore", "9=ignore"), "fit_masks": True}
    mended = changed(config, caught.value.changes)
    assert len(prepare(open_dataset(root, mended), (6, 8), mended).train) == 3
    save("set/masks/c.png", ids(0, 1, size=(16, 16)))  # of no picture: no change mends that
    with pytest.raises(DataError, match="3 of 4 samples") as caught:
        prepare(open_dataset(root, config), (6, 8), config)
    assert not isinstance(caught.value, MendableError)


def test_changed_adds_to_tuples_and_replaces_the_rest():
    config = DataConfig(map=("255=1", "7=ignore"), ignore=("sky",), workers=4)
    assert changed(config, {}) == config
    assert changed(config, {"map": ("8=ignore",)}).map == ("255=1", "7=ignore", "8=ignore")
    assert changed(config, {"map": ("7=ignore", "255=0")}).map == ("7=ignore", "255=0")
    assert changed(config, {"ignore": ("sky", "road"), "workers": 2}) == DataConfig(
        map=config.map, ignore=("sky", "road"), workers=2
    )
    assert config.map == ("255=1", "7=ignore")
    with pytest.raises(ConfigError, match="snap must lie between 0 and 255, got 256"):
        changed(config, {"snap": 256})
    with pytest.raises(TypeError):
        changed(config, {"snip": 4})


def test_a_data_config_alone_as_flags():
    config = changed(DataConfig(), {"map": ("255=1",), "snap": 40, "fit_masks": True, "skip_unpaired": True})
    words = flags(config)
    assert words == ["--map", "255=1", "--snap", "40", "--fit-masks", "--skip-unpaired"]
    assert flags(DataConfig()) == []
    read = tyro.cli(Train, args=["DATA", *words], config=(tyro.conf.OmitArgPrefixes,))
    assert (read.data, read.config.data) == (Path("DATA"), config)
