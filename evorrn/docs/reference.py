"""The pages of the reference, in Markdown, made from the docstrings and declarations of the package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from evorrn.docs.docstrings import as_markdown, documented
from evorrn.docs.equations import tex
from evorrn.lab import catalogue
from evorrn.lab.report.tables import Table


def reference_page(name: str) -> str:
    """Return a page of the reference in Markdown by its name, for instance ``reference/cells``."""
    return _MAKERS[name]()


def cells_page() -> str:
    """Return every cell: where it is from, its equations, its parameters and options."""
    parts = [
        "# Cells",
        "Every cell that the package contains. The equations are typeset from the source of the cell, so they are "
        "the equations that run. "
        r"A product of vectors, $\odot$, is entry by entry; $\sigma$ is the logistic function; the index $t-1$ marks "
        "a value of the time step before. `activation` is an option of the cell, the hyperbolic tangent by default. "
        "Names of functions that are written out are helpers in the file of the cell.",
    ]
    for name, cell in catalogue.KINDS["cells"].all().items():
        page = catalogue.cell_page(cell)
        parts += [f"## {name}", as_markdown(inspect.getdoc(cell.function) or ""), _math(tex(cell))]
        source = f"```python\n{page.source}\n```"
        parts += ["<details><summary>source</summary>", source, "</details>"]
        parts += [*([as_markdown(page.text)] if page.text else []), *_tables(page.tables)]
    return "\n\n".join(parts)


def strategies_page() -> str:
    """Return every strategy: what it does and its settings."""
    parts = ["# Strategies", "Every way of training, by its name on the command line, with all its settings."]
    for name, kind in catalogue.KINDS["strategies"].all().items():
        page = catalogue.strategy_page(kind)
        parts += [f"## {name}", f"`evorrn.{kind.__name__}`" if _public(kind) else f"`{kind.__name__}`"]
        parts += [as_markdown(page.text), *_tables(page.tables)]
    return "\n\n".join(parts)


def tasks_page() -> str:
    """Return every task and environment: what is asked, its settings, published values, recommended networks."""
    parts = [
        "# Tasks and environments",
        "Every task by its name, with its settings and what is recommended for it.",
    ]
    for name, kind in catalogue.KINDS["tasks"].all().items():
        control = hasattr(kind, "observe")
        page = catalogue.environment_page(kind, {}) if control else catalogue.task_page(kind)
        tables = [table for table in page.tables if table.heading != "recommended"]
        parts += [f"## {name}", as_markdown(page.text), *_tables(tables)]
    return "\n\n".join(parts)


def python_page() -> str:
    """Return every public name of the packages for users, with its docstring."""
    parts = [
        "# Python names",
        "Everything that is imported from `evorrn` itself, and the packages beside it. "
        "What is not on this page may change from one version to the next.",
    ]
    for package, names in _packages():
        parts += [f"## {package}"]
        for name, value in names:
            parts += [f"### {name}", documented(value, name)]
            if inspect.isclass(value) and name not in _SETTINGS_ONLY:
                parts += [_methods(value)]
    return "\n\n".join(part for part in parts if part)


_SETTINGS_ONLY = {"Recommended", "Reference"}

_MAKERS: dict[str, Callable[[], str]] = {
    "reference/cells": cells_page,
    "reference/strategies": strategies_page,
    "reference/tasks": tasks_page,
    "reference/python": python_page,
}


def _packages() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yield each package for users with its public names; strategies have a page of their own."""
    import evorrn
    from evorrn import associative, automata, diagnostics, testing

    known = set(catalogue.KINDS["strategies"].all().values())
    public = [(name, getattr(evorrn, name)) for name in _names(evorrn)]
    yield "evorrn", [(name, value) for name, value in public if callable(value) and value not in known]
    for package in (diagnostics, associative, automata, testing):
        values = [(name, getattr(package, name)) for name in _names(package)]
        yield package.__name__, [(name, value) for name, value in values if callable(value)]


def _names(package: ModuleType) -> list[str]:
    """Return the public names of a package, sorted."""
    named: list[str] = getattr(package, "__all__", None) or [
        n for n in dir(package) if n.startswith("check_")
    ]
    return sorted(named)


def _methods(kind: type) -> str:
    """Return the public methods of a class that have docstrings, a line each."""
    found = []
    for name, value in inspect.getmembers(kind):
        doc = inspect.getdoc(value)
        if name.startswith("_") or not doc or not (inspect.isroutine(value) or isinstance(value, property)):
            continue
        call = "" if isinstance(value, property) else "()"
        found.append(
            f"- `.{name}{call}`: {as_markdown(doc.partition(chr(10) + chr(10))[0])}".replace("\n", " ")
        )
    return "\n".join(found)


def _public(kind: type) -> bool:
    import evorrn

    return kind.__name__ in _names(evorrn)


def _math(lines: list[str]) -> str:
    return "```math\n" + "\n".join(lines) + "\n```"


def _tables(tables: list[Table]) -> list[str]:
    """Return tables of the catalogue in Markdown."""
    found = []
    for table in tables:
        if not table.entries:
            continue
        lines = [
            f"| {' | '.join(_cell(text) for text in table.columns)} |",
            "|---" * len(table.columns) + "|",
        ]
        lines += [f"| {' | '.join(_cell(text) for text in entry.cells)} |" for entry in table.entries]
        found += [*([f"*{table.heading}*"] if table.heading else []), "\n".join(lines)]
    return found


def _cell(text: str) -> str:
    return as_markdown(str(text)).replace("|", "\\|").replace("\n", " ")
