"""`pixelwise summary`: the layers of a network."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Print the layer table of a network as it predicts: name, kind, output size, parameters."""

    model: Positional[str] = "unet-xception"
    """The architecture; `pixelwise models` lists them."""
    model_args: tuple[str, ...] = ()
    """NAME=VALUE arguments of the architecture, e.g. encoder=mobilenet_v2 encoder.alpha=0.5."""
    size: tuple[int, int] = (160, 160)
    """Height and width of the input."""
    classes: int = 3
    """Number of classes."""
    json: bool = False
    """Print the table for machines."""

    def run(self) -> int:
        """Prints the table; 0."""
        import dataclasses

        import torch
        from rich.console import Console
        from rich.table import Table

        from pixelwise.cli.terminal import print_json
        from pixelwise.models import build_model
        from pixelwise.models.auxiliary import drop_auxiliary
        from pixelwise.models.summary import summarize
        from pixelwise.nn.arguments import parse_arguments

        arguments = parse_arguments(self.model_args)
        with torch.device("meta"):  # a table needs no weights
            network = build_model(self.model, num_classes=self.classes, arguments=arguments)
            drop_auxiliary(network)
        summary = summarize(network, self.size)
        if self.json:
            print_json(dataclasses.asdict(summary))
            return 0
        table = Table(box=None, pad_edge=False)
        for title in ("layer", "kind", "output (H, W, C)", "parameters", "not trainable"):
            table.add_column(title, justify="left" if title in ("layer", "kind") else "right")
        for row in summary.rows:
            size = " x ".join(str(n) for n in row.output)
            fixed = f"{row.fixed:,}" if row.fixed else ""
            table.add_row(row.name, row.kind, size, f"{row.parameters:,}", fixed)
        console = Console()
        console.print(table)
        console.print(
            f"{summary.parameters:,} parameters: {summary.trainable:,} trainable, "
            f"{summary.parameters - summary.trainable:,} not (running statistics)",
            highlight=False,
        )
        return 0
