"""What a tuner may try, read from text; and a config as the flags that make it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import tyro
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixelwise.cli.train import Train
from pixelwise.config import AugmentConfig, DataConfig, TrainConfig
from pixelwise.config.flags import flags
from pixelwise.config.search import (
    Choice,
    Range,
    default_search,
    parse_search,
)
from pixelwise.config.single import setting_of, with_settings
from pixelwise.errors import ConfigError

BASE = TrainConfig()


def parse(text: str, base: TrainConfig = BASE) -> Range | Choice:
    return parse_search([text], base)[0]


def test_ranges() -> None:
    assert parse("lr=1e-4..1e-2:log") == Range(name="lr", low=1e-4, high=1e-2, log=True, whole=False)
    assert parse("batch-size = 4..16") == Range(name="batch_size", low=4, high=16, log=False, whole=True)
    assert parse("colour=0..0.5") == Range(name="colour", low=0, high=0.5, log=False, whole=False)


def test_numbers_are_rounded_and_stay_inside() -> None:
    rate = parse("lr=1e-4..1e-2:log")
    assert isinstance(rate, Range)
    assert rate.rounded(0.00123456) == 0.001235
    narrow = parse("lr=0.00123451..0.00123454")
    assert isinstance(narrow, Range)
    assert narrow.rounded(0.00123452) == 0.00123454  # 0.001235 would lie outside
    whole = parse("batch_size=4..16")
    assert isinstance(whole, Range)
    assert whole.rounded(7) == 7


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("model=unet,segnet", ["unet", "segnet"]),
        ("flip=true,false", [True, False]),
        ("scale=1 1, 0.5  2", [(1.0, 1.0), (0.5, 2.0)]),
        ("crop=none,32 64", [None, (32, 64)]),
        ("clip_norm=none,1", [None, 1.0]),
        ("batch_size=4,8", [4, 8]),
        ("model_args=e=vgg16,e=mobilenet_v2 x=1", [("e=vgg16",), ("e=mobilenet_v2", "x=1")]),
        (
            "loss=ohem(share=0.25),tversky(alpha=0.3, beta=0.7)",
            ["ohem(share=0.25)", "tversky(alpha=0.3, beta=0.7)"],
        ),
        ("weights=../a.pth,../b.pth", ["../a.pth", "../b.pth"]),
    ],
)
def test_choices(text: str, values: list[object]) -> None:
    choice = parse(text)
    assert isinstance(choice, Choice)
    assert [choice.value(item) for item in choice.texts] == values
    assert choice.raw(values[1]) == choice.texts[1]
    assert choice.raw("another") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr", "NAME=LOW..HIGH or NAME=a,b,c"),
        ("=1..2", "NAME=LOW..HIGH"),
        ("lrr=1..2", "did you mean lr?"),
        ("colr=0..0.5", "did you mean colour?"),
        ("zzz=1,2", "there are aux_weight, balance, batch_size"),
        ("lr=1e-2..1e-4", "LOW must be below HIGH"),
        ("lr=1..1", "LOW must be below HIGH"),
        ("lr=0..1:log", "must begin above 0"),
        ("lr=1e-4..1e-2:ln", "only :log may follow a range, got 'ln'"),
        ("lr=1..x", "LOW..HIGH needs two numbers"),
        ("lr=1..inf", "too wide"),
        ("batch_size=1.5..3", "two whole numbers"),
        ("batch_size=1..99999999999", "too wide"),
        ("model=1..2", "model is no number"),
        ("flip=0..1", "flip is no number"),
        ("scale=0.5..2", "scale is no number"),
        ("lr=0.001", "needs 2 to 64 values"),
        ("lr=0.1,1e-1", "gives a value twice"),
        ("lr=0.1,fast", "takes float numbers, got 'fast'"),
        ("batch_size=4,4.5", "takes int numbers"),
        ("flip=yes,no", "takes true or false"),
        ("scale=1,2", "takes 2 values together"),
        ("optimizer=adam,sgd", "optimizer must be one of"),
        ("colour=0..2", "colour must lie between 0 and 1"),
        ("loss=ce,cee(", "loss"),
        ("val_last=1,2", "could not be compared"),
        ("device=cpu,cuda", "makes no other network"),
        ("lr=" + "1," * 1500, "longer than"),
    ],
)
def test_what_cannot_be_searched(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as found:
        parse(text)
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def test_twice_and_nothing() -> None:
    with pytest.raises(ConfigError, match="names lr twice"):
        parse_search(["lr=1..2", "lr=3..4"], BASE)
    with pytest.raises(ConfigError, match="nothing to search"):
        parse_search([], BASE)
    with pytest.raises(ConfigError, match="search steps"):
        parse("epochs=1..3", dataclasses.replace(BASE, steps=5))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.sampled_from(["lr", "batch-size", "loss", "scale", "flip", "crop", "x", ""]),
    st.text(alphabet="0123456789.eE+-:,log()= nocefalstrud", max_size=24),
)
@example("lr", "1...5")
@example("lr", "..")
@example("batch-size", "1_0..2_0")
def test_any_text_is_a_setting_or_one_sentence(name: str, values: str) -> None:
    said = ""
    try:
        setting = parse(f"{name}={values}")
    except ConfigError as error:
        said = str(error)
    if said:
        assert "\n" not in said
        assert len(said) < 600
        return
    # What is written down in study.json reads back to the same.
    assert parse(str(setting)) == setting
    ends = [setting.low, setting.high] if isinstance(setting, Range) else setting.texts
    for end in ends:
        value = setting.value(end)  # pyright: ignore[reportArgumentType]
        assert setting_of(with_settings(BASE, {setting.name: value}), setting.name) == value


def test_the_default_search_surrounds_the_base() -> None:
    names = [setting.name for setting in default_search(BASE)]
    assert names == ["lr", "weight_decay", "scale", "colour", "loss"]
    # A tenth and ten times of the base's 1e-3, and of another base's.
    assert str(default_search(BASE)[0]) == "lr=0.0001..0.01:log"
    rate = default_search(TrainConfig(lr=0.5))[0]
    assert isinstance(rate, Range)
    assert rate.raw(0.5) == 0.5


def test_settings_go_to_their_part() -> None:
    config = with_settings(BASE, {"lr": 0.5, "flip": True, "crop": (8, 8), "crop_max_share": 0.5})
    assert (config.lr, config.augment.flip, config.augment.crop_max_share) == (0.5, True, 0.5)
    assert TrainConfig() == BASE
    assert setting_of(config, "flip") is True
    with pytest.raises(ConfigError, match="needs --crop"):
        with_settings(BASE, {"crop_max_share": 0.5})


def test_flags_of_every_kind() -> None:
    config = TrainConfig(
        loss="ce + dice",
        size=(32, 48),
        weights="my weights.pth",
        clip_norm=0.5,
        augment=AugmentConfig(flip=True, scale=(0.5, 2.0)),
        data=DataConfig(cache=False, classes=("a b", "c"), cache_dir=Path("x"), masks="-masks"),
    )
    assert flags(config) == [
        *("--weights", "my weights.pth", "--size", "32", "48", "--loss", "ce + dice", "--clip-norm", "0.5"),
        *("--flip", "--scale", "0.5", "2.0"),
        *("--masks=-masks", "--classes", "a b", "c", "--no-cache", "--cache-dir", "x"),
    ]
    assert flags(TrainConfig()) == []


@settings(deadline=None, derandomize=True, max_examples=15)
@given(
    st.floats(1e-6, 50),
    st.booleans(),
    st.sampled_from([(), ("0=1", "255=ignore")]),
    st.sampled_from(["", "-x", "a b"]),
    st.sampled_from([None, (8, 16)]),
    st.sampled_from(["ce", "ce + 0.5*dice", "ohem(share=0.25)"]),
)
def test_flags_give_the_same_config(
    lr: float,
    switch: bool,
    mapping: tuple[str, ...],
    name: str,
    crop: tuple[int, int] | None,
    loss: str,
) -> None:
    config = TrainConfig(
        lr=lr,
        loss=loss,
        augment=AugmentConfig(flip=switch, crop=crop),
        data=DataConfig(cache=switch, map=mapping, images=name),
    )
    read = tyro.cli(Train, args=["DATA", *flags(config)], config=(tyro.conf.OmitArgPrefixes,))
    assert read.config == config
    assert read.data == Path("DATA")
