"""Printing: rich where it is a terminal, plain lines where it is not, JSON for programs."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from evorrn.lab.catalogue import Page
    from evorrn.lab.report.tables import Table


def say(text: str = "") -> None:
    """Print a line on stdout."""
    print(text)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    print(f"evorrn: {text}", file=sys.stderr)


def note(text: str) -> None:
    """Print a remark on stderr, where it does not mix with data."""
    print(text, file=sys.stderr)


def silent(_: object) -> None:
    """Print nothing."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Switch the garbage collector off, which would walk repeatedly through the many objects of the block."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def print_json(value: Any) -> None:
    """Print plain data as JSON on stdout; numbers that are not finite as null."""
    from evorrn.base.files import jsonable

    print(json.dumps(jsonable(value), indent=1))


def stdout() -> Console:
    """Return rich's view of stdout."""
    from rich.console import Console

    return Console()


def print_table(table: Table) -> None:
    """Print a table: drawn on a terminal, in aligned columns elsewhere."""
    from evorrn.lab.report.terminal import show

    show([table], stdout())


def print_page(page: Page) -> None:
    """Print a page of the catalogue."""
    parts = [part for part in (page.title, page.text) if part]
    if parts:
        say("\n\n".join(parts))
    if page.source:
        if parts:
            say()
        _print_source(page.source)
    for place, table in enumerate(page.tables):
        if place or parts or page.source:
            say()
        print_table(table)


def _print_source(source: str) -> None:
    if not sys.stdout.isatty():
        say(source)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(source, "python", background_color="default"), soft_wrap=True)
