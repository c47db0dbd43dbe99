"""Configurations: they survive JSON, and refuse what cannot be with a sentence."""

import dataclasses
import inspect
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.config import AugmentConfig, DataConfig, TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.plain import from_flat, from_json, to_json

augments = st.builds(
    AugmentConfig,
    flip=st.booleans(),
    scale=st.tuples(st.floats(0.1, 1), st.floats(1, 16)),
    rotate=st.floats(0, 180),
    shift=st.floats(0, 0.99),
    colour=st.floats(0, 1),
    blur=st.floats(0, 16),
    jpeg=st.integers(1, 100),
    cutout=st.floats(0, 0.9),
    mix=st.floats(0, 1),
)
datas = st.builds(
    DataConfig,
    format=st.text(),
    classes=st.lists(st.text(), max_size=3).map(tuple),
    map=st.lists(st.text(), max_size=3).map(tuple),
    val_last=st.none() | st.integers(1, 10**6),
    snap=st.integers(0, 255),
    fit_masks=st.booleans(),
    skip_unpaired=st.booleans(),
    skip_broken=st.booleans(),
    cache_dir=st.none() | st.just(Path("/tmp/cache")),
    workers=st.integers(1, 64),
)
trains = st.builds(
    TrainConfig,
    size=st.tuples(st.integers(1, 16384), st.integers(1, 16384)),
    optimizer=st.sampled_from(["rmsprop", "adamw", "sgd"]),
    lr=st.floats(1e-12, 99),
    class_weights=st.just(()) | st.lists(st.floats(0.1, 10), min_size=1, max_size=4).map(tuple),
    clip_norm=st.none() | st.floats(1e-3, 1e3),
    micro_batch=st.none() | st.integers(1, 64),
    ema=st.floats(0, 0.9999),
    layer_decay=st.floats(0.1, 1),
    augment=augments,
    data=datas,
    seed=st.integers(0, 2**63),
)


@given(config=augments | datas | trains)
def test_every_config_survives_json(config):
    text = json.dumps(to_json(config), allow_nan=False)
    assert from_json(type(config), json.loads(text)) == config


@pytest.mark.parametrize("kind", [AugmentConfig, DataConfig, TrainConfig])
def test_what_is_not_given_is_the_default(kind):
    assert from_json(kind, {}) == kind()


def test_a_run_from_before_a_setting_was_there_has_its_default():
    document = to_json(TrainConfig(data=DataConfig(map=("255=1",))))
    for name in ("snap", "fit_masks", "skip_unpaired"):
        del document["data"][name]
    assert from_json(TrainConfig, document) == TrainConfig(data=DataConfig(map=("255=1",)))


@pytest.mark.parametrize("kind", [AugmentConfig, DataConfig, TrainConfig])
def test_every_field_of_every_config_has_a_docstring(kind):
    """It is the command line's help; tyro reads it from the source."""
    lines = Path(inspect.getsourcefile(kind)).read_text().splitlines()
    for field in dataclasses.fields(kind):
        if field.name in ("augment", "data"):  # groups of flags, not flags
            continue
        line = next(i for i, text in enumerate(lines) if text.startswith(f"    {field.name}: "))
        assert lines[line + 1].strip().startswith('"""'), field.name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"epoch": 3}, "TrainConfig has no epoch; it has model, model_args, weights, init, size, epochs"),
        ({"augment": {"flop": True}}, "AugmentConfig has no flop"),
        ([], "TrainConfig must be a JSON object, got list"),
        ({"epochs": "3"}, "epochs must be int, got '3'"),
        ({"epochs": 3.0}, r"epochs must be int, got 3\.0"),
        ({"epochs": True}, "epochs must be int, got True"),
        ({"epochs": None}, "epochs must be int, got None"),
        ({"lr": "fast"}, "lr must be float"),
        ({"lr": True}, "lr must be float"),
        ({"size": [160]}, r"size must be tuple\[int, int\], got \[160\]"),
        ({"size": "160"}, "size must be"),
        ({"optimizer": "adam"}, "optimizer must be one of rmsprop, adamw, sgd, got 'adam'"),
        ({"optimizer": ["sgd"]}, "optimizer must be one of"),
        ({"augment": True}, "AugmentConfig must be a JSON object"),
        ({"augment": {"flip": 1}}, "flip must be bool, got 1"),
        ({"data": {"cache_dir": 3}}, "cache_dir must be Path, got 3"),
        ({"class_weights": [1, "2"]}, "class_weights must be float, got '2'"),
    ],
)
def test_json_that_does_not_fit(value, message):
    with pytest.raises(ConfigError, match=message):
        from_json(TrainConfig, value)


def test_whole_numbers_serve_as_floats_and_null_as_nothing():
    config = from_json(TrainConfig, {"lr": 1, "clip_norm": None, "data": {"cache_dir": "somewhere"}})
    assert config.lr == 1.0
    assert isinstance(config.lr, float)
    assert config.data.cache_dir == Path("somewhere")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (DataConfig, {"val_last": 3, "val_share": 0.2}, "exclude each other"),
        (DataConfig, {"val_last": 3, "val_groups": True}, "exclude each other"),
        (DataConfig, {"val_last": 0}, "val-last must be at least 1"),
        (DataConfig, {"val_share": 1.0}, "between 0 and 1"),
        (DataConfig, {"workers": 0}, "workers"),
        (DataConfig, {"snap": -1}, "snap must lie between 0 and 255, got -1"),
        (AugmentConfig, {"scale": (2.0, 1.0)}, "scale"),
        (AugmentConfig, {"scale": (0.0, 1.0)}, "scale"),
        (AugmentConfig, {"rotate": 181.0}, "rotate"),
        (AugmentConfig, {"shift": 1.0}, "shift"),
        (AugmentConfig, {"colour": -0.1}, "colour"),
        (AugmentConfig, {"colour": float("nan")}, "colour"),
        (TrainConfig, {"size": (0, 160)}, "size"),
        (TrainConfig, {"epochs": 0}, "epochs must be at least 1"),
        (TrainConfig, {"batch_size": 0}, "batch-size must be at least 1"),
        (TrainConfig, {"lr": 0.0}, "lr must be above 0"),
        (TrainConfig, {"lr": float("nan")}, "lr must be above 0"),
        (TrainConfig, {"weight_decay": -1.0}, "weight-decay"),
        (TrainConfig, {"clip_norm": 0.0}, "clip-norm"),
        (TrainConfig, {"class_weights": (1.0, -1.0)}, "class-weights"),
        (TrainConfig, {"class_weights": (0.0, 0.0)}, "all be zero"),
        (TrainConfig, {"optimizer": "adam"}, "optimizer must be one of rmsprop, adamw, sgd"),
        (TrainConfig, {"schedule": "cos"}, "schedule must be one of"),
        (TrainConfig, {"precision": "fp16"}, "precision must be one of"),
        (TrainConfig, {"device": "gpu"}, "device must be one of auto, cpu, cuda"),
    ],
)
def test_values_that_cannot_be(kind, values, message):
    with pytest.raises(ConfigError, match=message):
        kind(**values)


def test_configs_are_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().lr = 1.0
    with pytest.raises(TypeError):
        TrainConfig("unet-xception")


def test_only_configs_go_to_json():
    for wrong in ({}, TrainConfig):
        with pytest.raises(TypeError):
            to_json(wrong)


def test_flat_settings_find_their_part():
    config = from_flat(TrainConfig, {"epochs": 5, "size": [96, 128], "flip": True, "val_last": 195, "lr": 1})
    assert config == TrainConfig(
        epochs=5, size=(96, 128), lr=1.0, augment=AugmentConfig(flip=True), data=DataConfig(val_last=195)
    )
    whole = AugmentConfig(rotate=5.0)
    assert from_flat(TrainConfig, {"augment": whole}).augment == whole
    assert from_flat(TrainConfig, {}) == TrainConfig()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 5}, "no setting epoch; there are annotations, aux_weight"),
        ({"optimizer": "adam"}, "optimizer must be one of rmsprop, adamw, sgd"),
        ({"size": 160}, "size must be"),
        ({"epochs": "5"}, "epochs must be int"),
        ({"augment": True}, "AugmentConfig must be"),
        ({"flip": "no"}, "flip must be bool"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"micro_batch": 0}, "micro-batch must be at least 1"),
        ({"shift": 0.1, "crop": [96, 96]}, "shift and crop exclude each other"),
        ({"crop_max_share": 0.75}, "crop-max-share needs --crop"),
        ({"class_weights": [1, 2], "balance": "enet"}, "class-weights and balance exclude each other"),
        ({"ema": 1}, "ema must lie between 0 and 1"),
        ({"layer_decay": 0}, "layer-decay must lie in 0..1"),
    ],
)
def test_flat_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        from_flat(TrainConfig, settings)


def test_geometric_says_whether_masks_move():
    assert not AugmentConfig(colour=0.4).geometric
    for change in ({"flip": True}, {"scale": (0.5, 1.0)}, {"rotate": 1.0}, {"shift": 0.1}):
        assert AugmentConfig(**change).geometric
