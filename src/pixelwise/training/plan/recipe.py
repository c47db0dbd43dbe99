"""Loss, augmentation and optimiser from what the data are like. Knows neither memory nor time.

The numbers are conventions of the field rather than laws; each is named once, with its source.
"""

from __future__ import annotations

import re

from pixelwise.data.statistics import Statistics
from pixelwise.training.plan.choice import Draft
from pixelwise.training.plan.facts import Network

RARE = 0.01
"""A class with a smaller share of the pixels hardly moves a mean over pixels: a loss over regions joins."""

VERY_RARE = 0.001
"""Below this the cross-entropy itself is weighted by class as well."""

MANY_CLASSES = 8
"""From so many classes on, Lovász-Softmax instead of Dice: it is the Jaccard index that is measured in the
end (M. Berman et al., CVPR 2018), while Dice is the proven one for few classes and a small foreground
(F. Milletari et al., V-Net, 2016)."""

SMALL, LARGE = 1_000, 10_000
"""Training pictures below which augmentation is strong, and from which on it is mild."""

LEARNING_RATES = {"adamw": 1e-3, "sgd": 1e-2, "rmsprop": 1e-3}
"""The optimisers' customary ones: Kingma 2015 for Adam's family, DeepLab's (Chen 2018) for SGD."""

TRANSFORMER_RATE = 6e-4
"""AdamW's for a transformer; its pretrained encoder learns at a tenth of it (E. Xie et al., SegFormer, 2021:
6e-5, and ten times that for the decoder, with a decay of 0.01 as AdamW has it here anyway)."""

WEIGHT_DECAYS = {"adamw": 0.01, "sgd": 1e-4, "rmsprop": 0.0}
"""AdamW's own default, after I. Loshchilov and F. Hutter, ICLR 2019; DeepLab's order for SGD."""

_SIDES = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)


def propose_recipe(draft: Draft, data: Statistics, network: Network) -> Draft:
    """Decides on loss, class weights, augmentation (but for crops), optimiser and learning rate."""
    draft = _loss(draft, data)
    draft = _augmentation(draft, data)
    return _optimiser(draft, network)


def _loss(draft: Draft, data: Statistics) -> Draft:
    present = [(share, name) for share, name in zip(data.train.shares, data.classes, strict=True) if share]
    share, name = min(present) if present else (1.0, "")
    rarest = f"{name} has {percent(share)} of the labelled pixels"
    if share >= RARE:
        draft = draft.choose(f"no class is rare: {rarest}", {"loss": "ce"})
    elif len(data.classes) >= MANY_CLASSES:
        draft = draft.choose(
            f"{rarest}: Lovász counts each class's IoU, however rare (Berman 2018)", {"loss": "ce + lovasz"}
        )
    else:
        draft = draft.choose(
            f"{rarest}: Dice counts each class alike, however rare (Milletari 2016)", {"loss": "ce + dice"}
        )
    if share < VERY_RARE and draft.free("class_weights"):
        draft = draft.choose(
            f"{rarest}: ENet's weights lift it without letting it rule (35 times at most, Paszke 2016)",
            {"balance": "enet"},
        )
    return draft


def _augmentation(draft: Draft, data: Statistics) -> Draft:
    pictures = data.train.pictures
    sided = [name for name in data.classes if _SIDES.search(name)]
    if sided:
        draft = draft.choose(f"mirroring would make {sided[0]} a lie", {"flip": False})
    else:
        draft = draft.choose("a mirrored photo is as good as a new one", {"flip": True})
    few = f"{pictures:,} training pictures"
    if pictures >= LARGE:
        return draft.choose(f"{few} vary by themselves", {"scale": (0.9, 1.1), "colour": 0.2})
    if pictures >= SMALL:
        return draft.choose(f"{few} are neither few nor many", {"scale": (0.8, 1.25), "colour": 0.3})
    return draft.choose(
        f"{few} are few, so each epoch should see others",
        {"scale": (0.75, 1.33), "rotate": 10.0, "colour": 0.4},
    )


def _optimiser(draft: Draft, network: Network) -> Draft:
    draft = draft.choose("forgiving of its learning rate (Loshchilov 2019)", {"optimizer": "adamw"})
    kind = draft.config.optimizer
    rate, why = LEARNING_RATES[kind], f"customary for {kind}"
    if network.transformer and kind == "adamw":
        rate, why = TRANSFORMER_RATE, "what SegFormer's decoder was trained with (Xie 2021)"
    draft = draft.choose(why, {"lr": rate})
    draft = draft.choose(f"customary for {kind}", {"weight_decay": WEIGHT_DECAYS[kind]})
    draft = draft.choose(
        "ends in small steps, so that no epoch must be picked by luck (Loshchilov 2017)",
        {"schedule": "cosine"},
    )
    if draft.config.weights and network.has_encoder:
        draft = draft.choose(
            "pretrained features need little change, the new decoder much", {"encoder_lr": 0.1}
        )
    return draft


def percent(share: float) -> str:
    """`0.0123` as `1.2%`; small shares keep a digit that counts."""
    return f"{100 * share:.1f}%" if share >= 0.001 else f"{100 * share:.2g}%"
