"""unet-xception against its source table, against Keras, and its fast graph against the published one.

`PIXELWISE_REGENERATE=1` writes the golden texts anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drawn_weights import draw, draw_masks, draw_pictures
from pixelwise.models.summary import summarize
from pixelwise.models.unet_xception import UNetXception

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SOURCE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "unet_xception.tsv"
REGENERATE = os.environ.get("PIXELWISE_REGENERATE") == "1"

KINDS = {
    "Normalise": "InputLayer",
    "SameConv2d": "Conv2D",
    "UpsampledConv2d": "Conv2D",
    "SeparableConv2d": "SeparableConv2D",
    "Conv2dTranspose": "Conv2DTranspose",
    "BatchNorm2d": "BatchNormalization",
    "ReLU": "Activation",
    "SameMaxPool2d": "MaxPooling2D",
    "Interpolate": "UpSampling2D",
    "Add": "Add",
}


def fill(network: nn.Module) -> nn.Module:
    """Gives every tensor of the state dict its drawn values."""
    for key, tensor in network.state_dict().items():
        layer, part = key.rsplit(".", 1)
        if part != "num_batches_tracked":
            part = "gamma" if ".bn" in layer and part == "weight" else part
            tensor.copy_(torch.from_numpy(draw(layer, part, tuple(tensor.shape))))
    return network


def pictures(n: int, height: int, width: int) -> Tensor:
    return torch.from_numpy(draw_pictures(n, height, width)).permute(0, 3, 1, 2)


# -------------------------------------------------------------------------------------- the table


def traced_table() -> list[tuple[str, str, str, str, str]]:
    """Our rows as the golden file has them: layer, kind, output, params, inputs."""
    rows = summarize(UNetXception(num_classes=3), (160, 160)).rows
    return [
        (r.name, KINDS[r.kind], "x".join(map(str, r.output)), str(r.parameters), ",".join(r.inputs))
        for r in rows
    ]


def read_table(path: Path) -> list[tuple[str, ...]]:
    lines = path.read_text().splitlines()[1:]
    return [tuple(line.split("\t")) for line in lines if not line.startswith("#")]


def test_layers_are_those_of_the_golden_table() -> None:
    path = GOLDEN / "unet_xception.tsv"
    table = traced_table()
    if REGENERATE:
        lines = ["layer\tkind\toutput\tparams\tinputs", *("\t".join(row) for row in table)]
        path.write_text("\n".join(lines) + "\n")
    assert table == read_table(path)


@pytest.mark.skipif(not SOURCE.is_file(), reason="the source's table is not beside the checkout")
def test_golden_table_is_the_sources() -> None:
    ours, theirs = read_table(GOLDEN / "unet_xception.tsv"), read_table(SOURCE)
    name = dict(zip((row[0] for row in ours), (row[0] for row in theirs), strict=True))
    renamed = [(name[a], b, c, d, ",".join(name[i] for i in e.split(",") if i)) for a, b, c, d, e in ours]
    assert renamed == theirs


def test_parameters_as_keras_counts_them() -> None:
    summary = summarize(UNetXception(num_classes=3), (160, 160))
    assert summary.parameters == 2_058_979
    assert summary.trainable == 2_055_203
    assert summary.parameters - summary.trainable == sum(row.fixed for row in summary.rows) == 3_776
    assert summary.parameters == sum(row.parameters for row in summary.rows)


def test_constants_of_the_batch_normalisation() -> None:
    norms = [m for m in UNetXception(num_classes=3).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 15
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.01)}  # Keras' momentum is what is kept: 0.99


# -------------------------------------------------------------------------------------- Keras


@pytest.fixture(scope="module")
def keras() -> dict[str, np.ndarray]:
    """What Keras computed; `tests/golden/make_unet_xception_keras.py` made it."""
    with np.load(GOLDEN / "unet_xception_keras.npz") as file:
        return dict(file)


def test_logits_are_those_of_keras(keras: dict[str, np.ndarray]) -> None:
    network = fill(UNetXception(num_classes=3)).eval()
    with torch.no_grad():
        logits = network(pictures(2, 48, 64))
    assert logits.abs().max() > 5
    torch.testing.assert_close(logits, torch.from_numpy(keras["logits"]), rtol=0, atol=1e-4)


def test_logits_in_training_are_those_of_keras(keras: dict[str, np.ndarray]) -> None:
    network = fill(UNetXception(num_classes=3)).train()
    with torch.no_grad():
        logits = network(pictures(2, 48, 64))[:, :, ::4, ::4]
    torch.testing.assert_close(logits, torch.from_numpy(keras["training_logits"]), rtol=0, atol=2e-4)


def test_losses_of_the_first_steps_are_those_of_keras(keras: dict[str, np.ndarray]) -> None:
    """Forward, backward and RMSprop together, in float64.

    RMSprop makes whole steps of gradients that are nothing but rounding, and float32 rounds otherwise with
    each number of threads: with one it was 2e-3 off in the third step.
    """
    network = fill(UNetXception(num_classes=3)).double().train()
    batch, masks = pictures(2, 48, 64).double(), torch.from_numpy(draw_masks(2, 48, 64, 3)).long()
    averages = [torch.zeros_like(p) for p in network.parameters()]
    for expected in keras["losses"][:4]:
        loss = F.cross_entropy(network(batch), masks)
        assert loss.item() == pytest.approx(float(expected), abs=1e-5)
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for weight, average, gradient in zip(network.parameters(), averages, gradients, strict=True):
                average.mul_(0.9).addcmul_(gradient, gradient, value=0.1)
                weight.sub_(1e-4 * gradient / (average + 1e-7).sqrt())


# -------------------------------------------------------------------------------------- the fast graph


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (61, 83), (1, 1)])
def test_fast_graph_is_the_published_one(size: tuple[int, int], training: bool) -> None:
    """Logits, running statistics and the gradient of every parameter and of the input, to 1e-10."""
    results = []
    for published in (False, True):
        network = fill(UNetXception(num_classes=3)).double().train(training)
        x = pictures(2, *size).double().requires_grad_()
        logits = network.forward_published(x) if published else network(x)  # pyright: ignore[reportCallIssue]
        assert logits.dtype == torch.float64
        weights = torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).view_as(logits)
        (logits * weights).sum().backward()
        found = {f"gradient of {k}": p.grad for k, p in network.named_parameters()}
        found |= {k: b for k, b in network.named_buffers() if "running" in k}
        results.append({"logits": logits.detach(), "input": x.grad, **found})
    fast, published = results
    for key, value in published.items():
        scale = max(1.0, float(value.abs().max()))
        torch.testing.assert_close(
            fast[key] / scale, value / scale, rtol=0, atol=1e-10, msg=lambda m, k=key: f"{k}: {m}"
        )


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_fast_graph_in_float32(memory_format: torch.memory_format) -> None:
    network = fill(UNetXception(num_classes=3)).eval().to(memory_format=memory_format)  # pyright: ignore[reportCallIssue]
    x = pictures(2, 61, 83).contiguous(memory_format=memory_format)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network.forward_published(x), rtol=0, atol=1e-4)


def test_native_output_has_the_input_size() -> None:
    network = UNetXception(num_classes=3).eval()
    assert network.forward_native(torch.zeros(1, 3, 32, 48)).shape == (1, 3, 32, 48)


def test_autocast_gives_float32_logits() -> None:
    network = fill(UNetXception(num_classes=3)).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = network(pictures(1, 32, 48))
    assert half.dtype == torch.float32
    with torch.no_grad():
        full = network(pictures(1, 32, 48))
    assert (half - full).abs().mean() < 0.05 * full.abs().mean()


def test_logits_at_an_odd_size_are_the_golden_ones() -> None:
    network = fill(UNetXception(num_classes=3, normalisation="symmetric")).eval()
    with torch.no_grad():
        logits = network(pictures(1, 61, 83))[0, :, ::10, ::12]
    path = GOLDEN / "unet_xception_61x83.txt"
    if REGENERATE:
        np.savetxt(path, logits.reshape(-1, logits.shape[-1]).numpy(), fmt="%.5f")
    expected = torch.from_numpy(np.loadtxt(path, dtype=np.float32)).view_as(logits)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
