"""Pictures of signal-flow graphs: a cell's step, and beside it its reversal and its tangent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evorrn.base.files import write_atomic
from evorrn.compile.cell import Cell
from evorrn.lab.report.figures import sheet
from evorrn.lab.report.style import INK, MUTED, SERIES, Axes
from evorrn.lab.study.signal_flow import Flow, Node, flows

COLUMN, ROW = 0.82, 0.46
"""In inches: between columns and between rows."""
SPACE = 0.62
"""Height of a title in inches."""
COLOURS = {"signal": SERIES[0], "gain": SERIES[1], "weight": SERIES[3], "constant": MUTED}


def draw_cell(cell: Cell, folder: Path) -> list[Path]:
    """Draw the signal-flow graphs of a cell as SVG and PNG, write them for Graphviz, and return the files."""
    found = flows(cell)
    stem = cell.name.replace("/", "-")
    files = [folder / f"{stem}-graph.{kind}" for kind in ("svg", "png", "dot")]
    width = COLUMN * max(flow.columns for flow in found) + 0.4
    heights = [ROW * max(flow.rows, 2) + SPACE for flow in found]
    for path in files[:2]:
        with sheet(path, width, sum(heights) + 0.3) as (axes,):
            axes.set_axis_off()
            axes.set_position((0, 0, 1, 1))
            axes.set_in_layout(False)
            axes.set(xlim=(0, width), ylim=(sum(heights) + 0.3, 0))
            top = 0.15
            for flow, height in zip(found, heights):
                _draw(axes, flow, top, width)
                top += height
    write_atomic(files[2], "\n".join(flow.dot() for flow in found).encode())
    return files


def _draw(axes: Axes, flow: Flow, top: float, width: float) -> None:
    """Draw one graph under its title, from `top` on, in inches."""
    axes.text(0.15, top + 0.12, flow.title, fontsize=11, weight="bold", color=INK, va="center")
    left = (width - COLUMN * flow.columns) / 2
    places = {
        key: (left + COLUMN * (node.column + 0.5), top + 0.35 + ROW * node.row)
        for key, node in flow.nodes.items()
    }
    for start, end in flow.arrows:
        quiet = flow.nodes[start].kind == "constant"
        shape: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "linewidth": 0.8}
        one, other = flow.nodes[start], flow.nodes[end]
        if abs(one.column - other.column) > 1 and abs(one.row - other.row) < 0.5:  # around what lies between
            shape["connectionstyle"] = "arc3,rad=0.2"
        shape |= {"color": MUTED if quiet else INK, "shrinkA": 9, "shrinkB": 10}
        axes.annotate("", places[end], places[start], arrowprops=shape)
    for key, node in flow.nodes.items():
        _draw_node(axes, node, places[key], flow.leftward)


def _draw_node(axes: Axes, node: Node, place: tuple[float, float], leftward: bool) -> None:
    colour = COLOURS.get(node.kind, INK)
    framed = node.kind in ("op", "gain", "weight")
    style = {"op": "circle,pad=0.22", "gain": "larrow,pad=0.16" if leftward else "rarrow,pad=0.16"}.get(
        node.kind, "round,pad=0.18"
    )
    if node.kind == "op" and len(node.text) > 1:
        style = "round,pad=0.22"
    frame = {
        "boxstyle": style,
        "facecolor": "white",
        "edgecolor": colour if framed else "none",
        "linewidth": 1.0,
    }
    size = 9.0 if node.kind == "signal" or len(node.text) < 3 else 7.0
    axes.text(*place, node.text, ha="center", va="center", fontsize=size, color=colour, bbox=frame, zorder=3)
