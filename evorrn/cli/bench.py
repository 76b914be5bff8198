"""``evorrn bench``: speed beside installed peers, in the same run."""

from __future__ import annotations

from typing import Annotated

import typer

from evorrn.cli.options import Json


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Groups, or rows as group/row; all by default.", show_default=False),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A look: few rounds, so the last digits are noise.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List groups and rows, and time nothing.")] = False,
    json: Json = False,
) -> None:
    r"""Time evorrn and its peers side by side, and compare the ratios with their targets.

    Peers come with: pip install 'evorrn\[bench]'. One that is missing is named.
    A quiet machine is needed for numbers worth keeping.
    """
    from evorrn.bench import machine, suite
    from evorrn.bench.session import Session
    from evorrn.bench.timing import limited_threads
    from evorrn.cli.output import note, print_json, print_table, say

    chosen = suite.choose(names or [])
    if list_:
        rows = suite.listing(chosen)
        if json:
            print_json(rows.records())
        else:
            print_table(rows)
        return
    session = Session(quick=quick)
    with limited_threads() as threads:
        here = machine.describe(threads, session.rounds)
        if not json:
            say(machine.line(here))
        found = []
        for measured in suite.measure(chosen, session, note):
            found.append(measured)
            if not json:
                say()
                print_table(suite.table(measured))
                for line in suite.remarks(measured):
                    say(line)
    if json:
        print_json(suite.as_dict(here, session, found))
    else:
        say()
        say("\n".join(suite.outcome(found, session)))
