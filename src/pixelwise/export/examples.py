"""Complete programs that segment a photo with an exported model, in three languages.

The programs lie beside this file, with `@NAMES@` where a model's facts go. File and class names are anybody's
text, so they go in as literals of the language, escaped, and never as they are.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pixelwise.errors import ConfigError
from pixelwise.header import Form, ModelHeader

Language = Literal["python", "js", "cpp"]

_ARGMAX_JS = """// The class with the largest score, pixel by pixel; scores lie class after class.
function winners(scores, pixels, count) {
  const labels = new Uint8Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    let best = 0;
    for (let label = 1; label < count; label += 1) {
      if (scores[label * pixels + pixel] > scores[best * pixels + pixel]) best = label;
    }
    labels[pixel] = best;
  }
  return labels;
}

"""

_ARGMAX_CPP = """    // Scores lie class after class; the largest wins.
    const float* scores = answer.data<float>();
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
        for (size_t label = 1; label < NAMES.size(); ++label) {
            const size_t best = labels[pixel];
            if (scores[label * pixels + pixel] > scores[best * pixels + pixel]) labels[pixel] = label;
        }
    }
"""

_LABELS_CPP = """    std::copy_n(answer.data<uint8_t>(), pixels, labels.begin());
"""


def example(language: Language, model: Path, header: ModelHeader, form: Form) -> str:
    """A program for a model.

    Args:
        language: `python` (ONNX Runtime, or OpenVINO for its own files), `js` (Node.js with ONNX Runtime) or
            `cpp` (OpenVINO, which reads both).
        model: The exported file; the program opens it where no other is named.
        header: What the file says of its network.
        form: What it answers.

    Raises:
        ConfigError: There is no program in that language for this kind of file.
    """
    suffix = model.suffix.lower()
    if suffix not in (".onnx", ".xml"):
        raise ConfigError(f"{model}: there are examples for .onnx and .xml files; export with --to onnx")
    if language == "js" and suffix != ".onnx":
        raise ConfigError(f"{model}: the JavaScript example reads .onnx files: export with --to onnx")
    # Where the model does not bring pictures to the network's size itself, the program does.
    outside = form.resize is None and header.size_policy.mode == "resize"
    height, width = header.size_policy.size
    labels = form.answer == "labels"
    match language:
        case "python":
            name = "onnx.py.txt" if suffix == ".onnx" else "openvino.py.txt"
            facts = {
                "MODEL": repr(str(model)),
                "PICTURE": f"picture.resize(({width}, {height}), Image.Resampling.BILINEAR)"
                if outside
                else "picture",
                "LABELS": "answer[0]" if labels else "answer[0].argmax(0)",
            }
        case "js":
            name = "onnx.js.txt"
            facts = {
                "MODEL": _js(str(model)),
                "NAMES": _js(list(header.classes.names)),
                "COLOURS": _js([list(colour) for colour in header.classes.colours]),
                "PICTURE": f'.resize({width}, {height}, {{ fit: "fill", kernel: "linear" }})'
                if outside
                else "",
                "ANSWER": form.answer,
                "LABELS": "answer" if labels else "winners(answer, pixels, NAMES.length)",
                "HELPER": "" if labels else _ARGMAX_JS,
            }
        case _:
            name = "openvino.cpp.txt"
            wanted = f"this model was exported without resizing and wants {width} x {height} pixels"
            check = (
                f"    if (picture.width != {width} || picture.height != {height})\n"
                f'        throw std::runtime_error("{wanted}");\n'
            )
            facts = {
                "MODEL": _cpp(str(model)),
                "NAMES": ", ".join(_cpp(n) for n in header.classes.names),
                "COLOURS": ", ".join("{{{}, {}, {}}}".format(*colour) for colour in header.classes.colours),
                "CHECK": check if outside else "",
                "LABELS": _LABELS_CPP if labels else _ARGMAX_CPP,
            }
    return _filled(name, facts)


def _filled(name: str, facts: dict[str, str]) -> str:
    """A program with all its facts, found in one pass: a class that is called `@MODEL@` stays that."""
    first, *parts = (files("pixelwise.export") / "programs" / name).read_text("utf-8").split("@")
    # Between two @ stands the name of a fact.
    return first + "".join(facts[part] if place % 2 == 0 else part for place, part in enumerate(parts))


def _js(value: object) -> str:
    """A literal of JavaScript: JSON is one."""
    return json.dumps(value)


def _cpp(text: str) -> str:
    """A string literal of C++: what is not plain ASCII as octal bytes of UTF-8, which are three digits."""
    plain = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in text.encode()
    )
    return f'"{"".join(plain)}"'
