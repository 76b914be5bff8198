"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[
    Path | None, typer.Option("--runs", help="Folder of all runs; $EVORRN_RUNS or ./runs by default.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
Cell = Annotated[str | None, typer.Option("--cell", help="A cell: its name or file.py:function.")]
Hidden = Annotated[str | None, typer.Option("--hidden", help="Units of each layer: 32 or 32,32.")]
Target = Annotated[
    str | None, typer.Option("--target", help="Column of a data file to predict; several with commas.")
]
Inputs = Annotated[
    str | None, typer.Option("--inputs", help="Further input columns of a data file, with commas.")
]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Steps ahead that the target lies.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="A.B=C", help="Set anything in the spec: strategy.population=512. Repeatable."
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Runs side by side; as many as there are cores by default."),
]
Force = Annotated[bool, typer.Option("--force", help="Run again what is complete.")]
