"""One update: pieces of a batch add up to the batch, auxiliary heads teach, precision is what was asked."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.losses import build_loss
from pixelwise.models import build_model
from pixelwise.training.engine import Heads, compile_failure, decide_precision, make_fabric
from pixelwise.training.objective import Objective
from pixelwise.training.step import Stepper

CPU = torch.device("cpu")


def batch(count: int = 5, *, size: int = 12) -> tuple[Tensor, Tensor]:
    """Pictures and masks whose number of counted pixels differs from picture to picture."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 3, size, size, generator=generator) * 255
    masks = torch.randint(0, 3, (count, size, size), generator=generator, dtype=torch.uint8)
    for number in range(count):
        masks[number, : 2 * number] = 255
    return images, masks


def stepper(
    network: nn.Module,
    *,
    micro_batch: int | None = None,
    class_weights: Tensor | None = None,
    loss: str = "ce",
    clip_norm: float | None = None,
    auxiliary: float = 0.4,
) -> Stepper:
    fabric = make_fabric(CPU, "float32")
    engine, optimizer = fabric.setup(Heads(network), torch.optim.SGD(network.parameters(), lr=1.0))
    terms = build_loss(loss, class_weights=class_weights)
    return Stepper(
        fabric=fabric,
        engine=engine,
        optimizer=optimizer,
        objective=Objective(loss=terms, class_weights=class_weights, auxiliary=auxiliary),
        micro_batch=micro_batch,
        clip_norm=clip_norm,
    )


def plain_network() -> nn.Module:
    """Without batch normalisation, whose statistics are those of a piece."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)).double()


@pytest.mark.parametrize("weights", [None, torch.tensor([0.2, 1.0, 3.0])])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_pieces_add_up_to_the_batch(size: int, weights: Tensor | None) -> None:
    images, masks = batch()
    networks = [plain_network(), plain_network()]
    updates = []
    for network, micro_batch in zip(networks, (None, size), strict=True):
        one = stepper(network, micro_batch=micro_batch, class_weights=weights)
        updates.append(one.backward(images.double(), masks, seed=(0,)))
    assert updates[0].loss == pytest.approx(updates[1].loss, rel=1e-6)
    assert updates[0].weight == updates[1].weight
    for whole, pieces in zip(*(network.parameters() for network in networks), strict=True):
        # The loss is float32 by contract, hence no more digits.
        torch.testing.assert_close(pieces.grad, whole.grad, rtol=1e-5, atol=1e-7)


def test_the_weight_of_a_batch_is_its_counted_pixels_times_their_class_weights() -> None:
    masks = torch.tensor([[[0, 0, 1], [2, 255, 255]]], dtype=torch.uint8)
    loss = build_loss("ce", class_weights=None)
    assert Objective(loss=loss, class_weights=None, auxiliary=0).weight(masks).item() == 4
    weights = torch.tensor([0.5, 2.0, 4.0])
    # 2 x 0.5 + 1 x 2 + 1 x 4
    assert Objective(loss=loss, class_weights=weights, auxiliary=0).weight(masks).item() == 7


def test_a_batch_without_counted_pixels_moves_nothing() -> None:
    network = plain_network()
    images, masks = batch()
    before = copy.deepcopy(network.state_dict())
    one = stepper(network, micro_batch=2)
    update = one.backward(images.double(), torch.full_like(masks, 255), seed=(0,))
    one.step()
    assert update.loss == 0
    assert update.weight == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_clipping_bounds_the_step() -> None:
    network = plain_network()
    before = [p.detach().clone() for p in network.parameters()]
    one = stepper(network, clip_norm=0.01)
    images, masks = batch()
    one.backward(images.double(), masks, seed=(0,))
    one.step()
    moved = torch.cat([(p - q).flatten() for p, q in zip(network.parameters(), before, strict=True)])
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)  # learning rate 1
    assert all(p.grad is None for p in network.parameters())


class Dropping(nn.Module):
    """Half of the pixels are dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.conv(x), 0.5, self.training)


def test_dropout_is_a_function_of_the_place_in_the_run() -> None:
    torch.manual_seed(0)
    network = Dropping()
    images, masks = batch()
    one = stepper(network, micro_batch=2)
    state = torch.random.get_rng_state()
    losses = [one.backward(images, masks, seed=seed).loss for seed in ((0, 1, 2), (0, 1, 3), (0, 1, 2))]
    assert losses[0] == losses[2] != losses[1]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_auxiliary_head_teaches_what_lies_before_it_and_is_silent_in_evaluation() -> None:
    arguments = {"output_stride": 16, "encoder_arguments": {"alpha": 0.35}, "auxiliary": True, "dropout": 0.0}
    network = build_model("deeplabv3plus", num_classes=3, arguments=arguments, seed=0)
    images, masks = batch(2, size=61)
    gradients = []
    for weight in (0.0, 0.4):
        network.zero_grad()
        update = stepper(network, auxiliary=weight).backward(images, masks, seed=(0,))
        gradients.append({n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None})
    heads = Heads(network)(images)
    assert {name: tuple(logits.shape) for name, logits in heads.items()} == dict.fromkeys(
        ("logits", "auxiliary"), (2, 3, 61, 61)
    )
    own = build_loss("ce", class_weights=None)(heads["logits"], masks).item()
    assert update.loss == pytest.approx(own, rel=1e-3)
    name = "auxiliary.2.weight"
    assert not gradients[0][name].any()
    assert gradients[1][name].any()
    early, late = "encoder.blocks.3.project.conv.weight", "head.weight"
    assert not torch.allclose(gradients[0][early], gradients[1][early])
    torch.testing.assert_close(gradients[0][late], gradients[1][late])
    network.eval()
    assert len(Heads(network).eval()(images)) == 1


def test_precision() -> None:
    with pytest.raises(ConfigError, match="float16 is for CUDA GPUs"):
        decide_precision(TrainConfig(precision="float16"), CPU)
    assert decide_precision(TrainConfig(precision="bfloat16"), CPU) == ("bfloat16", "bfloat16: asked for")
    network = plain_network().float()
    fabric = make_fabric(CPU, "bfloat16")
    engine = fabric.setup(Heads(network))
    with torch.no_grad():
        halved = engine(batch()[0])["logits"].float()
        full = network(batch()[0])
    assert not torch.equal(halved, full)
    torch.testing.assert_close(halved, full, rtol=0.05, atol=0.05 * full.abs().max().item())


def test_a_compiler_that_fails_is_told_in_a_sentence() -> None:
    def failing(graph: object, inputs: object) -> object:
        raise ValueError("there is no compiler here")

    module = torch.compile(plain_network(), backend=failing)
    with pytest.raises(RuntimeError) as caught:
        module(batch()[0].double())
    told = compile_failure(caught.value, TrainConfig(compile=True))
    assert "there is no compiler here" in str(told)
    assert "leave --compile away" in str(told)
    # Any other error stays what it is.
    assert compile_failure(RuntimeError("out of memory"), TrainConfig(compile=True)) is None
    assert compile_failure(caught.value, TrainConfig()) is None
