"""`pixelwise models`: what can be built."""

from __future__ import annotations

from dataclasses import dataclass

HEIGHT_WIDTH = (512, 512)
"""Size at which multiply-adds are counted."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """List the networks that can be built, with their parameters and multiply-adds."""

    classes: int = 21
    """Number of classes to build them for."""
    json: bool = False
    """Print the list for machines."""

    def run(self) -> int:
        """Prints the table; 0."""
        import torch
        from rich.console import Console
        from rich.table import Table

        from pixelwise.cli.terminal import print_json
        from pixelwise.models import MODELS, build_model
        from pixelwise.models.auxiliary import drop_auxiliary
        from pixelwise.models.summary import count_parameters, multiply_adds

        rows = []
        for name, info in MODELS.items():
            with torch.device("meta"):  # counting needs no weights
                network = build_model(name, num_classes=self.classes)
                drop_auxiliary(network)
            rows.append(
                {
                    "name": name,
                    "parameters": count_parameters(network),
                    "multiply_adds": multiply_adds(network, HEIGHT_WIDTH),
                    "native_stride": network.native_stride,
                    "source": info.source,
                }
            )
        if self.json:
            print_json(rows)
            return 0
        height, width = HEIGHT_WIDTH
        cells = [
            (
                row["name"],
                f"{row['parameters']:,}",
                f"{row['multiply_adds'] / 1e9:.2f} G",
                str(row["native_stride"]),
                row["source"],
            )
            for row in rows
        ]
        table = Table(box=None, pad_edge=False)
        for column, title in enumerate(("network", "parameters", "multiply-adds", "stride")):
            needed = max(len(title), *(len(row[column]) for row in cells))
            table.add_column(title, justify="right" if column else "left", min_width=needed)
        # Authors and year come first: what a narrow terminal cuts off is the name of the paper.
        table.add_column("source", no_wrap=True)
        for row in cells:
            table.add_row(*row)
        console = Console()
        console.print(table)
        console.print(
            f"{self.classes} classes; multiply-adds of a picture of {width}x{height}; "
            "stride of a network's own answer"
        )
        return 0
