"""A network unrolled in time: its layers at three time steps, and the weights that lead from one to the other."""

from __future__ import annotations

from typing import Any

from evorrn.base.text import counted
from evorrn.compile.blocks import INPUT, RECURRENT
from evorrn.lab.report.style import INK, MUTED, SERIES, Axes
from evorrn.network.network import Network

WIDTH = 10.0
"""In inches."""
COLUMN, ROW, BOX_WIDTH, BOX_HEIGHT, STUB = 3.1, 1.25, 1.5, 0.62, 0.55
"""In inches: between time steps, between layers, the size of a box, and an arrow from or to what is not drawn."""
LETTERS = 16
"""Largest number of letters between two boxes."""
TIMES = ("t − 1", "t", "t + 1")


def unrolled_height(network: Network) -> float:
    """Return the height of the picture in inches."""
    return ROW * (len(network.hidden) + 1) + 1.35


def draw_unrolled(axes: Axes, network: Network) -> None:
    """Draw input, layers and readout at three time steps, and all connections; weights are the same at each step."""
    layers = len(network.hidden)
    names = {
        row: f"{cell.name}\n{counted(units, 'unit')}"
        for row, (cell, units) in enumerate(zip(network.cells, network.hidden), 1)
    }
    names[layers + 1] = f"y\n{counted(network.outputs, 'output')}"
    if network.inputs:
        names[0] = f"x\n{counted(network.inputs, 'input')}"
    axes.set_axis_off()
    axes.set(xlim=(-1.3, WIDTH - 1.3), ylim=(-0.75, unrolled_height(network) - 0.75), aspect="equal")
    for column, time in enumerate(TIMES):
        axes.text(_middle(column), -0.62, time, ha="center", fontsize=11, color=MUTED)
        for row, text in names.items():
            _box(axes, _middle(column), row * ROW, text, SERIES[0] if 0 < row <= layers else MUTED)
        _draw_within(axes, _middle(column), network)
    for column in range(-1, len(TIMES)):
        _draw_onwards(axes, column, network)
    middle = _middle(1)
    for row in range(0 if network.inputs else 1, layers + 1):
        _note(
            axes,
            (middle + 0.08, (row + 0.5) * ROW),
            _weights(network, row, INPUT) if row < layers else "W",
            "left",
        )
    if network.direct and network.inputs:
        _note(axes, (middle - BOX_WIDTH / 2 - 0.1, (layers + 0.5) * ROW), "W_x", "right")
    for layer in range(layers):
        text = _listed(list(network.cells[layer].states), ", ")
        between, height = _middle(0.5), (layer + 1) * ROW
        _note(axes, (between, height + 0.15), text, "center", SERIES[1], 9)
        _note(axes, (between, height - 0.17), _weights(network, layer, RECURRENT), "center", SERIES[1])


def _draw_within(axes: Axes, x: float, network: Network) -> None:
    """Draw the connections within a time step."""
    layers = len(network.hidden)
    for row in range(0 if network.inputs else 1, layers + 1):
        _arrow(axes, (x, row * ROW + BOX_HEIGHT / 2), (x, (row + 1) * ROW - BOX_HEIGHT / 2))
    beside = [(row, 1) for row in range(1, layers) if network.reads == "all"]
    if network.direct and network.inputs:
        beside.append((0, -1))
    for row, side in beside:
        edge = x + side * BOX_WIDTH / 2
        _arrow(axes, (edge, row * ROW), (edge, (layers + 1) * ROW), bend=0.45 * side)


def _draw_onwards(axes: Axes, column: int, network: Network) -> None:
    """Draw the connections from a time step to the next."""
    start, end = _middle(column) + BOX_WIDTH / 2, _middle(column + 1) - BOX_WIDTH / 2
    first, last = column < 0, column == len(TIMES) - 1
    for row in range(1, len(network.hidden) + 1):
        ends = (end - STUB if first else start, row * ROW), (start + STUB if last else end, row * ROW)
        _arrow(axes, *ends, colour=SERIES[1])
    if network.feeds_back and not (first or last):
        seeing = [row for row, cell in enumerate(network.cells, 1) if cell.sees_output]
        for row in seeing or [1]:
            high = (start, (len(network.hidden) + 1) * ROW - 0.1)
            _arrow(axes, high, (end, row * ROW + 0.15), colour=SERIES[3], dashed=True)


def _middle(column: float) -> float:
    """Return the place of the boxes of a time step."""
    return column * COLUMN + BOX_WIDTH / 2


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
    style: Any = "round,pad=0,rounding_size=0.1"
    axes.add_patch(
        FancyBboxPatch(
            corner, BOX_WIDTH, BOX_HEIGHT, boxstyle=style, facecolor="white", edgecolor=colour, linewidth=1.6
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9.5, color=INK, linespacing=1.25)


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    colour: str = INK,
    bend: float = 0.0,
    dashed: bool = False,
) -> None:
    shape = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
    if bend:
        shape["connectionstyle"] = f"arc3,rad={bend}"
    if dashed:
        shape["linestyle"] = (0, (4, 2))
    axes.annotate("", end, start, arrowprops=shape)


def _note(
    axes: Axes, place: tuple[float, float], text: str, side: str, colour: str = MUTED, size: float = 7.5
) -> None:
    """Write the name of a state or of weights over what is drawn."""
    if text:
        patch = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.text(*place, text, ha=side, va="center", fontsize=size, color=colour, bbox=patch, zorder=4)


def _weights(network: Network, layer: int, role: str) -> str:
    """Return the names of the weights of a layer that have a role; of many the first and the last."""
    names = [block.parameter for block in network.layout if block.layer == layer and block.role == role]
    return _listed(list(dict.fromkeys(names)), " ")


def _listed(names: list[str], between: str) -> str:
    """Return names that fit between two boxes; of many the first and the last."""
    whole = between.join(names)
    return whole if len(whole) <= LETTERS else f"{names[0]} … {names[-1]}"
