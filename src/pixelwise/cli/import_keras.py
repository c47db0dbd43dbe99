"""`pixelwise import-keras`: a checkpoint of the Keras tutorials as a model file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pixelwise.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ImportKeras:
    """Turn a Keras tutorial's checkpoint into a model file; TensorFlow is not needed."""

    file: Positional[Path]
    """The checkpoint: .h5, .weights.h5 or .keras."""
    model: Literal["unet-xception", "mobilenet-segnet", "deeplabv3plus"]
    """Which network it is of."""
    classes: tuple[str, ...]
    """Names of the classes, in the order of the network's outputs."""
    normalisation: Literal["identity", "unit", "symmetric", "imagenet"] = "identity"
    """What the weights were trained on: raw 0..255, 0..1, -1..1, or ImageNet's mean and deviation."""
    model_args: tuple[str, ...] = ()
    """NAME=VALUE arguments of the architecture, where the checkpoint is of another variant."""
    size: tuple[int, int] | None = None
    """Height and width to which pictures are resized; the checkpoint's own where it says them."""
    out: Path | None = None
    """The model file; a new one beside the checkpoint where not given."""
    json: bool = False
    """Print the result for machines."""

    def run(self) -> int:
        """Reads, converts and writes; 0."""
        from pixelwise.cli.terminal import print_json
        from pixelwise.from_keras import import_keras
        from pixelwise.model_file import save_model
        from pixelwise.models.summary import count_parameters
        from pixelwise.nn.arguments import parse_arguments

        out = self.out or self._beside()
        imported = import_keras(
            self.file,
            self.model,
            classes=self.classes,
            normalisation=self.normalisation,
            arguments=parse_arguments(self.model_args),
            size=self.size,
        )
        save_model(out, imported.network, imported.header)
        height, width = imported.header.size_policy.size
        count = count_parameters(imported.network)
        if self.json:
            print_json({"model": str(out), "parameters": count, "size": [height, width]})
            return 0
        print(f"{self.model}: {count:,} parameters, {len(self.classes)} classes, input {width}x{height}")
        print(f"model  {out}\nnext   pixelwise predict {out} photo.jpg")
        return 0

    def _beside(self) -> Path:
        """The checkpoint's name with our ending; never a file that is there, e.g. a run's own."""
        name = self.file.name
        for ending in (".weights.h5", ".h5", ".hdf5", ".keras"):
            name = name.removesuffix(ending)
        out = self.file.with_name(f"{name}.safetensors")
        if out.exists():
            raise ConfigError(
                f"{out} exists already; name another file with --out, or the same to replace it"
            )
        return out
