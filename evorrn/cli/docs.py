"""``evorrn docs``: the documentation, in a browser and without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def docs(
    context: typer.Context,
    page: Annotated[
        str, typer.Argument(help="A page by its name, for instance start, forecaster, gates or cells.")
    ] = "index",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Write the pages to this folder, for instance for a web server, and open none."
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print where the page is; open no browser.")
    ] = False,
) -> None:
    """Open the documentation in a browser. The pages are on this machine; nothing is fetched from a network."""
    import webbrowser

    from evorrn.cli.command_pages import commands_page
    from evorrn.cli.output import say
    from evorrn.docs.site import build, page_file, site

    commands = commands_page(context.find_root().command)
    if to is not None:
        build(to, commands)
        say(str(page_file(to, page)))
        return
    path = page_file(site(commands), page)
    say(str(path))
    if not no_browser:
        webbrowser.open(path.as_uri())
