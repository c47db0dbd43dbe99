"""RMSprop as Keras computes it: two steps by hand, and where PyTorch's own differs."""

from __future__ import annotations

import pytest
import torch

from pixelwise.training.rmsprop import KerasRMSprop


def steps(optimizer: torch.optim.Optimizer, weight: torch.Tensor, gradients: list[list[float]]) -> None:
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=weight.dtype)
        optimizer.step()


def weight_of(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_two_steps_by_hand() -> None:
    # lr 0.1, rho 0.9, eps 0.06, from w = 1 with gradients 2 and -1:
    #   v = 0.9 * 0   + 0.1 * 4 = 0.4;   w = 1 - 0.1 * 2 / sqrt(0.4 + 0.06)
    #   v = 0.9 * 0.4 + 0.1 * 1 = 0.46;  w = w + 0.1 * 1 / sqrt(0.46 + 0.06)
    weight = weight_of(1.0)
    steps(KerasRMSprop([weight], lr=0.1, rho=0.9, eps=0.06), weight, [[2.0], [-1.0]])
    assert weight.item() == pytest.approx(1 - 0.2 / 0.46**0.5 + 0.1 / 0.52**0.5, abs=1e-15)


def test_first_step_is_the_rate_over_the_root_of_a_tenth_whatever_the_gradient() -> None:
    # v = 0.1 g², so the step is lr * g / sqrt(0.1 g²) = lr * sqrt(10), as long as g² is far above eps.
    weight = weight_of(0.0, 0.0)
    steps(KerasRMSprop([weight], lr=1e-3, eps=0.0), weight, [[5.0, -1e-5]])
    torch.testing.assert_close(weight.detach(), torch.tensor([-1e-3, 1e-3]).double() * 10**0.5)


def test_small_gradients_move_less_than_in_pytorch() -> None:
    # v = 0.1 * 1e-8 = 1e-9. Keras: 1e-7 / sqrt(1e-9 + 1e-7) = 3.15e-4;
    # PyTorch: 1e-7 / (sqrt(1e-9) + 1e-7) = 3.15e-3, ten times as much.
    ours, theirs = weight_of(0.0), weight_of(0.0)
    steps(KerasRMSprop([ours], lr=1e-3), ours, [[1e-4]])
    steps(torch.optim.RMSprop([theirs], lr=1e-3, alpha=0.9, eps=1e-7), theirs, [[1e-4]])
    assert ours.item() == pytest.approx(-1e-7 / (1.01e-7) ** 0.5, rel=1e-9)
    assert theirs.item() == pytest.approx(-1e-7 / (1e-9**0.5 + 1e-7), rel=1e-9)


def test_weight_decay_is_added_to_the_gradient() -> None:
    decayed, plain = weight_of(3.0), weight_of(3.0)
    steps(KerasRMSprop([decayed], weight_decay=0.1), decayed, [[1.0]])
    steps(KerasRMSprop([plain]), plain, [[1.0 + 0.1 * 3.0]])
    assert decayed.item() == plain.item()
    assert decayed.grad is not None
    assert decayed.grad.item() == 1.0  # the caller's gradient is left alone


def test_parameters_without_a_gradient_stay() -> None:
    moved, still = weight_of(1.0), weight_of(1.0)
    optimizer = KerasRMSprop([{"params": [moved, still]}, {"params": [weight_of(2.0)], "lr": 0.5}])
    moved.grad = torch.ones_like(moved)
    optimizer.step()
    assert moved.item() < 1
    assert still.item() == 1
    assert still not in optimizer.state


def test_saved_state_continues_exactly() -> None:
    gradients = [[0.3], [-0.2], [0.7], [0.1]]
    whole = weight_of(1.0)
    steps(KerasRMSprop([whole]), whole, gradients)

    first = weight_of(1.0)
    optimizer = KerasRMSprop([first])
    steps(optimizer, first, gradients[:2])
    second = first.detach().clone().requires_grad_()
    resumed = KerasRMSprop([second], lr=9.0)
    resumed.load_state_dict(optimizer.state_dict())
    steps(resumed, second, gradients[2:])
    assert torch.equal(second, whole)


def test_closure_is_called_with_gradients_on() -> None:
    weight = weight_of(2.0)
    optimizer = KerasRMSprop([weight])

    def closure() -> float:
        loss = (weight**2).sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert weight.item() < 2


def test_channels_last_weights_keep_their_layout() -> None:
    kernel = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    last = kernel.clone(memory_format=torch.channels_last).requires_grad_()
    first = kernel.clone().requires_grad_()
    for weight in (last, first):
        weight.grad = torch.full_like(weight, 0.5)
        KerasRMSprop([weight]).step()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, first)
