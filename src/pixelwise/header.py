"""What a model's file says of it besides the weights: the same in a model file and in every export.

Plain values and JSON. Knows no torch, so that an exported model is opened without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pixelwise.errors import ConfigError
from pixelwise.types import Classes, SizePolicy

KEY = "pixelwise"
"""Under which a file keeps the header's JSON."""

FORM_KEY = "pixelwise.form"
"""Under which an exported file keeps the JSON of its form."""

NETWORK_IMAGES = "network.images"
"""Name of what the network itself reads in an exported model: pictures `(N, 3, h, w) uint8` of its size."""

NETWORK_LOGITS = "network.logits."
"""What the name of the network's own answer in an exported model begins with; its stride follows.

Names outlive conversion and quantisation by other libraries, whose files keep notes in places of their own.
"""

MOST_STRIDE = 256

LEAST_PROBABILITY = 1e-30
"""A probability of zero counts as this where its logarithm stands for a logit."""

Answer = Literal["logits", "probabilities", "labels"]
Precision = Literal["float32", "half", "int8"]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What goes into an exported model and what comes out of it.

    Attributes:
        answer: `logits` `(N, K, H, W) float32`, `probabilities` of that shape in 0..1, or `labels`
            `(N, H, W) uint8`; H and W are those of the pictures that went in.
        resize: `(height, width)` to which pictures are brought inside the model, and from which
            probabilities are brought back, as `predict` does it; logits are their logarithm then. None where
            the network gets pictures as they are.
        precision: `half` has float16 weights, `int8` whole numbers in most layers.
    """

    answer: Answer = "logits"
    resize: tuple[int, int] | None = None
    precision: Precision = "float32"

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back to an equal form."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(document: Any) -> Form:
        """Reads what `to_json` gave; `ConfigError` if it is something else."""
        try:
            resize = document["resize"]
            form = Form(
                answer=document["answer"],
                resize=None if resize is None else (int(resize[0]), int(resize[1])),
                precision=document["precision"],
            )
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            raise ConfigError(f"no export's form: {error!r}") from error
        if form.answer not in get_args(Answer) or form.precision not in get_args(Precision):
            raise ConfigError(f"no export's form: {document!r}")
        return form


def network_stride(name: str) -> int | None:
    """The stride that a value's name says; None if it is not the name of a network's own answer."""
    said = name.removeprefix(NETWORK_LOGITS)
    if said == name or not (said.isascii() and said.isdecimal()) or len(said) > len(str(MOST_STRIDE)):
        return None
    stride = int(said)
    return stride if 1 <= stride <= MOST_STRIDE else None


@dataclass(frozen=True)
class Architecture:
    """What rebuilds a network besides its number of classes: arguments of `build_model`, as JSON values."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class ModelHeader:
    """What a file says of its network.

    Attributes:
        architecture: Name and arguments that `build_model` takes.
        classes: Names and colours of the train ids.
        size_policy: How pictures are sized for it.
        provenance: How it was trained (config, data hash, versions, metrics): plain JSON, for people.
    """

    architecture: Architecture
    classes: Classes
    size_policy: SizePolicy
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back to an equal header."""
        return {
            "architecture": {
                "name": self.architecture.name,
                "arguments": dict(self.architecture.arguments),
            },
            "classes": self.classes.to_json(),
            "size_policy": dataclasses.asdict(self.size_policy),
            "provenance": dict(self.provenance),
        }

    @staticmethod
    def from_json(document: Any) -> ModelHeader:
        """Reads what `to_json` gave; members that it does not know are left aside.

        Raises:
            ConfigError: It is something else.
        """
        try:
            policy, architecture = document["size_policy"], document["architecture"]
            return ModelHeader(
                architecture=Architecture(str(architecture["name"]), dict(architecture["arguments"])),
                classes=Classes.from_json(document["classes"]),
                size_policy=SizePolicy(
                    policy["mode"], tuple(policy["size"]), policy.get("decoding", "whole")
                ),
                provenance=dict(document["provenance"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigError(f"no model's header: {error!r}") from error


def form_of(
    header: ModelHeader, *, answer: Answer = "logits", resize: bool = True, precision: Precision = "float32"
) -> Form:
    """The form of an export: the model's size policy inside, where it resizes and that is wanted."""
    inside = resize and header.size_policy.mode == "resize"
    return Form(answer=answer, resize=header.size_policy.size if inside else None, precision=precision)
