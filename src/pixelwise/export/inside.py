"""What an exported model computes on its way to the answer, by the names of the graph's values."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from pixelwise.backends.openvino import core
from pixelwise.export.torchscript import INSIDE

Values = Mapping[str, npt.NDArray[np.floating]]


def inside_onnx(model: bytes, names: Collection[str], images: npt.NDArray[np.uint8]) -> Values:
    """Values of an ONNX model in ONNX Runtime, with no rewriting by it; those that are named and there.

    Args:
        model: The file's content.
        names: Of graph values.
        images: `(N, h, w, 3) uint8` RGB.
    """
    import onnx
    import onnxruntime
    from onnx import helper

    proto = onnx.load_from_string(model)
    made = {name for node in proto.graph.node for name in node.output}
    wanted = [name for name in names if name in made]
    answers = {output.name for output in proto.graph.output}
    # Only the name matters: ONNX Runtime infers types.
    proto.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in wanted if n not in answers)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip(wanted, cast("list[Any]", session.run(wanted, {"images": images})), strict=True))


def opset_of(model: bytes) -> int:
    """The version of ONNX's own operations that an ONNX model asks for."""
    import onnx

    return max(
        one.version for one in onnx.load_from_string(model).opset_import if one.domain in ("", "ai.onnx")
    )


def inside_openvino(
    path: Path, names: Collection[str], images: npt.NDArray[np.uint8], *, half: bool = False
) -> Values:
    """The same of a file in OpenVINO, whose own keeps the names of the ONNX form; half is in bfloat16."""
    model = core().read_model(path)
    known = {name for op in model.get_ops() for output in op.outputs() for name in output.get_names()}
    wanted = [name for name in names if name in known]
    if not wanted:
        return {}
    model.add_outputs(wanted)
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "bf16" if half else "f32"})
    answers = compiled([images])
    found: dict[str, npt.NDArray[np.floating]] = {}
    for output in compiled.outputs:
        found |= {name: np.array(answers[output]) for name in output.get_names() & set(wanted)}
    return found


def inside_torchscript(archive: bytes, names: Collection[str], images: npt.NDArray[np.uint8]) -> Values:
    """The same of a TorchScript archive that `export.torchscript` wrote: the program itself answers them."""
    program = torch.jit.load(io.BytesIO(archive))
    inner = program.inlined_graph.copy()
    made = {output.debugName(): output for node in inner.nodes() for output in node.outputs()}
    # Loading puts `.1` behind a name, so that it is the only one.
    known = {full.removeprefix(INSIDE).partition(".")[0]: full for full in made if full.startswith(INSIDE)}
    wanted = [name for name in names if name in known]
    if not wanted:
        return {}
    for name in wanted:
        inner.registerOutput(made[known[name]])
    inner.eraseOutput(0)  # the program's own answer
    inner.makeMultiOutputIntoTuple()
    inside = torch._C._create_function_from_graph("inside", inner)
    with torch.inference_mode():
        answers = inside(program._c, torch.from_numpy(np.ascontiguousarray(images)))
    answers = answers if isinstance(answers, tuple) else (answers,)
    return {name: answer.numpy() for name, answer in zip(wanted, answers, strict=True)}
