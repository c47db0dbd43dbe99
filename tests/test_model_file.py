"""The model file: everything comes back, and what is none is refused in one sentence."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from pixelwise.errors import DataError, ModelFileError
from pixelwise.header import Architecture, ModelHeader
from pixelwise.model_file import load_model, read_header, save_model
from pixelwise.models import build_model
from pixelwise.types import Classes, SizePolicy

HEADER = ModelHeader(
    architecture=Architecture("unet-xception", {"normalisation": "unit"}),
    classes=Classes(("pet", "background", "Rand ß"), ((1, 2, 3), (4, 5, 6), (7, 8, 9))),
    size_policy=SizePolicy("resize", (32, 48)),
    provenance={"data_hash": "abc", "validation": {"miou": 0.5}},
)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    network = build_model("unet-xception", num_classes=3, arguments={"normalisation": "unit"}, seed=3)
    with torch.no_grad():  # running statistics that a fresh network would not have
        network(torch.rand(2, 3, 32, 32) * 255)
    return network


@pytest.fixture
def model_path(tmp_path: Path, network: torch.nn.Module) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, network, HEADER)
    return path


def test_everything_comes_back(model_path: Path, network: torch.nn.Module) -> None:
    loaded, header = load_model(model_path)
    assert header == HEADER
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    pictures = torch.rand(1, 3, 20, 30) * 255
    assert torch.equal(loaded(pictures), network.eval()(pictures))


def test_half_of_the_bytes(tmp_path: Path, model_path: Path, network: torch.nn.Module) -> None:
    """Kernels are rounded as `half` rounds them, everything else keeps its bits; computing is in float32."""
    path = tmp_path / "half.safetensors"
    save_model(path, network, HEADER, half=True)
    assert path.stat().st_size < 0.52 * model_path.stat().st_size
    loaded, header = load_model(path)
    assert header == HEADER
    for name, tensor in network.state_dict().items():
        expected = tensor.half().float() if tensor.dim() > 1 else tensor
        found = loaded.state_dict()[name]
        assert found.dtype == tensor.dtype
        assert torch.equal(found, expected), name
    # Whole files keep the format that every version reads.
    assert [_format(file) for file in (model_path, path)] == [1, 2]
    # Written once more, the same bytes: nothing is lost twice.
    again = tmp_path / "again.safetensors"
    save_model(again, loaded, header, half=True)
    assert again.read_bytes() == path.read_bytes()


def test_what_float16_cannot_hold_is_refused(tmp_path: Path, network: torch.nn.Module) -> None:
    wild = copy.deepcopy(network)
    with torch.no_grad():
        next(p for p in wild.parameters() if p.dim() > 1).view(-1)[0] = 7e4
    with pytest.raises(ModelFileError, match=r"values beyond 65504, the largest of float16"):
        save_model(tmp_path / "half.safetensors", wild, HEADER, half=True)
    assert not (tmp_path / "half.safetensors").exists()


def test_channels_last_weights_are_the_same_file(
    tmp_path: Path, model_path: Path, network: torch.nn.Module
) -> None:
    other = tmp_path / "other.safetensors"
    save_model(other, network.to(memory_format=torch.channels_last), HEADER)
    assert other.read_bytes() == model_path.read_bytes()


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nothing\.safetensors: no such model file"):
        load_model(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.3, 0.99, 0.999999])
def test_a_truncated_file_is_refused(model_path: Path, share: float) -> None:
    content = model_path.read_bytes()
    model_path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError, match=r"truncated|not a model file"):
        load_model(model_path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (marker,))

    for name, write in (
        ("raw.pt", lambda path: path.write_bytes(pickle.dumps(Bomb()))),
        ("torch.pt", lambda path: torch.save(Bomb(), path)),
    ):
        path = tmp_path / name
        write(path)
        with pytest.raises(ModelFileError, match="is a pickle"):
            load_model(path)
    assert not marker.exists()


def test_a_header_of_any_length_is_no_pickle(tmp_path: Path, network: torch.nn.Module) -> None:
    """A file begins with its header's length, and one length in 32 begins with a pickle's first byte."""
    path, first = tmp_path / "model.safetensors", set()
    for length in range(0, 264, 8):
        save_model(path, network, dataclasses.replace(HEADER, provenance={"padding": "x" * length}))
        assert read_header(path).provenance["padding"] == "x" * length
        first.add(path.read_bytes()[0])
    assert 0x80 in first


def test_a_newer_format_asks_for_an_update(model_path: Path) -> None:
    _edit_header(model_path, lambda document: document.update(format=3))
    with pytest.raises(ModelFileError, match="format 3, newer than the 2 read here: update pixelwise"):
        load_model(model_path)


def test_foreign_weights_say_that_the_header_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="no pixelwise header"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(architecture={"name": "no-such-net", "arguments": {}}),
            "cannot build its network",
        ),
        (
            lambda d: d.update(architecture={"name": "unet-xception", "arguments": {"x": 1}}),
            "has no argument x",
        ),
        (lambda d: d["classes"]["names"].pop(), "damaged header"),
        (lambda d: d["classes"].update(names=["a", "b"], colours=[]), "head"),
        (lambda d: d.update(size_policy={"mode": "stretch", "size": [1, 1]}), "resize or native"),
        (lambda d: d.update(size_policy={"mode": "resize", "size": [1, "x"]}), "damaged header"),
        (lambda d: d.pop("classes"), "damaged header"),
        (lambda d: d.update(format="one"), "damaged header"),
    ],
)
def test_a_header_that_does_not_hold_is_refused(model_path: Path, change, message: str) -> None:
    _edit_header(model_path, change)
    with pytest.raises(ModelFileError, match=message):
        load_model(model_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["format", "classes", "names", "colours", "architecture", "size_policy", "size", "mode"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
))  # fmt: skip
def test_no_header_raises_anything_else(tmp_path: Path, document: object) -> None:
    path = tmp_path / "fuzz.safetensors"
    save_file({"weight": torch.zeros(1)}, path, metadata={"pixelwise": json.dumps(document)})
    with pytest.raises(ModelFileError):
        read_header(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=64) | st.binary(max_size=48).map(lambda b: struct.pack("<Q", len(b)) + b))
def test_no_bytes_raise_anything_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        read_header(path)


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path, network: torch.nn.Module) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        save_model(tmp_path / "file" / "model.safetensors", network, HEADER)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def _format(path: Path) -> int:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    return json.loads(header["__metadata__"]["pixelwise"])["format"]


def _edit_header(path: Path, change) -> None:
    """Changes the JSON document and leaves the weights."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    document = json.loads(header["__metadata__"]["pixelwise"])
    change(document)
    header["__metadata__"]["pixelwise"] = json.dumps(document)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
