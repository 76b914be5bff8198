"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Runs = Annotated[
    Path | None, typer.Option("--runs", help="Folder of all runs; $EVORRN_RUNS or ./runs by default.")
]
CompleteRun = Annotated[
    str, typer.Argument(help="A complete run: its folder, its id or the beginning of it.")
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
Horizon = Annotated[int | None, typer.Option("--horizon", help="How many steps ahead the target lies.")]
Horizons = Annotated[
    str | None,
    typer.Option(
        "--horizon", help="How many steps ahead the target lies; several with commas, each trained for."
    ),
]
Multistep = Annotated[
    str | None,
    typer.Option(
        "--multistep",
        help="How a horizon of several rows is reached: direct (by default), recursive or multi-output.",
    ),
]
Folds = Annotated[
    int | None,
    typer.Option("--folds", help="Folds of a backtest of a table: the origin rolls forward; 1 by default."),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header", help="Whether the first row of a table holds names; detected by default."
    ),
]
Decimal = Annotated[str | None, typer.Option("--decimal", help="Decimal mark of a table: . or ,")]
Separator = Annotated[
    str | None, typer.Option("--separator", help="What separates the columns of a table: , ; | or tab.")
]
Fill = Annotated[
    str | None, typer.Option("--fill", help="Fill missing values of a table: linear or previous.")
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time", help="Column that gives the order of the rows; none: no column; detected by default."
    ),
]
Calendar = Annotated[
    str | None,
    typer.Option(
        "--calendar", help="Inputs made of the dates of a table, with commas: hour, weekday, month, yearday."
    ),
]
Level = Annotated[
    float | None,
    typer.Option("--level", help="Share of values that a prediction interval is to cover; 0.9 by default."),
]
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
Force = Annotated[bool, typer.Option("--force", help="Run complete runs again.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Import code that a run folder names and has not recorded.")
]


def table_rules(
    header: bool | None, decimal: str | None, separator: str | None, fill: str | None, time: str | None
) -> dict[str, Any]:
    """Return how a table is read as settings of a task; None for what is not given."""
    tab = separator in ("\t", "\\t")
    return {
        "header": header,
        "decimal": decimal,
        "separator": "tab" if tab else separator,
        "fill": fill,
        "time": time,
    }


def whole_numbers(option: str, text: str | None) -> list[int]:
    """Return the whole numbers of an option that are separated by commas; raise EvorrnError for anything else."""
    from evorrn.base.errors import EvorrnError

    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    wrong = next((part for part in parts if not part.isdecimal()), "")
    if wrong or (text is not None and not parts):
        raise EvorrnError(f"{option}: expected whole numbers, with commas, for instance 1,6,24, got {text!r}")
    return [int(part) for part in parts]
