"""Pages: HTML files that need nothing but themselves, from templates that extend one base."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evorrn.base.text import amount, figure, interval
from evorrn.lab.report.figures import inline_svg
from evorrn.lab.report.style import SERIES

ENVIRONMENT = (
    "evorrn",
    "results_version",
    "git",
    "python",
    "platform",
    "cpu",
    "cores",
    "libraries",
    "numba",
    "blas",
    "threads",
    "host",
)
"""Entries of an environment that pages show."""


class Figure(NamedTuple):
    """A plot on a page: an SVG element and its caption."""

    svg: Any
    caption: str = ""


def make_figure(
    name: str, size: tuple[float, float], draw: Callable[..., Any], *given: Any, caption: str = ""
) -> Figure:
    """Return the figure that `draw` makes when called with a pair of axes and what is `given`.

    The name is unique on the page, see `inline_svg`; the size is width and height in inches.
    """
    from markupsafe import Markup

    return Figure(Markup(inline_svg(lambda axes: draw(axes, *given), *size, name)), caption)


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return the page of a template."""
    import jinja2

    templates = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages = jinja2.Environment(
        loader=templates,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    pages.filters.update(amount=amount, figure=figure, interval=interval)
    return pages.get_template(template).render(**content)


def colour_number(place: int) -> int:
    """Return the number, from 1, of the colour of a way of training at a place."""
    return place % len(SERIES) + 1


def environment_rows(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the entries of an environment as names and texts."""
    return [(name, settings_text(content[name])) for name in ENVIRONMENT if content.get(name)]


def settings_text(value: Any) -> str:
    """Return settings as a line of text, inner tables in brackets; empty tables and lists are left out."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_inner(item)}" for name, item in value.items() if item not in ({}, []))
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{settings_text(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inner(item) for item in value)}]"
    return "none" if value is None else str(value)
