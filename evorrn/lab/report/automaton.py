"""The picture of an automaton: states on a circle, accepting ones with a double rim, arrows with their symbols."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.automata.dfa import DFA
from evorrn.automata.drawing import arrows
from evorrn.lab.report.figures import sheet
from evorrn.lab.report.style import INK, LEGEND_LETTER, MUTED, SERIES

RADIUS, BEND, LOOP = 0.3, 0.22, 3.1
"""Radius of a state, bend of an arrow by its length, and reach of an arrow to its own state by the radius."""

TITLE_SIZE = 9
ARROW: dict[str, Any] = {
    "arrowstyle": "-|>",
    "mutation_scale": 11,
    "color": MUTED,
    "linewidth": 1.1,
    "zorder": 2,
}


def automaton_plot(dfa: DFA, path: Path, title: str = "") -> None:
    """Draw an automaton to an ``.svg`` or ``.png`` file."""
    low, high = _limits(_places(dfa)[0])
    width, height = np.minimum(1.1 * (high - low), 14.0)
    width = max(float(width), 4.0)
    lines = textwrap.wrap(title, int(72 * width / (TITLE_SIZE * LEGEND_LETTER)) - 4)
    with sheet(path, width, float(height) + 0.2 * (1 + len(lines))) as (axes,):
        draw_automaton(axes, dfa)
        axes.set_title("\n".join(lines), loc="left", fontsize=TITLE_SIZE)


def draw_automaton(axes: Any, dfa: DFA) -> None:
    """Draw an automaton: the start on the left, with an arrow from nowhere, the other states clockwise."""
    from matplotlib.patches import Circle

    places, outward = _places(dfa)
    for state, place in enumerate(places):
        accepts = bool(dfa.accepting[state])
        look: dict[str, Any] = {
            "facecolor": "white",
            "edgecolor": SERIES[0] if accepts else MUTED,
            "linewidth": 1.6,
            "zorder": 3,
        }
        axes.add_patch(Circle(place, RADIUS, **look))
        if accepts:
            axes.add_patch(Circle(place, 0.8 * RADIUS, **{**look, "linewidth": 1.2}))
        axes.text(*place, str(state), ha="center", va="center", color=INK, zorder=4)
    for (state, following), label in arrows(dfa.transitions, dfa.symbols).items():
        if state == following:
            side = 0.85 if state == dfa.start else 0.0
            _loop(axes, places[state], outward[state] + side, label)
        else:
            _arrow(axes, places[state], places[following], label)
    entry = places[dfa.start] + _unit(outward[dfa.start]) * (RADIUS + 0.45)
    axes.annotate(
        "",
        places[dfa.start] + _unit(outward[dfa.start]) * RADIUS,
        entry,
        arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0},
    )
    low, high = _limits(places)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.axis("off")


def _places(dfa: DFA) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of the states (S, 2) and the directions away from the middle (S,), in radians."""
    order = (np.arange(dfa.states) - dfa.start) % dfa.states
    angles = np.pi - 2 * np.pi * order / dfa.states
    radius = 0.0 if dfa.states == 1 else max(0.85, 0.85 / np.sin(np.pi / max(dfa.states, 2)))
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), angles


def _limits(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper limits (2,) of a picture in which states and their arrows have room."""
    room = RADIUS * (1 + 0.82 * LOOP)
    return places.min(axis=0) - room, places.max(axis=0) + room


def _arrow(axes: Any, start: np.ndarray, end: np.ndarray, label: str) -> None:
    """Draw an arrow from one state to another, bent to its left, with its label at the bend."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    along = end - start
    bend = start + along / 2 + BEND * np.array([along[1], -along[0]])
    first = start + RADIUS * _direction(bend - start)
    last = end + RADIUS * _direction(bend - end)
    axes.add_patch(FancyArrowPatch(path=Curve([first, bend, last], [1, 3, 3]), **ARROW))
    _label(axes, (first + 2 * bend + last) / 4, label)


def _loop(axes: Any, centre: np.ndarray, angle: float, label: str) -> None:
    """Draw an arrow from a state to itself, in a direction."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    points = [
        centre + RADIUS * reach * _unit(angle + turn)
        for reach, turn in ((1, -0.5), (LOOP, -0.55), (LOOP, 0.55), (1, 0.5))
    ]
    axes.add_patch(FancyArrowPatch(path=Curve(points, [1, 4, 4, 4]), **ARROW))
    _label(axes, centre + RADIUS * 0.82 * LOOP * _unit(angle), label)


def _label(axes: Any, place: np.ndarray, text: str) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    axes.text(*place, text, ha="center", va="center", fontsize=9, color=INK, zorder=5, bbox=box)


def _direction(vector: np.ndarray) -> np.ndarray:
    return vector / np.hypot(*vector)


def _unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])
