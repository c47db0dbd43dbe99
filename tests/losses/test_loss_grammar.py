"""The text of a loss: what it means, and that nothing but a sentence comes of what is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.config import TrainConfig
from pixelwise.config.loss import LossTerm, parse_loss
from pixelwise.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("ce", [LossTerm("ce")]),
        (" ce+0.5 *dice ", [LossTerm("ce"), LossTerm("dice", 0.5)]),
        ("tversky(alpha=0.3, beta=.7)", [LossTerm("tversky", 1.0, {"alpha": 0.3, "beta": 0.7})]),
        ("2e-1*ohem( share = 1 ) + ce()", [LossTerm("ohem", 0.2, {"share": 1.0}), LossTerm("ce")]),
        ("a(b=-2,c=word)", [LossTerm("a", 1.0, {"b": -2.0, "c": "word"})]),
    ],
)
def test_meaning(text: str, terms: list[LossTerm]) -> None:
    assert list(parse_loss(text)) == terms


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a term begins with the name of a loss"),
        ("ce +", "a term begins with the name of a loss, or with a factor and \\* after 'ce \\+'"),
        ("ce dice", "'dice' cannot follow a term"),
        ("0*ce", "a factor must be above 0"),
        ("0.5 dice", "'\\*' is missing after '0.5'"),
        ("-1*ce", "a term begins with the name"),
        ("ce(smoothing)", "'=' is missing"),
        ("ce(smoothing=)", "a parameter's value is a number or a word"),
        ("ce(smoothing=0.1", "',' is missing"),
        ("ce(a=1,a=2)", "each once"),
        ("ce + ce", "has ce twice"),
        ("ce; import os", "'; import os' is not understood"),
        ("1e999*ce", "a number is too large"),
        ("ce" * 600, "at most 1000 characters, got 1200"),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_loss(text)
    with pytest.raises(ConfigError, match=reason):
        TrainConfig(loss=text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="ce dio+*().,=-0123456789e_\n\t", max_size=40) | st.text(max_size=20))
def test_nothing_but_a_sentence(text: str) -> None:
    try:
        terms = parse_loss(text)
    except ConfigError:
        return
    assert all(term.factor > 0 and term.name for term in terms)
