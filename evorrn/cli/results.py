"""``evorrn results`` and ``evorrn diff``: scores and costs of runs, and the differences of two runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from evorrn.cli.options import Json, Runs


def results(
    target: Annotated[
        str | None,
        typer.Argument(
            help="A sweep's file or folder, or a folder of runs; all runs by default.", metavar="FILE|FOLDER"
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="CONDITION", help="strategy.name=ga or test.nrmse_std<0.3. Repeatable."
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", help="Columns with commas; a minus before one: largest on top.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="What to show, with commas; 'all' for everything.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="One line for each combination of these columns.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", help=r"Write a Parquet file; needs evorrn\[parquet].")
    ] = None,
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Show the runs of a sweep or of a folder as a table: their settings, metrics and costs.

    Damaged and missing runs are listed as such and left alone. What was read is kept in an index in
    the cache folder, so that listing again is fast; the folders remain the truth.
    """
    from evorrn.cli.output import note, print_json, print_table, say, uncollected
    from evorrn.lab import export
    from evorrn.lab.query import select
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.runs.table import csv_text
    from evorrn.lab.runs.typed import names
    from evorrn.lab.sweep.results import read_results

    root = runs_root(runs)
    with uncollected():
        found = read_results(target if target is not None else root, root, tell=_tell)
        if where or sort or columns or group:
            found = found.completed()
        chosen = select(
            found,
            where=where or (),
            sort=names(sort or ""),
            columns=found.columns() if columns == "all" else names(columns or ""),
            group=names(group or ""),
        )
        if parquet is not None:
            export.write_parquet(parquet, chosen)
            note(f"wrote {parquet}")
        if json:
            print_json(chosen.records())
        elif csv:
            sys.stdout.write(csv_text(chosen.columns, chosen.lines))
        elif parquet is None:
            heading = f"sweep {found.sweep}" if found.sweep else f"runs in {found.root}"
            print_table(chosen.table(heading))
            say(export.counts(found))


def diff(
    a: Annotated[str, typer.Argument(help="A run: its folder, its id or the beginning of it.")],
    b: Annotated[str, typer.Argument(help="Another run.")],
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Show what differs between two runs: in their specs, their environments and their outcomes."""
    from evorrn.cli.output import print_json, print_page
    from evorrn.lab import diff as lab
    from evorrn.lab.runs.store import find_run, runs_root

    root = runs_root(runs)
    found = lab.difference(find_run(a, root), find_run(b, root))
    if json:
        print_json(found.as_dict())
    else:
        print_page(lab.page(found))


def _tell(done: int, total: int) -> None:
    """Print the progress of reading many folders for the first time."""
    if total >= 10_000 and sys.stderr.isatty():
        print(
            f"\rreading {done:,} of {total:,} run folders", end="\n" if done == total else "", file=sys.stderr
        )
