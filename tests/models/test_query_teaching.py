"""EoMT in training: which tokens see which, the annealing, and what every block's queries answer."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from drawn_networks import build, pictures
from pixelwise.models.auxiliary import drop_auxiliary, forward_with_auxiliary, note_progress, output_names
from pixelwise.models.eomt import EoMT
from pixelwise.models.query_teaching import MaskedQueries
from pixelwise.nn.outputs import LOGITS, QUERY_CLASSES, QUERY_MASKS


def network(**arguments: Any) -> EoMT:
    given = {"heads": 2, "depth": 4, "alpha": 0.125, "queries": 7, "query_blocks": 2, **arguments}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return EoMT(num_classes=5, **given)


def test_the_annealing_by_hand() -> None:
    """Two blocks share the training in quarters: the first stops in the second one, the next in the third."""
    heads = MaskedQueries(2)
    found = []
    for share in (0.0, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0):
        heads.note_progress(share)
        found.append([heads.chance(block).item() for block in (0, 1)])
    half = 0.5**0.9
    expected = [[1, 1], [1, 1], [half, 1], [0, 1], [0, half], [0, 0], [0, 0]]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected, dtype=torch.float32))
    assert not heads.state_dict()


def test_a_query_sees_its_mask_and_all_that_is_no_patch() -> None:
    """Two queries, one token more, 1 x 2 patches of 2 x 2 cells; the second query's is the left patch."""
    masks = torch.full((1, 2, 2, 4), -1.0)
    masks[0, 1, :, :2] = 1
    heads, patches = MaskedQueries(1), torch.zeros(1, 3, 1, 2)
    seen = heads.seen(masks, patches, block=0, before=1)
    assert seen.shape == (1, 1, 5, 5)
    assert seen[0, 0].int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], *[[1] * 5] * 3]
    heads.note_progress(1)
    assert heads.seen(masks, patches, block=0, before=1).all()
    heads.note_progress(0.5)  # three thirds, the block's is the second: half of it is gone
    many = masks[:, :1].expand(1, 2000, 2, 4)
    share = (~heads.seen(many, patches, block=0, before=1)[0, 0, :2000, -1]).float().mean().item()
    assert share == pytest.approx(0.5**0.9, abs=0.05)


def test_what_it_answers_in_training() -> None:
    net, x = network(), pictures(2, 37, 50)
    assert output_names(net) == {LOGITS, QUERY_CLASSES, QUERY_MASKS}
    outputs = forward_with_auxiliary(net, x)
    assert {name: tuple(out.shape) for name, out in outputs.items()} == {
        LOGITS: (2, 5, 37, 50),
        QUERY_CLASSES: (2, 3, 6, 7),
        QUERY_MASKS: (2, 3, 7, 10, 13),
    }
    note_progress(net, 1.0)  # nothing is masked any more
    outputs = forward_with_auxiliary(net, x)
    with torch.no_grad():
        torch.testing.assert_close(outputs[LOGITS], net(x), rtol=1e-5, atol=1e-5)
        asked = net.asked(net.frame(net.normalise(x)))
        torch.testing.assert_close(outputs[QUERY_MASKS][:, -1], asked.masks[:, :, :10, :13])
        torch.testing.assert_close(outputs[QUERY_CLASSES][:, -1], asked.classes[:, :, 0])
    drop_auxiliary(net)
    assert output_names(net) == {LOGITS}
    note_progress(net, 0.5)  # nobody listens
    note_progress(build("pidnet-s"), 0.5)


def test_masked_queries_do_not_feel_what_they_do_not_see() -> None:
    """A network of one block: of what a query answers, patches outside its mask have no gradient."""
    net = network(depth=1, query_blocks=1).eval()
    x = net.normalise(pictures(1, 32, 48)).requires_grad_()
    patches = net.encoder.patches(x)
    tokens = net._encoded(patches)
    asked = net._ask(tokens, patches)
    seen = cast("MaskedQueries", net.auxiliary).seen(asked.masks, patches, block=0, before=1)
    after = net.encoder.layers()[0](tokens, seen)
    inside = seen[0, 0, :7, 8:]  # (7, 6)
    assert 0 < inside.sum() < inside.numel()
    for query in range(7):
        (gradient,) = torch.autograd.grad(after[0, :, 0, query].square().sum(), x, retain_graph=True)
        felt = gradient[0].abs().sum(0).view(2, 16, 3, 16).sum((1, 3)).flatten() > 0
        assert torch.equal(felt, inside[query])
