"""EoMT beside `transformers`' own, its encoder beside timm's, DINOv2's weights; all of it drawn."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from drawn_networks import needs_timm, pictures
from pixelwise.encoders.pretrained import load_pretrained, read_pretrained
from pixelwise.encoders.timm_package import load_timm
from pixelwise.encoders.vit import GRID, VisionTransformer
from pixelwise.errors import ConfigError
from pixelwise.models import build_model
from pixelwise.models.eomt import EoMT
from pixelwise.models.summary import multiply_adds
from pixelwise.nn.outputs import QUERY_MASKS
from pixelwise.nn.places import add_places, cubic_weights
from pixelwise.nn.queries import LEAST, query_votes
from pixelwise.nn.tokens import as_map, join, leading


def draw(network: nn.Module) -> nn.Module:
    """Weights of which none stands at a value that hides a mistake."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim in (2, 4):
                parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
            else:
                factor = name.endswith(("weight", "gamma", "lambda1"))
                parameter.normal_(float(factor), 0.3, generator=generator)
    return network.eval()


def small(**arguments: Any) -> EoMT:
    given = {"heads": 2, "depth": 4, "alpha": 0.125, "queries": 7, "query_blocks": 2, **arguments}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return EoMT(num_classes=5, **given)


def theirs(**arguments: Any) -> nn.Module:
    """The small network of `transformers`, whose registers are 4 and whose pictures are 512 wide."""
    transformers = pytest.importorskip(
        "transformers", reason="the reference forward pass needs transformers (extra [dev])"
    )
    if not hasattr(transformers, "EomtConfig"):
        pytest.skip("this transformers has no EoMT")
    load_timm()  # its network imports torchvision, which this makes importable
    config = transformers.EomtConfig(
        num_labels=5,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=512,
        num_blocks=2,
        num_queries=7,
        num_register_tokens=4,
        **arguments,
    )
    return draw(transformers.EomtForUniversalSegmentation(config))


WHERE = {
    r"embeddings\.cls_token": "encoder.cls_token",
    r"embeddings\.register_tokens": "encoder.reg_token",
    r"embeddings\.patch_embeddings\.projection\.": "encoder.patch_embed.proj.",
    r"layers\.(\d+)\.attention\.out_proj\.": r"encoder.blocks.\1.attn.proj.",
    r"layers\.(\d+)\.layer_scale(\d)\.lambda1": r"encoder.blocks.\1.ls\2.gamma",
    r"layers\.(\d+)\.(norm\d|mlp\.fc\d)\.": r"encoder.blocks.\1.\2.",
    r"layernorm\.": "encoder.norm.",
    r"query\.weight": "queries",
    r"class_predictor\.": "class_head.",
    r"mask_head\.fc(\d)\.": lambda found: f"mask_head.{int(found[1]) - 1}.",
    r"upscale_block\.block\.(\d)\.(conv\d)\.": r"upscale.\1.\2.",
    r"upscale_block\.block\.(\d)\.layernorm2d\.": r"upscale.\1.norm.",
}


def translated(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under our names."""
    found = {"encoder.pos_embed": given["embeddings.position_embeddings.weight"][None]}
    for key, tensor in given.items():
        for pattern, name in WHERE.items():
            if re.match(pattern, key):
                found[re.sub(pattern, name, key)] = tensor
        if ".q_proj." in key:
            own = key.replace("layers", "encoder.blocks").replace("attention.q_proj", "attn.qkv")
            found[own] = torch.cat([given[key.replace("q_proj", f"{x}_proj")] for x in "qkv"])
    return found


def test_transformers_network_computes_the_same() -> None:
    other = theirs().double()
    network = small(registers=4).double().eval()
    network.load_state_dict(translated(other.state_dict()))
    cast("Any", other).attn_mask_probs.zero_()  # as after training
    x = network.normalise(pictures(1, 512, 512).double())
    with torch.no_grad():
        asked, expected = network.asked(x), cast("Any", other)(x)
        torch.testing.assert_close(
            asked.classes[:, :, 0].transpose(1, 2), expected.class_queries_logits, rtol=1e-9, atol=1e-9
        )
        torch.testing.assert_close(asked.masks, expected.masks_queries_logits, rtol=1e-9, atol=1e-9)
        # Their scores of a picture's pixels, as its processor makes them: masks enlarged, then summed.
        masks = F.interpolate(expected.masks_queries_logits, (512, 512), mode="bilinear").sigmoid()
        shares = expected.class_queries_logits.softmax(-1)[..., :-1]
        scores = torch.einsum("nqk,nqhw->nkhw", shares, masks)
        torch.testing.assert_close(network.framed(x).exp() - LEAST, scores, rtol=1e-9, atol=1e-9)
        assert torch.equal(network.framed(x).argmax(1), scores.argmax(1))


def test_transformers_network_masks_the_same_in_training() -> None:
    other = theirs().train()  # in float32: theirs hands masks of that to an attention in float64
    net = small(registers=4)
    net.load_state_dict(translated(other.state_dict()))
    x = pictures(1, 512, 512)
    with torch.no_grad():
        expected = cast("Any", other)(net.normalise(x)).masks_queries_logits
        found = net.forward_auxiliary(x)[QUERY_MASKS][:, -1]
        plain = net.asked(net.normalise(x)).masks
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert (plain - expected).abs().max() > 0.01


@needs_timm
@pytest.mark.parametrize("registers", [0, 4])
def test_timms_network_has_the_same_tokens(registers: int) -> None:
    """At the size of its places and at another, where timm interpolates them."""
    name = f"vit_small_patch14_{'reg4_' if registers else ''}dinov2"
    shape = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 16, "img_size": 512}
    other = draw(load_timm().create_model(name, num_classes=0, dynamic_img_size=True, **shape)).double()
    ours = VisionTransformer(heads=2, depth=2, alpha=0.125, registers=registers).double()
    ours.load_state_dict(other.state_dict())
    for size in ((512, 512), (80, 176)):
        x = torch.randn(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            expected = cast("Any", other).forward_features(x)
            # timm interpolates in float32.
            torch.testing.assert_close(ours(x)[:, :, 0].transpose(1, 2), expected, rtol=1e-5, atol=1e-5)


@needs_timm
def test_dinov2_weights_are_brought_to_its_patches_and_places(tmp_path: Path) -> None:
    """A file as the hub has it: patches of 14, places of pictures 518 wide; what timm itself makes of it."""
    shape = {"num_classes": 0}
    other = draw(load_timm().create_model("vit_small_patch14_reg4_dinov2", **shape))
    path = tmp_path / "model.safetensors"
    save_file(other.state_dict(), path)
    found = read_pretrained("dinov2_small", str(path))
    assert (found.normalisation, found.arguments) == ("imagenet", {"registers": 4})
    network = build_model("eomt-s", num_classes=3, weights=str(path), seed=0)
    assert network.architecture.arguments["registers"] == 4  # pyright: ignore
    assert torch.equal(network.encoder.blocks[11].mlp.fc2.weight, other.blocks[11].mlp.fc2.weight)  # pyright: ignore
    # The class token has its place within it already; 37 x 37 places become 32 x 32, which they cover.
    old = other.pos_embed[0].t().reshape(384, 37, 37)  # pyright: ignore
    expected = F.interpolate(old[None], (GRID, GRID), mode="bicubic", antialias=True)[0].flatten(1).t()
    torch.testing.assert_close(network.encoder.pos_embed[0], expected)  # pyright: ignore
    # A kernel resampled so that a patch enlarged from 14 to 16 pixels gives the same.
    patch = torch.randn(1, 3, 14, 14, generator=torch.Generator().manual_seed(1))
    enlarged = F.interpolate(patch, (16, 16), mode="bicubic", antialias=True)
    kernels = (
        dict(net.named_parameters())[f"{at}patch_embed.proj.weight"]
        for net, at in ((other, ""), (network, "encoder."))
    )
    one, two = (F.conv2d(x, kernel) for x, kernel in zip((patch, enlarged), kernels, strict=True))
    torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfigError, match="trained with registers=4, so 0 cannot be"):
        build_model("eomt-s", num_classes=3, arguments={"registers": 0}, weights=str(path))
    narrow = VisionTransformer(heads=6, depth=12, alpha=0.5, registers=4)
    with pytest.raises(ConfigError, match=r"its width \(alpha\) must be that of the weights"):
        load_pretrained(narrow, found)
    cut = {key: tensor for key, tensor in other.state_dict().items() if key != "blocks.3.ls1.gamma"}
    save_file(cut, path)
    with pytest.raises(ConfigError, match=r"(lack|cannot give)"):
        read_pretrained("dinov2_small", str(path))


def test_parameters_and_work() -> None:
    """Counted by hand for 150 classes: ViT-S/16 and ViT-B/16, 32 x 32 places, 100 queries, two upscalings."""

    def count(c: int, depth: int) -> int:
        block = 4 * c + (3 * c * c + 3 * c) + (c * c + c) + (4 * c * c + 4 * c) + (4 * c * c + c) + 2 * c
        encoder = c + 1025 * c + (3 * 256 * c + c) + depth * block + 2 * c
        upscaling = (4 * c * c + c) + 9 * c + 2 * c
        return encoder + 100 * c + 151 * (c + 1) + 3 * (c * c + c) + 2 * upscaling

    for name, channels in (("eomt-s", 384), ("eomt-b", 768)):
        with torch.device("meta"):
            network = build_model(name, num_classes=150)
        assert sum(p.numel() for p in network.parameters()) == count(channels, 12)
    # ViT-S at 512 x 512: 12 blocks of 12 c^2 a token and 2 L c for the attention; patches; upscalings; masks.
    tokens, c = [1025] * 9 + [1125] * 3, 384
    with torch.device("meta"):
        network = build_model("eomt-s", num_classes=150)
    work = sum(12 * c * c * n + 2 * n * n * c for n in tokens) + 1024 * 768 * c
    work += (1024 + 4096) * 4 * c * c + (4096 + 16384) * 9 * c + 100 * (3 * c * c + 151 * c)
    work += 100 * c * 16384 + 100 * 150 * 512 * 512
    assert multiply_adds(network, (512, 512)) == work


def test_tokens_by_hand() -> None:
    x = torch.arange(12.0).view(1, 2, 2, 3)  # channel 0: 0 1 2 / 3 4 5, channel 1: 6 and on
    listed = join(torch.tensor([[-1.0, -2.0]]), x)
    assert listed.tolist() == [[[[-1, 0, 1, 2, 3, 4, 5]], [[-2, 6, 7, 8, 9, 10, 11]]]]
    assert leading(listed, 2).tolist() == [[[[-1, 0]], [[-2, 6]]]]
    assert torch.equal(as_map(listed, x, 1), x)


@pytest.mark.parametrize(("old", "new"), [((32, 32), (20, 41)), ((5, 4), (9, 1)), ((3, 3), (3, 3))])
def test_places_are_interpolated_as_pytorch_does_it(old: tuple[int, int], new: tuple[int, int]) -> None:
    places = torch.randn(2, *old, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # One side after the other: PyTorch 2.13 is wrong where both change and one column is left.
    expected = F.interpolate(places[None], (new[0], old[1]), mode="bicubic", antialias=True)
    expected = F.interpolate(expected, new, mode="bicubic", antialias=True)
    found = add_places(torch.zeros(1, 2, *new, dtype=torch.float64), places)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(cubic_weights(old[0], new[0]).sum(1), torch.ones(new[0], dtype=torch.float64))


def test_votes_by_hand() -> None:
    """Two queries, two classes: p(class) 1/2 1/4 (1/4 none) and 1/4 1/4 (1/2 none), masks 1/2 and 3/4."""
    classes = torch.tensor([[2.0, 1.0, 1.0], [1.0, 1.0, 2.0]]).log().t()[None, :, None]  # (1, 3, 1, 2)
    masks = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1)
    found = query_votes(classes, masks).exp().flatten() - LEAST
    torch.testing.assert_close(found, torch.tensor([0.5 * 0.5 + 0.25 * 0.75, 0.25 * 0.5 + 0.25 * 0.75]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"queries": 0}, r"queries must lie in 1\.\.1000, got 0"),
        ({"query_blocks": 5, "depth": 4}, r"query_blocks must lie in 1\.\.4, the encoder's depth, got 5"),
        ({"depth": 0}, r"depth must lie in 1\.\.100"),
        ({"registers": -1}, r"registers must lie in 0\.\.64"),
        ({"alpha": 0.0}, "alpha must be above 0"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_model("eomt-s", num_classes=2, arguments=arguments)
