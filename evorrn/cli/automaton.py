"""``evorrn automaton``: the finite automaton that a trained network computes."""

from __future__ import annotations

from typing import Annotated

import typer

from evorrn.cli.options import CompleteRun, Json, Runs, Trust


def automaton(
    run: CompleteRun,
    method: Annotated[
        str,
        typer.Option("--method", help="clusters: of the network's states; lstar: by queries, needs aalpy."),
    ] = "clusters",
    longest: Annotated[
        int | None,
        typer.Option("--longest", min=1, help="The network reads all strings of up to this many symbols."),
    ] = None,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Extract a finite automaton from a network trained on symbols, and compare it with the task's.

    The automaton is printed, drawn, and written as automaton.json into the run's folder.
    """
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note, print_json, print_page
    from evorrn.lab import automaton as lab
    from evorrn.lab.runs.store import find_run, runs_root

    folder = find_run(run, runs_root(runs))
    with trusting(trust, note):
        found = lab.automaton_of(folder, method, longest)
    if json:
        print_json(found.as_dict())
    else:
        print_page(lab.page(found))
    for path in lab.write(found, folder.path):
        note(f"written: {path}")
