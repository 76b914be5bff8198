"""``evorrn export``: the trained network of a run as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evorrn.cli.options import CompleteRun, Json, Runs, Trust


def export(
    run: CompleteRun,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="model, onnx or safetensors; by default what --out ends in, else model.",
            metavar="FORMAT",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; by default the run's id and the format.")
    ] = None,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Write the trained network of a run to one file, for evorrn.load_model or for other programs."""
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note, print_json, say
    from evorrn.lab.export_model import export_model
    from evorrn.lab.runs.store import find_run, runs_root

    folder = find_run(run, runs_root(runs))
    with trusting(trust, note):
        path, content = export_model(folder, to, out)
    if json:
        print_json(
            {"run": folder.id, "file": str(path), "format": path.suffix.lstrip(".") if to is None else to}
        )
    else:
        say(f"{path}: {content}")
