"""SegFormer beside `transformers`' own, and its two ways forward beside each other."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from drawn_networks import pictures
from pixelwise.encoders.pretrained import read_pretrained
from pixelwise.errors import ConfigError
from pixelwise.models import build_model
from pixelwise.models.segformer import SegFormer, load_reference
from pixelwise.models.summary import multiply_adds

NAMES = ("segformer-b0", "segformer-b1", "segformer-b2")
# Of 150 classes, as published for ADE20K; transformers counts the same.
PARAMETERS = {"segformer-b0": 3_752_694, "segformer-b1": 13_715_798, "segformer-b2": 27_461_974}
# Table 6 for one picture of 512x512: 8.4, 15.9 and 62.4 G.
WORK = {"segformer-b0": 8.4, "segformer-b1": 15.9, "segformer-b2": 62.4}
SHAPES: dict[str, dict[str, Any]] = {
    "segformer-b0": {},
    "segformer-b1": {"hidden_sizes": [64, 128, 320, 512]},
    "segformer-b2": {
        "hidden_sizes": [64, 128, 320, 512],
        "depths": [3, 4, 6, 3],
        "decoder_hidden_size": 768,
    },
}


def theirs(name: str) -> nn.Module:
    """Transformers' network with drawn weights, none of them at a value that hides a mistake."""
    transformers = pytest.importorskip(
        "transformers", reason="the reference forward pass needs transformers (extra [dev])"
    )
    config = transformers.SegformerConfig(num_labels=5, **SHAPES[name])
    network = transformers.SegformerForSemanticSegmentation(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif tensor.ndim > 1:
                tensor.normal_(0, tensor[0].numel() ** -0.5, generator=generator)
            elif tensor.is_floating_point():
                tensor.add_(torch.empty_like(tensor).normal_(0, 0.2, generator=generator))
    return network


def published(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the published code's names: backbone, layers from 1, one layer for keys and values."""
    found: dict[str, Tensor] = {}
    parts = {
        "attention.self.query": "attn.q",
        "attention.output.dense": "attn.proj",
        "attention.self.sr": "attn.sr",
        "attention.self.layer_norm": "attn.norm",
        "layer_norm_1": "norm1",
        "layer_norm_2": "norm2",
        "mlp.dense1": "mlp.fc1",
        "mlp.dense2": "mlp.fc2",
        "mlp.dwconv.dwconv": "mlp.dwconv.dwconv",
    }
    for key, tensor in given.items():
        pieces, kind = key.split(".")[:-1], key.split(".")[-1]
        match pieces:
            case ["segformer", "encoder", "patch_embeddings", n, part]:
                name = f"backbone.patch_embed{int(n) + 1}.{'proj' if part == 'proj' else 'norm'}"
            case ["segformer", "encoder", "layer_norm", n]:
                name = f"backbone.norm{int(n) + 1}"
            case ["segformer", "encoder", "block", n, m, "attention", "self", "key"]:
                value = given[key.replace(".key.", ".value.")]
                name, tensor = f"backbone.block{int(n) + 1}.{m}.attn.kv", torch.cat([tensor, value])
            case ["segformer", "encoder", "block", _, _, "attention", "self", "value"]:
                continue
            case ["segformer", "encoder", "block", n, m, *rest]:
                name = f"backbone.block{int(n) + 1}.{m}.{parts['.'.join(rest)]}"
            case ["decode_head", "linear_c", n, "proj"]:
                name = f"decode_head.linear_c{int(n) + 1}.proj"
            case ["decode_head", last]:
                own = {"linear_fuse": "linear_fuse.conv", "batch_norm": "linear_fuse.bn"}
                name = f"decode_head.{own.get(last, 'linear_pred')}"
            case _:
                raise AssertionError(key)
        found[f"{name}.{kind}"] = tensor
    found["decode_head.conv_seg.weight"] = torch.zeros(5, 128, 1, 1)  # which the published code never uses
    return found


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_work_as_published(name: str) -> None:
    with torch.device("meta"):
        network = build_model(name, num_classes=150)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    assert multiply_adds(network, (512, 512)) / 1e9 == pytest.approx(WORK[name], abs=0.07)


def test_the_short_way_is_less_work() -> None:
    """Of the work at 512x512 two things go: the fuse's, and embedding at stride 4 instead of each own."""
    with torch.device("meta"):
        network = build_model("segformer-b2", num_classes=150)
    pixels = 128 * 128
    fuse = 4 * 768 * 768 * pixels
    assert multiply_adds(network, (512, 512)) - multiply_adds(network, (512, 512), published=False) == (
        # What is computed of weights alone, once for all pixels, comes in its place.
        fuse - 768 * 768 * (64 + 128 + 320 + 512)
    )


@pytest.mark.parametrize("name", NAMES)
def test_transformers_network_computes_the_same(name: str, tmp_path: Path) -> None:
    """With weights of its file: in float64 to 1e-9, in float32 to what its own float32 is off."""
    other = theirs(name)
    cast("Any", other).save_pretrained(tmp_path)
    arguments = {"encoder_arguments": {"eps": 1e-5}}
    network = cast("SegFormer", build_model(name, num_classes=5, arguments=arguments).eval())
    load_reference(network, tmp_path / "model.safetensors")
    x = pictures(2, 64, 96)
    with torch.no_grad():
        native = network.forward_native(network.normalise(x))
        single = cast("Any", other)(network.normalise(x)).logits
        network.double()
        y = network.normalise(x.double())
        exact = cast("Any", other.double())(y).logits
        assert (network.forward_native(y) - exact).abs().max() <= 1e-9 * exact.abs().max()
        assert (native - exact).abs().max() <= 5 * (single - exact).abs().max()
        # The whole answer at a size that is no multiple: theirs of the framed picture, enlarged and cut.
        odd = x[:, :, :61, :83].double()
        framed = cast("Any", other)(network.frame(network.normalise(odd))).logits
        enlarged = nn.functional.interpolate(framed, scale_factor=4, mode="bilinear", align_corners=False)
        torch.testing.assert_close(network(odd), enlarged[:, :, :61, :83], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_published_names(ending: str, tmp_path: Path) -> None:
    """The same tensors under the published code's names, whose eps is another one."""
    other = theirs("segformer-b0")
    for path, module in other.named_modules():
        # In blocks and at the ends of stages; embeddings and reductions have the framework's default.
        if isinstance(module, nn.LayerNorm) and "embedding" not in path and "reduction" not in path:
            module.eps = 1e-6
    cast("Any", other).save_pretrained(tmp_path)
    tensors = published(load_file(tmp_path / "model.safetensors"))
    path = tmp_path / f"segformer.{ending}"
    if ending == "pth":
        torch.save({"meta": {"CLASSES": ("a", "b")}, "state_dict": tensors}, path)
    else:
        save_file(tensors, path)
    network = cast("SegFormer", build_model("segformer-b0", num_classes=5).eval().double())
    load_reference(network, path)
    x = network.normalise(pictures(1, 64, 96).double())
    with torch.no_grad():
        exact = cast("Any", other.double())(x).logits
        assert (network.forward_native(x) - exact).abs().max() <= 1e-9 * exact.abs().max()
    # Its encoder alone, for any network.
    found = read_pretrained("mit_b0", str(path))
    assert (found.normalisation, found.arguments) == ("imagenet", {"eps": 1e-6})
    tuned = build_model("segformer-b0", num_classes=2, weights=str(path), seed=0)
    assert torch.equal(tuned.encoder.layers[2].norm.weight, tensors["backbone.norm3.weight"])  # pyright: ignore


def drawn(name: str = "segformer-b0", *, classes: int = 3, **arguments: object) -> SegFormer:
    return cast("SegFormer", build_model(name, num_classes=classes, arguments=arguments, seed=1))


def test_the_short_way_is_the_published_one() -> None:
    """In float64, training and evaluation: logits, running statistics, every gradient."""
    one = drawn(dropout=0.0, encoder_arguments={"drop_path": 0.0}).double().train()
    other = copy.deepcopy(one)
    x = pictures(2, 61, 83).double()
    short, long = one(x), other.forward_published(x)
    torch.testing.assert_close(short, long, rtol=1e-10, atol=1e-10)
    for logits in (short, long):
        (logits * torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).view_as(logits)).sum().backward()
    # A shift before a batch normalisation has a gradient of zero but for rounding.
    found = {
        key: (a.grad, b.grad) for (key, a), b in zip(one.named_parameters(), other.parameters(), strict=True)
    }
    scale = max(b.abs().max().item() for _, b in found.values())  # pyright: ignore[reportOptionalMemberAccess]
    for key, (a, b) in found.items():
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10 * scale, msg=key)
    for a, b in zip(one.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    one.eval()
    other.eval()
    with torch.no_grad():
        torch.testing.assert_close(one(x), other.forward_published(x), rtol=1e-10, atol=1e-10)


def test_files_of_other_networks(tmp_path: Path) -> None:
    network = drawn()
    path = tmp_path / "weights.safetensors"

    def refuse(tensors: dict[str, Tensor], said: str) -> None:
        save_file(tensors, path)
        with pytest.raises(ConfigError, match=said):
            load_reference(network, path)

    refuse({"conv1.weight": torch.zeros(2)}, "no tensor has a name of a SegFormer; it holds conv1")
    refuse(
        {"patch_embed1.norm.weight": torch.zeros(32)}, r"lacks encoder\.layers\.0\.embed\.weight, so it holds"
    )
    refuse(
        {"patch_embed1.proj.weight": torch.zeros(64, 3, 7, 7)},
        r"embed\.weight is \(64, 3, 7, 7\), but the network needs \(32, 3, 7, 7\)",
    )
    key = "segformer.encoder.block.0.0.attention.self.key.weight"
    refuse({key: torch.zeros(32, 32)}, "no tensor has a name of a SegFormer")
    refuse(
        {key: torch.zeros(32, 32), key.replace("key", "value"): torch.zeros(32, 32)}, "belong to eps=1e-05"
    )
    arguments = {"encoder_arguments": {"eps": 1e-6}}
    with pytest.raises(ConfigError, match="trained with eps=1e-05, so 1e-06 cannot be"):
        build_model("segformer-b0", num_classes=2, arguments=arguments, weights=str(path))
    with pytest.raises(ConfigError, match=r"lack layers\.0\.embed\.weight, so they are of another encoder"):
        build_model("segformer-b0", num_classes=2, weights=str(path))
    save_file({"conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(ConfigError, match="no tensor has a name of a Mix Transformer, so it is not mit_b0's"):
        build_model("segformer-b0", num_classes=2, weights=str(path))
