"""Labels that are characters, written as text: the truth in a line, the characters of a network below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evorrn.lab.report.style import INK, MUTED, SERIES, Axes
from evorrn.training.symbols import Alphabet

COLUMNS, LINE = 60, 0.145
"""Characters of a line, and the height of one in inches."""
SHOWN = {"\n": "↵", "\t": "⇥", "\r": "↵", "": "\ufffd"}
"""What is drawn in place of characters that cannot be seen."""
BLANK = "␣"
WRONG = {"facecolor": "#f6d9c9", "edgecolor": "none", "pad": 0.8}


def signs_of(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return what is drawn for each label, None where some label is no character."""
    signs = Alphabet(tuple(names)).signs if names else None
    return None if signs is None else tuple(SHOWN.get(sign, sign) for sign in signs)


def text_height(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the height in inches of a picture of labels (n,)."""
    lines = max((row for row, _ in places(truth, predicted)), default=0) + 1
    return 0.75 + 3 * LINE * lines


def places(truth: np.ndarray, predicted: np.ndarray) -> list[tuple[int, int]]:
    """Return row and column of each label; where a sequence begins that does not fit into the rest of a row, so does a row."""
    gap = ~(np.isfinite(truth) | np.isfinite(predicted))
    ends = np.append(np.flatnonzero(gap), len(gap))
    found: list[tuple[int, int]] = []
    row = column = 0
    for place in range(len(gap)):
        new = place > 0 and gap[place - 1] and not gap[place]
        length = int(ends[np.searchsorted(ends, place)]) - place if new else 1
        if column >= COLUMNS or (new and column and column + length > COLUMNS):
            row, column = row + 1, 0
        if not (gap[place] and column == 0):
            found.append((row, column))
            column += 1
        else:
            found.append((row, 0))
    return found


def draw_characters(
    axes: Axes, truth: np.ndarray, predicted: np.ndarray, signs: Sequence[str], name: str, place: int = 0
) -> None:
    """Draw labels (n,), NaN where there is none, as text; what is wrong stands on a ground of its own."""
    colour = SERIES[place % len(SERIES)]
    last = 0
    for (row, column), true, said in zip(places(truth, predicted), truth, predicted):
        last = max(last, row)
        look = {"family": "DejaVu Sans Mono", "fontsize": 8.5, "ha": "center", "va": "center"}
        if np.isfinite(true):
            axes.text(column, 3 * row, _drawable(signs[int(true)]), color=INK, **look)
        if np.isfinite(said) or np.isfinite(true):
            wrong = true != said
            sign = _drawable(signs[int(said)]) if np.isfinite(said) else BLANK
            sign = BLANK if wrong and sign == " " else sign
            ground = {"bbox": WRONG} if wrong else {}
            axes.text(column, 3 * row + 1, sign, color=INK if wrong else colour, **look, **ground)
    lines = range(last + 1)
    axes.set(xlim=(-1, COLUMNS), ylim=(3 * last + 2, -1))
    axes.set_yticks([y for k in lines for y in (3 * k, 3 * k + 1)], ["truth", name] * (last + 1))
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.tick_params(left=False, labelsize=8, labelcolor=MUTED)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("characters of test; what is wrong has a ground of its own")


def _drawable(sign: str) -> str:
    """Return a character that the font has, else the sign for one that is not known."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans Mono")))
    return sign if font.get_char_index(ord(sign)) else "\ufffd"
