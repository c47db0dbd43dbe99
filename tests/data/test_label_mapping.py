"""One table from raw values to train ids; what it lacks is an error that proposes the mapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripes import ids

from pixelwise.data.mapping import LabelTable, UnknownValueError, build_table, count_values, parse_map
from pixelwise.errors import ConfigError

MASK = Path("masks/a.png")


def message(table: LabelTable, raw: np.ndarray, path: Path = MASK) -> str:
    with pytest.raises(UnknownValueError) as caught:
        table.apply(raw, path)
    return str(caught.value)


def test_identity_and_ignore_are_the_default():
    table = build_table(3, {})
    assert table.apply(ids(0, 1, 2, 255), MASK).tolist() == ids(0, 1, 2, 255).tolist()
    assert table.apply(ids(0, 1, 2, 255), MASK).dtype == np.uint8


def test_a_pair_takes_the_place_of_the_id_it_names():
    table = build_table(2, {255: 1})
    assert table.apply(ids(0, 255), MASK).tolist() == ids(0, 1).tolist()
    assert "the value 1 (24 pixels), which no class has" in message(table, ids(0, 1))
    shifted = build_table(3, parse_map(["1-3=0-2"]))
    assert shifted.apply(ids(1, 2, 3), MASK).tolist() == ids(0, 1, 2).tolist()
    assert "the value 0 " in message(shifted, ids(0, 1, 2, 3))
    merged = build_table(2, parse_map(["0=0", "2=0"]))
    assert merged.apply(ids(0, 1, 2), MASK).tolist() == ids(0, 1, 0).tolist()


def test_16_bit_values():
    table = build_table(2, {300: 0, 65535: 1})
    raw = np.array([[300, 65535]], np.uint16)
    assert table.apply(raw, MASK).tolist() == [[0, 1]]


def test_errors_name_file_value_count_and_the_flag():
    two, eleven = build_table(2, {}), build_table(11, {})
    text = message(build_table(2, {254: 255}), ids(0, 1, 9))
    assert text.startswith("masks/a.png holds the value 9 (12 pixels), which no class has; ")
    assert "--map 9=ignore" in text or "--map 9=" in text
    assert "if the ids start at 1, add --map 1=0 2=1" in message(two, ids(1, 2))
    assert "if 11 is no class but void, add --map 11=ignore" in message(eleven, ids(0, 5, 11))
    assert "add --map 0=ignore 1-11=0-10" in message(eleven, ids(0, 5, 11))
    assert "add --map 85=1 170=2" in message(build_table(3, {}), ids(0, 85, 170))
    assert "7=ignore" in message(two, ids(0, 1, 7, 9))


def test_smooth_and_jpeg_masks_are_recognised(tmp_path, rng):
    from PIL import Image

    raw = np.arange(200, dtype=np.uint8).reshape(10, 20)
    assert "look like a photo or a smoothed mask" in message(build_table(2, {}), raw)
    path = tmp_path / "a.png"
    Image.fromarray(raw).save(path, format="JPEG")
    with pytest.raises(UnknownValueError, match=r"JPEG compression invents values.*save masks as PNG"):
        build_table(2, {}).apply(raw, path)


def test_colours_map_and_unknown_ones_are_counted():
    table = build_table(2, {}, {(0, 0, 0): 0, (255, 0, 0): 1, (9, 9, 9): 255})
    raw = np.zeros((2, 3, 3), np.uint8)
    raw[0, 0] = (255, 0, 0)
    raw[1, 2] = (9, 9, 9)
    assert table.apply(raw, MASK).tolist() == [[1, 0, 0], [0, 0, 255]]
    raw[1, 1] = (0, 0, 7)
    text = message(table, raw)
    assert "holds the colour 0 0 7 (1 pixels)" in text
    assert "add a line NAME 0 0 7 (or ignore 0 0 7) for each to classes.txt" in text


def test_colour_mask_without_colours_asks_for_them():
    raw = np.zeros((2, 3, 3), np.uint8)
    raw[0, 0] = (128, 0, 0)
    text = message(build_table(2, {}), raw)
    assert "the mask is a colour picture" in text
    assert "classes.txt" in text


def test_grey_stored_as_rgb_is_read_as_one_channel():
    raw = np.repeat(ids(0, 1)[..., None], 3, 2)
    assert build_table(2, {}).apply(raw, MASK).tolist() == ids(0, 1).tolist()


def test_empty_colour_and_value_tables():
    assert "which no class has" in message(LabelTable(1, {}), ids(0))


@pytest.mark.parametrize(
    "text",
    ["", "255", "255=", "=1", "a=1", "1=b", "-1=0", "1=-2", "5-3=0", "1-3=0-1", "1=0=2", "70000=0", "1=٣"],
)
def test_bad_map_texts(text):
    with pytest.raises(ConfigError, match="--map"):
        build_table(5, parse_map([text]))


def test_map_texts():
    assert parse_map(["255=1", "7=ignore", "9=255"]) == {255: 1, 7: 255, 9: 255}
    assert parse_map(["1-3=0-2"]) == {1: 0, 2: 1, 3: 2}
    assert parse_map(["5-6=ignore", "7-8=1"]) == {5: 255, 6: 255, 7: 1, 8: 1}
    with pytest.raises(ConfigError, match="both 1=0 and 1=2; keep one"):
        parse_map(["1=0", "1=2"])
    with pytest.raises(ConfigError, match=r"255=7 maps to no class: ids reach from 0 to 1, or say ignore"):
        build_table(2, {255: 7})


def test_digest_tells_tables_apart():
    digests = {
        build_table(2, {}).digest(),
        build_table(3, {}).digest(),
        build_table(2, {9: 1}).digest(),
        build_table(2, {}, {(1, 2, 3): 1}).digest(),
    }
    assert len(digests) == 4
    assert build_table(2, {9: 1, 8: 0}).digest() == build_table(2, {8: 0, 9: 1}).digest()


@given(st.text(max_size=20))
def test_any_map_text_is_read_or_refused(text):
    try:
        pairs = parse_map([text])
    except ConfigError:
        return
    assert all(0 <= raw <= 65535 for raw in pairs)


@settings(max_examples=60)
@given(
    st.dictionaries(st.integers(0, 65535), st.one_of(st.integers(0, 4), st.just(255)), max_size=8),
    st.lists(st.integers(0, 65535), min_size=1, max_size=30),
)
def test_apply_is_the_table_pixel_by_pixel(pairs, values):
    table = build_table(5, pairs)
    raw = np.array([values], np.uint16)
    if any(v not in table.values for v in values):
        with pytest.raises(UnknownValueError, match=r"^masks/a\.png holds the value") as caught:
            table.apply(raw, MASK)
        assert caught.value.seen == {v: values.count(v) for v in values}
    else:
        result = table.apply(raw, MASK)
        assert result.tolist() == [[table.values[v] for v in values]]
        assert set(np.unique(result)) <= {0, 1, 2, 3, 4, 255}


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=12), st.integers(0, 11))
def test_colours_apply_is_the_table_pixel_by_pixel(colours, known):
    table = build_table(2, {}, {colour: i % 2 for i, colour in enumerate(colours[:known])})
    raw = np.array([colours], np.uint8)
    counts = count_values(raw)
    assert counts == {c: colours.count(c) for c in colours}
    try:
        result = table.apply(raw, MASK)
    except UnknownValueError:
        return
    if table.colours:
        assert result.tolist() == [[table.colours[c] for c in colours]]
