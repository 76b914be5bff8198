"""``evorrn reproduce``: a published table, run again."""

from __future__ import annotations

from typing import Annotated

import typer

from evorrn.cli import FAILED
from evorrn.cli.options import Force, Jobs, Json, Quiet, Runs


def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="A published experiment, or a .toml file; lists them if left out.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few rows and seeds, in a minute or two.")] = False,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Runs of each row.")] = None,
    jobs: Jobs = None,
    force: Force = False,
    runs: Runs = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a published experiment again, and report which of its figures are reproduced.

    Runs are kept: the same command goes on with one that was interrupted.
    """
    from evorrn.cli.output import print_json, say, stdout
    from evorrn.cli.progress import watching_runs
    from evorrn.kernels.threads import available
    from evorrn.lab.report.reproduction import summary
    from evorrn.lab.report.terminal import show
    from evorrn.lab.reproduce import reproduce as again
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.sweep.experiment import experiments, find_experiment, read_experiment

    if name is None:
        known = [read_experiment(path) for path in experiments().values()]
        if json:
            print_json(
                [{"name": one.name, "title": one.table.title, "source": one.table.source} for one in known]
            )
        else:
            width = max((len(one.name) for one in known), default=0)
            for one in known:
                say(f"{one.name.ljust(width)}  {one.table.title} ({one.table.source})")
        return
    experiment = find_experiment(name)
    with watching_runs(quiet) as hooks:
        made = again(
            experiment,
            root=runs_root(runs),
            seeds=seeds,
            quick=quick,
            jobs=jobs or available(),
            force=force,
            hooks=hooks,
        )
    if json:
        print_json(made.as_dict())
    elif not quiet:
        show(summary(made), stdout())
    if any(finding.errors for finding in made.findings):
        raise typer.Exit(FAILED)
