"""The command ``evorrn``: its options and its commands."""

from __future__ import annotations

from typing import Annotated

import typer

import evorrn
from evorrn.cli.automaton import automaton
from evorrn.cli.bench import bench
from evorrn.cli.catalogue import list_, show
from evorrn.cli.compare import compare, report
from evorrn.cli.diagnose import diagnose
from evorrn.cli.docs import docs
from evorrn.cli.export import export
from evorrn.cli.reproduce import reproduce
from evorrn.cli.results import diff, results
from evorrn.cli.run import run
from evorrn.cli.sample import sample
from evorrn.cli.sweep import sweep
from evorrn.cli.use import forecast, predict

app = typer.Typer(
    name="evorrn",
    help="A laboratory for training recurrent networks in more than one way, and comparing the ways fairly.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(asked: bool) -> None:
    if asked:
        print(f"evorrn {evorrn.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


app.command()(run)
app.command()(compare)
app.command()(reproduce)
app.command()(predict)
app.command()(forecast)
app.command()(sample)
app.command()(export)
app.command()(automaton)
app.command()(diagnose)
app.command("list")(list_)
app.command()(show)
app.add_typer(sweep, name="sweep")
app.command()(results)
app.command()(diff)
app.command()(report)
app.command()(bench)
app.command()(docs)

command = typer.main.get_command(app)
"""The Click command of `app`. Calling `app` would make it again each time."""
