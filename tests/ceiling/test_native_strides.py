"""The table of strides is what the networks say of themselves, and what they do."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from pixelwise.ceiling.networks import NATIVE_STRIDES, fine_enough
from pixelwise.models import MODELS, build_model


@pytest.mark.parametrize("name", MODELS)
def test_the_table_holds_for_every_network(name: str) -> None:
    with torch.device("meta"):  # shapes need no weights
        network = cast("Any", build_model(name, num_classes=2))
        network.eval()
        native = network.forward_native(torch.zeros(1, 3, 64, 96))
    assert network.native_stride == NATIVE_STRIDES[name]
    assert native.shape[2:] == (64 // NATIVE_STRIDES[name], 96 // NATIVE_STRIDES[name])


def test_it_has_no_others_and_names_the_coarsest_first() -> None:
    assert set(NATIVE_STRIDES) == set(MODELS)
    assert fine_enough(4)[:2] == ("deeplabv3plus", "fpn")
    assert set(fine_enough(1)) == {"unet", "unet-xception", "segnet"}
    assert len(fine_enough(32)) == len(MODELS)
