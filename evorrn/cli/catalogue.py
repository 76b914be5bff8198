"""``evorrn list`` and ``evorrn show``: names of what can be used, and pages about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evorrn.cli.options import Json, Runs, Trust


def list_(
    kind: Annotated[
        str | None, typer.Argument(help="tasks, strategies, cells or runs; the first three by default.")
    ] = None,
    runs: Runs = None,
    json: Json = False,
) -> None:
    """List tasks, strategies and cells, or the runs in a folder."""
    from evorrn.cli.output import print_json, print_page, warn
    from evorrn.lab import catalogue
    from evorrn.lab.runs.store import runs_root

    if kind == "runs" or (kind is None and runs is not None):
        root = runs_root(runs)
        if not root.is_dir():
            warn(f"there is no folder {root}")
        page = catalogue.runs_listing(root)
    else:
        page = catalogue.listing(kind)
    if json:
        print_json({table.heading: table.records() for table in page.tables})
    else:
        print_page(page)


def show(
    name: Annotated[str, typer.Argument(help="A cell, task or strategy, or a run: its folder or id.")],
    kernel: Annotated[
        bool, typer.Option("--kernel", help="Show a cell's listing and emitted source.")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw a run's pictures into its folder, and name the files.")
    ] = False,
    graph: Annotated[
        bool,
        typer.Option(
            "--graph",
            help="Draw a cell's signal-flow graph, its reversal and its tangent into this folder, and name the files.",
        ),
    ] = False,
    runs: Runs = None,
    trust: Trust = False,
) -> None:
    """Show a cell's equations, a task's definition, a strategy's settings, or a run."""
    from evorrn.base.patience import collecting_nothing
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note, print_page
    from evorrn.lab import catalogue
    from evorrn.lab.report.tables import text_table
    from evorrn.lab.runs.store import find_run, runs_root

    root, files = runs_root(runs), []
    # Hundreds of modules are imported, which leave no garbage.
    with trusting(trust, note), collecting_nothing():
        if plot:
            from evorrn.lab.report.plots import draw_run

            files = draw_run(find_run(name, root))
        if graph:
            from evorrn.cells.find import find_cell
            from evorrn.lab.report.signal_flow import draw_cell

            files = draw_cell(find_cell(name), Path())
        page = catalogue.page(name, root, kernel)
    if files:
        page.tables.append(text_table("pictures", ("",), [(str(path),) for path in files]))
    print_page(page)
