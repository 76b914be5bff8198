"""A genome as a picture: each named block a heat map, all with one scale of colours and one of lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.lab.report.style import INK, MUTED, Axes, short

WIDTH, HEIGHT = 7.2, 3.4
"""In inches; only blocks drawn with the shortest sides may be higher."""
LONG, SHORT, LARGEST_CELL, THINNEST = (6.5, 4.5, 3.2, 2.3), 1.62, 0.3, 0.13
"""In inches: candidates for the longest side of a block, the side of a gene, the shortest side of a block."""
MARGIN, GAP, CAPTION, LETTER = 0.1, 0.16, 0.3, 0.072
"""In inches: around the picture, between blocks, above each block, and the width of a letter."""
BAR_WIDTH, BAR_HEIGHT, BAR_ROOM = 3.0, 0.11, 0.5
FAR = 50
"""Ratio of the largest gene to the median gene above which the scale is logarithmic."""
NEGATIVE, POSITIVE = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0)
RESOLUTION = 256
"""Largest number of rows or columns that are drawn gene by gene."""


def colour_scale(genes: np.ndarray) -> tuple[Any, bool]:
    """Return a symmetric matplotlib norm for the genes of a genome, and whether some lie beyond its ends.

    The scale ends at the largest gene, or at the 99th percentile where a few genes exceed twice that. Where
    genes differ by orders of magnitude, as solved readouts and random weights do, it is linear up to the
    median gene and logarithmic beyond.
    """
    from matplotlib.colors import CenteredNorm, SymLogNorm

    sizes = np.abs(genes[np.isfinite(genes) & (genes != 0)])
    if not sizes.size:
        return CenteredNorm(halfrange=1.0), False
    largest, middle, usual = float(sizes.max()), float(np.median(sizes)), float(np.quantile(sizes, 0.99))
    if largest > FAR * middle:
        return SymLogNorm(middle, vmin=-largest, vmax=largest), False
    clipped = largest > 2 * usual
    return CenteredNorm(halfrange=usual if clipped else largest), clipped


def draw_genome(axes: Axes, blocks: Mapping[str, np.ndarray]) -> None:
    """Draw each named block as its matrix, a vector as a column, and the scale of colours below.

    The rows of a block are the units that a weight leads to. The figure is as large as `WIDTH` and `genome_height`
    say, with margins; lengths in it are inches.

    Notes
    -----
    A gene's colour is the more transparent the closer the gene is to 0: 0 shows the page, light or dark.
    """
    from matplotlib.colors import LinearSegmentedColormap

    matrices = {name: _matrix(block) for name, block in blocks.items()}
    norm, clipped = colour_scale(np.concatenate([matrix.ravel() for matrix in matrices.values()]))
    ends = [(*NEGATIVE, 1.0), (*NEGATIVE, 0.0), (*POSITIVE, 0.0), (*POSITIVE, 1.0)]
    colours = LinearSegmentedColormap.from_list("genes", list(zip((0, 0.5, 0.5, 1), ends)), N=511)
    height = genome_height(blocks)
    axes.set_axis_off()
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    wide, high = axes.figure.get_size_inches()
    axes.set_position((MARGIN / wide, MARGIN / high, WIDTH / wide, height / high))
    for (name, matrix), place in zip(matrices.items(), _places(blocks)):
        shown = np.nan_to_num(_tiles(matrix), posinf=norm.vmax, neginf=norm.vmin)
        _picture(axes, shown, place, {"cmap": colours, "norm": norm})
        x, y, *_ = place
        axes.text(x, y - 0.17, name, fontsize=8, color=INK)
        axes.text(x, y - 0.045, " × ".join(map(str, np.shape(blocks[name]))), fontsize=7, color=MUTED)
    top, gradient = height - 0.3, np.linspace(0, 1, 101)[None]
    _picture(axes, gradient, (0, top, BAR_WIDTH, BAR_HEIGHT), {"cmap": colours, "vmin": 0, "vmax": 1})
    labels = _labels(norm.inverse(np.linspace(0, 1, 5)), clipped)
    for number, (label, side) in enumerate(zip(labels, ("left", "center", "center", "center", "right"))):
        axes.text(number / 4 * BAR_WIDTH, height - 0.03, label, fontsize=8, color=INK, ha=side)
    text = "row: the unit that a weight leads to; column: where it comes from"
    axes.text(BAR_WIDTH + 0.3, top + BAR_HEIGHT - 0.01, text, fontsize=8, color=MUTED)


def genome_height(blocks: Mapping[str, np.ndarray]) -> float:
    """Return the height of a genome's picture in inches, without margins; it is `WIDTH` wide."""
    return max(y + high for _, y, _, high in _places(blocks)) + BAR_ROOM


def _labels(marks: np.ndarray, clipped: bool) -> list[str]:
    """Return the labels of the scale's ends, quarters and 0; ends beyond which there are genes say so."""
    texts = [short(float(f"{mark:.2g}")).replace("-", "\N{MINUS SIGN}") for mark in marks]
    return [f"≤ {texts[0]}", *texts[1:-1], f"≥ {texts[-1]}"] if clipped else texts


def _places(blocks: Mapping[str, np.ndarray]) -> list[tuple[float, float, float, float]]:
    """Return left, top, width and height of each block, arranged in lines like the words of a text."""
    for longest in LONG:
        places = _lines(blocks, longest)
        if max(y + high for _, y, _, high in places) <= HEIGHT:
            return places
    return _lines(blocks, SHORT)


def _lines(blocks: Mapping[str, np.ndarray], longest: float) -> list[tuple[float, float, float, float]]:
    """Return the places of the blocks for a given length of the longest side."""
    shapes = [_matrix(block).shape for block in blocks.values()]
    cell = min(longest / max(max(shape) for shape in shapes), LARGEST_CELL)
    places, x, top, tallest = [], 0.0, 0.0, 0.0
    for name, (rows, columns), block in zip(blocks, shapes, blocks.values()):
        wide, high = max(columns * cell, THINNEST), max(rows * cell, THINNEST)
        letters = max(len(name), 3 * np.ndim(block))
        slot = max(wide, LETTER * letters)
        if x > 0 and x + slot > WIDTH:
            x, top, tallest = 0.0, top + CAPTION + tallest + GAP, 0.0
        places.append((x, top + CAPTION, wide, high))
        x, tallest = x + slot + GAP, max(tallest, high)
    return places


def _matrix(block: np.ndarray) -> np.ndarray:
    """Return a block as a matrix, a vector as a column."""
    values = np.asarray(block, dtype=np.float64)
    return values if values.ndim == 2 else values.reshape(-1, 1)


def _tiles(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix of at most `RESOLUTION` rows and columns.

    In a larger one each tile is the root mean square of its genes, with the sign of their sum.
    """
    if max(matrix.shape) <= RESOLUTION:
        return matrix
    ends = [np.linspace(0, size, min(size, RESOLUTION) + 1).round().astype(int)[:-1] for size in matrix.shape]
    sums, squares, counts = (
        np.add.reduceat(np.add.reduceat(values, ends[0], axis=0), ends[1], axis=1)
        for values in (matrix, np.square(matrix), np.ones_like(matrix))
    )
    return np.asarray(np.sign(sums) * np.sqrt(squares / counts))


def _picture(
    axes: Axes, values: np.ndarray, place: tuple[float, float, float, float], colours: dict[str, Any]
) -> None:
    """Draw values (rows, columns) as an image with a frame, at left, top, width and height."""
    x, y, wide, high = place
    extent = (x, x + wide, y + high, y)
    axes.imshow(values, extent=extent, aspect="auto", interpolation="none", **colours)
    corners = [x, x + wide, x + wide, x, x], [y, y, y + high, y + high, y]
    axes.plot(*corners, color=MUTED, linewidth=0.5, zorder=3, solid_joinstyle="miter")
