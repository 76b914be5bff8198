"""Figures: SVG and PNG files, and SVG elements for pages; figures are made here alone.

The same data always give the same bytes of SVG.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.files import write_atomic
from evorrn.base.text import figure as digits
from evorrn.lab.report.style import GRID, INK, MUTED, SERIES, STYLE

Draw = Callable[..., Any]


@contextmanager
def sheet(
    target: Path | io.BytesIO, width: float, height: float, rows: int = 1, columns: int = 1
) -> Iterator[list[Any]]:
    """Give the axes of a new figure to a block, and write the figure after the block.

    The target is a file that ends in ``.svg`` or ``.png``, or a buffer for SVG; width and height are in inches.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    in_file = isinstance(target, Path)
    kind = target.suffix.lstrip(".") if isinstance(target, Path) else "svg"
    with rc_context(rc=STYLE):
        figure = Figure(figsize=(width, height), facecolor="white" if in_file else "none")
        (FigureCanvasSVG if kind == "svg" else FigureCanvasAgg)(figure)
        yield list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes in figure.axes:
            axes.set_facecolor("none")
        content = rendered(figure, kind)
    if isinstance(target, Path):
        write_atomic(target, content)
    else:
        target.write(content)


def rendered(figure: Any, kind: str) -> bytes:
    """Lay a figure out and return it as the content of a file, of kind ``"svg"`` or ``"png"``."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if any(axes.get_in_layout() for axes in figure.axes):
        ConstrainedLayoutEngine().execute(figure)  # once: with an engine of its own a figure is drawn twice
    buffer, metadata = io.BytesIO(), {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    return buffer.getvalue()


def inline_svg(draw: Draw, width: float, height: float, name: str) -> str:
    """Return a plot as an SVG element, in the fonts and colours of the page that contains it.

    Parameters
    ----------
    draw : callable
        Draws on a pair of axes.
    width, height : float
        In inches.
    name : str
        Unique on the page: a prefix of the ids in the element. With what `described` says of the axes it is the label
        for screen readers.

    Notes
    -----
    Colours become CSS variables of the page: ``--ink``, ``--muted``, ``--grid`` and ``--series-1`` to
    ``--series-6``.
    """
    buffer = io.BytesIO()
    with sheet(buffer, width, height) as (axes,):
        figure = axes.figure
        draw(axes)
        label = html.escape(". ".join(filter(None, [name, *map(described, figure.axes)])))
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    slug = re.sub(r"\W+", "-", name)
    text = re.sub(r'\bid="', f'id="{slug}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\1{slug}-", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(font(-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1var(--font)", text)
    variables = {INK: "--ink", MUTED: "--muted", GRID: "--grid"}
    variables |= {colour: f"--series-{place}" for place, colour in enumerate(SERIES, 1)}
    for colour, variable in variables.items():
        text = text.replace(colour, f"var({variable})")
    head, _, body = text.partition(">")
    head = re.sub(r' (width|height|version|xmlns(:\w+)?)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{label}">' + body.replace(
        "*{stroke", f"#{slug}-figure_1 *{{stroke"
    )


def described(axes: Any) -> str:
    """Return in words what a pair of axes shows: their labels, the rows by name, and where each named line ends."""
    x, y = axes.get_xlabel(), axes.get_ylabel()
    parts = [text for text in (f"{y} against {x}" if x and y else x or y, axes.get_title("left")) if text]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    if not y and all(rows):
        parts.append(f"rows from the top: {', '.join(rows)}")
    for line in axes.get_lines():
        values = np.asarray(line.get_ydata(), dtype=np.float64)
        finite = values[np.isfinite(values)]
        if len(finite) > 1 and not str(line.get_label()).startswith("_"):
            parts.append(f"{line.get_label()}: from {digits(finite[0])} to {digits(finite[-1])}")
    return "; ".join(parts)
