"""Wrong names, numbers and arguments get a sentence that lists what is possible."""

from __future__ import annotations

import pytest
from torch import nn

from pixelwise.errors import ConfigError
from pixelwise.header import Architecture
from pixelwise.models import build_model


def test_unknown_network_names_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"'unet-exception'.*did you mean unet-xception\?.*unet-xception"):
        build_model("unet-exception", num_classes=3)


def test_unknown_argument_lists_the_possible_ones() -> None:
    with pytest.raises(ConfigError, match="no argument depth; it has upsampling, normalisation"):
        build_model("unet-xception", num_classes=3, arguments={"depth": 5})


def test_number_of_classes_is_not_an_argument_twice() -> None:
    with pytest.raises(ConfigError, match="no argument num_classes"):
        build_model("unet-xception", num_classes=3, arguments={"num_classes": 5})


@pytest.mark.parametrize("count", [0, -1, 256])
def test_impossible_number_of_classes(count: int) -> None:
    with pytest.raises(ConfigError, match=f"1 to 255 classes, got {count}"):
        build_model("unet-xception", num_classes=count)


def test_wrong_value_of_an_argument() -> None:
    with pytest.raises(ConfigError, match="normalisation must be one of"):
        build_model("unet-xception", num_classes=3, arguments={"normalisation": "zscore"})


def test_architecture_holds_defaults_too() -> None:
    network: nn.Module = build_model("unet-xception", num_classes=3)
    assert network.architecture == Architecture(
        "unet-xception", {"upsampling": "nearest", "normalisation": "identity"}
    )
