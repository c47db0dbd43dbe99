"""8-bit exports: whole numbers where they bear it, float where they do not, any size, the same header."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from drawn_networks import build
from pixelwise.backends.onnxruntime import OnnxRuntimeBackend
from pixelwise.backends.openvino import core
from pixelwise.cli import main
from pixelwise.errors import BackendError, DataError
from pixelwise.export.quantise import convolutions, quantised_onnx, quantised_openvino
from pixelwise.export.sensitivity import choose, sensitivity
from pixelwise.graph import Graph, capture, simplify
from pixelwise.graph.onnx import to_onnx
from pixelwise.graph.ops import Conv

REPOSITORY = Path(__file__).resolve().parents[1]
CASES = ("unet-xception", "deeplabv3plus", "mobilenet-segnet", "pidnet-s", "fpn", "upernet")
IMAGES = list(np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8))


def graph_of(case: str) -> Graph:
    return simplify(capture(build(case)))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.square(found - expected).mean() / np.square(expected).mean()))


def whole_convolutions(content: bytes) -> set[str]:
    """Answers of the convolutions of a QDQ model whose input and kernel come out of DequantizeLinear."""
    nodes = onnx.load_from_string(content).graph.node
    dequantised = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    return {
        node.output[0]
        for node in nodes
        if node.op_type in ("Conv", "ConvTranspose") and set(node.input[:2]) <= dequantised
    }


@pytest.mark.parametrize("case", CASES)
def test_qdq_models_are_near_at_any_size(case: str) -> None:
    graph = graph_of(case)
    content = to_onnx(graph, metadata={"note": "Rand ß"}).SerializeToString()
    layers = convolutions(graph)
    quantised = quantised_onnx(content, IMAGES, keep=layers[2:4])
    assert len(quantised) < 0.4 * len(content)
    found = whole_convolutions(quantised)
    assert not found & set(layers[2:4])
    assert len(found) == len(layers) - 2
    assert {p.key: p.value for p in onnx.load_from_string(quantised).metadata_props} == {"note": "Rand ß"}
    exact, whole = (OnnxRuntimeBackend(model, threads=1) for model in (content, quantised))
    for size in ((64, 64), (61, 83)):
        images = np.random.default_rng(5).integers(0, 256, (2, *size, 3), np.uint8)
        off = relative(whole.logits(images), exact.logits(images))
        # Weights were drawn, so that rounding grows from layer to layer; an answer to something else has 1.4.
        assert 0 < off < (0.2 if case == "unet-xception" else 0.8)


def test_openvino_models_with_gates_are_near() -> None:
    """Hard swish and products are rounded too; trained, that changes 0.6% of the pixels, drawn far more."""
    pytest.importorskip("nncf")
    content = to_onnx(graph_of("lraspp-small")).SerializeToString()
    images = np.random.default_rng(5).integers(0, 256, (2, 61, 83, 3), np.uint8)
    exact = OnnxRuntimeBackend(content, threads=1).logits(images)
    model = quantised_openvino(content, IMAGES, keep=[])
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert 0 < relative(compiled([images])[0], exact) < 1


def test_openvino_models_are_near_and_leave_layers() -> None:
    graph = graph_of("unet-xception")
    content = to_onnx(graph).SerializeToString()
    layers = convolutions(graph)
    images = np.random.default_rng(5).integers(0, 256, (2, 61, 83, 3), np.uint8)
    exact = OnnxRuntimeBackend(content, threads=1).logits(images)
    counts = []
    for keep in ([], layers[:6]):
        model = quantised_openvino(content, IMAGES, keep=keep)
        counts.append(sum(op.get_type_name() == "FakeQuantize" for op in model.get_ops()))
        compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        assert 0 < relative(compiled([images])[0], exact) < 0.25
    assert counts[0] > len(layers)
    assert counts[1] <= counts[0] - 6


@pytest.mark.parametrize(("logger", "quantise"), [("root", quantised_onnx), ("nncf", quantised_openvino)])
def test_the_callers_log_is_left_as_it_was(logger: str, quantise: Callable[..., object]) -> None:
    pytest.importorskip("nncf")
    log, handler = logging.getLogger(logger), logging.Handler()
    log.addHandler(handler)
    level = log.level
    try:
        quantise(to_onnx(graph_of("unet-xception")).SerializeToString(), IMAGES, keep=[])
        assert (log.level, handler.level) == (level, logging.NOTSET)
        # Loggers remember what is enabled; a level that is set behind their back stays in force for some.
        assert logging.getLogger("pixelwise").isEnabledFor(logging.WARNING)
    finally:
        log.removeHandler(handler)


def test_a_layer_that_does_not_bear_it_is_found_and_left() -> None:
    """One channel is a thousand times too large, and the next layer makes that good: exact in float."""
    graph = graph_of("unet-xception")
    nodes = list(graph.nodes)
    place, victim = next(
        (i, node)
        for i, node in enumerate(nodes)
        if isinstance(node.op, Conv)
        and i > 5
        and isinstance(getattr(graph.only_reader(node.output), "op", None), Conv)
        and graph.only_reader(node.output).op.groups == 1
    )
    reader = graph.only_reader(victim.output)
    assert reader is not None
    blown = victim.op.weight.copy()
    blown[0] *= 1000
    bias = None if victim.op.bias is None else victim.op.bias * np.where(np.arange(len(blown)) == 0, 1000, 1)
    mended = reader.op.weight.copy()
    mended[:, 0] /= 1000
    nodes[place] = dataclasses.replace(victim, op=dataclasses.replace(victim.op, weight=blown, bias=bias))
    nodes[nodes.index(reader)] = dataclasses.replace(reader, op=dataclasses.replace(reader.op, weight=mended))
    graph = graph.with_nodes(nodes)
    order = sensitivity(graph, IMAGES[:2])
    assert order[0].value == reader.output  # it reads values of which all but one round to nothing
    assert order[0].error > 3 * order[1].error
    content = to_onnx(graph).SerializeToString()
    exact = OnnxRuntimeBackend(content, threads=1).logits(np.stack(IMAGES))

    def harm(model: bytes) -> float:
        return relative(OnnxRuntimeBackend(model, threads=1).logits(np.stack(IMAGES)), exact)

    def make(keep) -> bytes:
        return quantised_onnx(content, IMAGES, keep=keep)

    nothing_left = harm(make(()))
    chosen = choose([row.value for row in order], make, harm, limit=nothing_left / 2)
    assert chosen.kept[0] == reader.output
    assert chosen.harm <= nothing_left / 2


def test_more_layers_are_left_until_it_holds() -> None:
    tried: list[tuple[str, ...]] = []

    def make(keep) -> int:
        tried.append(tuple(keep))
        return len(keep)

    order = [f"v{i}" for i in range(20)]
    assert choose(order, make, lambda kept: 0.0, limit=0.1).kept == ()
    assert tried == [()]
    tried.clear()
    chosen = choose(order, make, lambda kept: 1 / (1 + kept), limit=0.2)
    assert [len(keep) for keep in tried] == [0, 1, 2, 4]
    assert chosen.kept == ("v0", "v1", "v2", "v3")
    assert chosen.harm == 0.2
    never = choose(order, make, lambda kept: abs(kept - 2) + 1.0, limit=0.2)
    assert (never.kept, never.harm) == (("v0", "v1"), 1.0)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("to", "name"), [("onnx", "pets.onnx"), ("openvino", "pets.xml")])
def test_a_trained_network_holds_in_8_bits(
    real_data: Path, tmp_path: Path, capsys, to: str, name: str
) -> None:
    model, data = REPOSITORY / "models" / "pets.safetensors", real_data / "cats"
    out = tmp_path / name
    few = ["--pictures", "8", "--calibration", "8"]
    code = main(["export", str(model), "--to", to, "--int8", str(data), *few, "--out", str(out), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0, report["complaints"]
    assert report["form"]["precision"] == "int8"
    assert report["limit"] == {"lost_miou": 0.005}
    assert report["file_bytes"] < 0.4 * 9.4e6
    assert all(0 < d["share"] < 0.05 for c in report["compared"] for d in c["differences"])


def test_what_is_missing_costs_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    content = to_onnx(graph_of("unet-xception")).SerializeToString()
    with pytest.raises(DataError, match="int8 needs pictures to calibrate on, and there is none"):
        quantised_onnx(content, [], keep=())
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("nncf", "onnxruntime") else real(name)
    )
    with pytest.raises(BackendError, match=r"needs the package nncf: pip install 'pixelwise\[openvino\]'"):
        quantised_openvino(content, IMAGES, keep=())
    with pytest.raises(BackendError, match=r"needs the package onnxruntime: pip install 'pixelwise\[onnx\]'"):
        quantised_onnx(content, IMAGES, keep=())
