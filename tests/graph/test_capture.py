"""What is written down of a network computes what the network computes; simplified or not, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from drawn_networks import build, pictures, with_timm
from pixelwise.errors import BackendError
from pixelwise.graph import capture, run, simplify
from pixelwise.graph.ops import Conv, Scale, TransposedConv
from pixelwise.nn.frame import RepeatedBorder
from pixelwise.nn.normalise import Normalise

every_model = pytest.mark.parametrize("name", with_timm)


@every_model
@pytest.mark.parametrize("size", [(61, 83), (1, 1)])
def test_a_graph_computes_what_its_network_does(name: str, size: tuple[int, int]) -> None:
    network = build(name).double()
    graph = capture(network)
    simple = simplify(graph)
    batch = pictures(2, *size).double()
    with torch.no_grad():
        expected = network(batch)
        for found in (run(graph, batch), run(simple, batch)):
            assert found.shape == expected.shape
            assert (found - expected).abs().max() <= 1e-11 * expected.abs().max()
    assert len(simple.nodes) < len(graph.nodes)
    # Whatever follows a convolution has been folded into it.
    convolved = {node.output for node in simple.nodes if isinstance(node.op, Conv | TransposedConv)}
    scaled = [node.inputs[0] for node in simple.nodes if isinstance(node.op, Scale)]
    assert not [name for name in scaled if name in convolved and simple.only_reader(name)]


@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky-relu", "sigmoid", "tanh", "hard-swish"])
@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "unpool-corner", "transposed"])
def test_every_activation_and_upsampling(activation: str, upsampling: str) -> None:
    from pixelwise.models import build_model

    arguments = {"width": 4, "activation": activation, "upsampling": upsampling, "batch_norm": True}
    network = build_model("unet", num_classes=3, arguments=arguments, seed=1).eval().double()
    graph, batch = capture(network), pictures(1, 20, 33).double()
    with torch.no_grad():
        expected = network(batch)
        for found in (run(graph, batch), run(simplify(graph), batch)):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_layers_are_the_networks_own_names() -> None:
    network = build("unet-mobilenet")
    names = {name for name, _ in network.named_modules()}
    layers = [node.layer for node in capture(network).nodes]
    assert set(layers) <= names
    assert layers[0] == "normalise"
    assert layers[-1] == "head"


def test_capturing_changes_nothing() -> None:
    network = build("deeplabv3plus-16")
    network.train()
    network.encoder.eval()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    capture(network)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class _Own(nn.Module):
    """A network that is not one of ours, around a function of the first convolution's map."""

    frame = RepeatedBorder(4)

    def __init__(self, function) -> None:
        super().__init__()
        self.normalise = Normalise("identity")
        self.conv = nn.Conv2d(3, 2, 1)
        self.function = function

    def framed(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (torch.fft.fft2, "calls fft_fft2, which a graph has no operation for"),
        (lambda x: x * x[:, :, :1, :], "a product of .* has no operation"),
        (lambda x: x.mean((1, 2), keepdim=True), "a mean over the axes .1, 2"),
        (lambda x: x.mean((2, 3)), "a mean over the axes .2, 3"),
        (lambda x: x.permute(0, 1, 3, 2), "axes in the order .0, 1, 3, 2. have no operation"),
        (lambda x: x.permute(0, 2, 3, 1) * 2, "calls mul of a map with its channels last"),
        (
            lambda x: x.permute(0, 2, 3, 1).mean((2, 3), keepdim=True),
            "calls mean of a map with its channels last",
        ),
        (lambda x: nn.functional.layer_norm(x, x.shape[3:]), "calls layer_norm, which a graph has no"),
        (lambda x: x[:, :, 1:, :].relu_(), "calls relu_ on a part of another value"),
        (lambda x: x.permute(0, 2, 3, 1).relu_(), "calls relu_ on a part of another value"),
        (lambda x: x.sum(2, keepdim=True), "a sum over the axes 2"),
        (lambda x: nn.functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True), "does not divide by its window's"),
        (lambda x: nn.functional.avg_pool2d(x, 3, 2, 1, False, False), "does not divide by its window's"),
        (lambda x: x - x.sigmoid(), "a difference of two maps"),
        (lambda x: nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"), "padding by reflect"),
        (lambda x: nn.functional.interpolate(x, scale_factor=1.5), "by a factor of 1.5"),
        (lambda x: nn.functional.batch_norm(x, None, None, training=True), "depends on the batch"),
        (lambda x: torch.cat([x, x], 2), "joined along axis 2"),
        (lambda x: x[:, :1], "taking .* of a map"),
        (
            lambda x: nn.functional.interpolate(x, scale_factor=2, mode="bilinear", antialias=True),
            "interpolation",
        ),
        (lambda x: torch.add(x, x, alpha=2), "arithmetic with alpha"),
        (lambda x: torch.sub(x, 1.0, alpha=2), "arithmetic with alpha"),
        (nn.functional.dropout, "calls dropout"),
        (lambda x: x * x.shape[2], "no one graph for all sizes"),
        (lambda x: x.relu() if x.shape[2] < 100 else x, "no one graph for all sizes|does more"),
        (lambda x: x[:, :, :4, :4], "no one graph for all sizes"),
    ],
)
def test_what_a_graph_cannot_hold_is_refused(function, sentence: str) -> None:
    with pytest.raises(BackendError, match=sentence):
        capture(_Own(function))


def test_channels_last_are_a_matter_of_names() -> None:
    """What networks of timm do around a norm: nothing is computed by turning."""
    generator = torch.Generator().manual_seed(0)
    weight, bias, kernel = (torch.randn(size, generator=generator) for size in ((2,), (2,), (2, 2)))

    def turned(x: Tensor) -> Tensor:
        y = nn.functional.layer_norm(x.permute(0, 2, 3, 1), (2,), weight, bias, 1e-6)
        y = nn.functional.gelu(nn.functional.linear(nn.functional.layer_norm(y, (2,)), kernel, bias))
        y = nn.functional.gelu(y, approximate="tanh").permute(0, 3, 1, 2).contiguous()
        y += x
        return nn.functional.avg_pool2d(y, 2, 2, ceil_mode=True, count_include_pad=False)

    network = _Own(turned)
    graph, batch = capture(network), pictures(2, 8, 12)
    with torch.no_grad():
        torch.testing.assert_close(run(graph, batch, framed=True), network.framed(batch))
    assert [type(node.op).__name__ for node in graph.nodes[1:]] == [
        "ChannelNorm",
        "ChannelNorm",
        "Conv",
        "Gelu",
        "GeluTanh",
        "Add",
        "MeanPool",
    ]


def test_arithmetic_with_constants_is_one_scale() -> None:
    network = _Own(lambda x: (2 * x + torch.tensor([1.0, -1.0]).view(1, 2, 1, 1) - 3) * 0.5)
    graph, batch = capture(network), pictures(1, 5, 6)
    with torch.no_grad():
        expected = network.framed(batch)
        torch.testing.assert_close(run(graph, batch), expected)
        simple = simplify(graph)
        torch.testing.assert_close(run(simple, batch), expected)
    assert [type(node.op) for node in simple.nodes] == [Conv]
