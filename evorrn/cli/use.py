"""``evorrn predict`` and ``evorrn forecast``: outputs of a trained network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evorrn.cli.options import Decimal, Fill, Header, Json, Level, Runs, Separator, Time, Trust, table_rules

if TYPE_CHECKING:
    from evorrn.lab.runs.apply import Sheet
    from evorrn.lab.runs.source import Source

Run = Annotated[
    str,
    typer.Argument(
        help="A complete run: its folder, its id or the beginning of it; or a file that evorrn export --to model wrote."
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the CSV here; the plot goes beside it.")]


def predict(
    run: Run,
    file: Annotated[
        Path,
        typer.Argument(
            help="A table with one row per time step, an .npz with inputs (and lengths, links), or a text for a network of running text."
        ),
    ],
    columns: Annotated[
        str | None, typer.Option("--columns", help="Columns that hold the inputs, with commas.")
    ] = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    fill: Fill = None,
    time: Time = None,
    level: Level = None,
    out: Out = None,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Print a trained network's outputs for the inputs in a file, as CSV, and draw them."""
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note
    from evorrn.data.intervals import LEVEL
    from evorrn.lab.runs import apply
    from evorrn.lab.runs.next_characters import predict_text, reads_text
    from evorrn.lab.runs.source import find_source
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.runs.typed import names

    rules = table_rules(header, decimal, separator, fill, time)
    with trusting(trust, note):
        source, chosen = find_source(run, runs_root(runs)), names(columns or "")
        if reads_text(source.model, file):
            sheet = predict_text(source.model, file, chosen, {**rules, "level": level})
        else:
            sheet = apply.predict(source, file, chosen, rules, LEVEL if level is None else level)
    _hand_over(sheet, source, "predict.png", _plot_prediction, out, json)


def forecast(
    run: Run,
    steps: Annotated[
        int | None,
        typer.Option("--steps", help="Values to forecast; 20, or as many as a larger horizon, by default."),
    ] = None,
    warmup: Annotated[
        Path | None,
        typer.Option("--warmup", help="File of known inputs; the end of the test data by default."),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs", help="Future inputs that are not the output itself: a file of exactly --steps rows."
        ),
    ] = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    fill: Fill = None,
    time: Time = None,
    level: Level = None,
    out: Out = None,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Forecast the values after the known data with a trained network, as CSV and a plot.

    How a table is read can be stated for the files of --warmup and --inputs; the data of the run are read as in training.
    """
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note
    from evorrn.data.intervals import LEVEL
    from evorrn.lab.runs import apply
    from evorrn.lab.runs.source import find_source
    from evorrn.lab.runs.store import runs_root

    rules = table_rules(header, decimal, separator, fill, time)
    with trusting(trust, note):
        source = find_source(run, runs_root(runs))
        sheet = apply.forecast(source, steps, warmup, inputs, rules, LEVEL if level is None else level)
    _hand_over(sheet, source, "forecast.png", _plot_forecast, out, json)


def _hand_over(
    sheet: Sheet, source: Source, name: str, plot: Callable[[Sheet, Path], None], out: Path | None, json: bool
) -> None:
    """Print or write a sheet, and draw it beside the file, into the run folder or the working folder."""
    from evorrn.cli.output import note, print_json, warn
    from evorrn.lab.runs.apply import write_sheet

    for text in sheet.notes:
        note(text)
    if out is not None:
        write_sheet(sheet, out)
        note(f"table: {out}")
    if json:
        print_json(sheet.as_dict())
    elif out is None:
        print(sheet.csv(), end="")
    picture = source.pictures / name if out is None else out.with_suffix(".png")
    try:
        plot(sheet, picture)
        note(f"plot: {picture}")
    except OSError as error:
        warn(f"no plot: cannot write {picture}: {error.strerror or error}")
    if source.warning:
        warn(source.warning)
    if sheet.diverged:
        warn("the network diverged: some of these values are not finite, or beyond any sensible number")


def _plot_prediction(sheet: Sheet, path: Path) -> None:
    """Draw the first output of the first sequence, over the truth where the file holds it; labels for classes."""
    from evorrn.lab.report import plots
    from evorrn.lab.runs.apply import LABEL
    from evorrn.lab.runs.next_characters import BITS

    labels = sheet.columns[-sheet.outputs.shape[2] - 1] == LABEL
    outputs = sheet.outputs[0][: sheet.length]
    outputs = outputs.argmax(axis=1) if labels else outputs[:, 0]
    truth = None if sheet.known is None else sheet.known[0, : sheet.length, 0]
    units = "" if sheet.name == BITS else ", original units"
    name = LABEL if labels else f"{sheet.name}{units}"
    plots.outputs_plot(outputs, truth, name, path, dates=sheet.dates, width=sheet.width)


def _plot_forecast(sheet: Sheet, path: Path) -> None:
    """Draw a forecast of the first sequence after the values known before it."""
    import numpy as np

    from evorrn.lab.report import plots

    known = np.zeros((0, sheet.outputs.shape[2])) if sheet.known is None else sheet.known[0]
    plots.forecast_plot(known, sheet.outputs[0], path, name=sheet.name, dates=sheet.dates, width=sheet.width)
