"""A genome as a picture: each named block a heat map, all on one scale of colours and one of lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.lab.report.drawing import INK, MUTED, short

Axes = Any

WIDTH, HEIGHT = 7.2, 3.4
"""In inches; blocks whose sides could be no longer than `SHORT` are allowed more height."""
LONG, SHORT, LARGEST_CELL, THINNEST = (6.5, 4.5, 3.2, 2.3), 1.62, 0.3, 0.13
"""In inches: longest sides of a block to choose from, the side of a gene, and the shortest side of a block."""
GAP, CAPTION, LETTER = 0.16, 0.3, 0.072
"""In inches: between blocks, above each of them, and the width of a letter."""
BAR_WIDTH, BAR_HEIGHT, BAR_ROOM = 2.6, 0.11, 0.5
FAR = 50
"""How much larger than the median the largest gene is, for the scale to be logarithmic."""
NEGATIVE, POSITIVE = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0)
RESOLUTION = 256
"""Rows and columns up to which every gene of a block is drawn by itself."""


@dataclass(frozen=True)
class Scale:
    """Which gene has which share of the full colour: symmetric about 0.

    The scale ends at the largest gene, or at the 99th percentile where few genes are more than twice as
    large as that. Where genes are very far apart, as solved readouts are from evolved weights, it is
    linear up to a tenth of their median and logarithmic beyond.

    Parameters
    ----------
    limit : float
        The gene of full colour.
    knee : float or None
        Where the scale turns logarithmic.
    clipped : bool
        Whether genes lie beyond the limit.
    """

    limit: float
    knee: float | None = None
    clipped: bool = False

    @classmethod
    def of(cls, genes: np.ndarray) -> Scale:
        """Return the scale for all genes of a genome."""
        sizes = np.abs(genes[np.isfinite(genes) & (genes != 0)])
        if not sizes.size:
            return cls(1.0)
        largest, middle, usual = float(sizes.max()), float(np.median(sizes)), float(np.quantile(sizes, 0.99))
        if largest > FAR * middle:
            return cls(largest, knee=middle / 10)
        return cls(usual, clipped=True) if largest > 2 * usual else cls(largest)

    def shares(self, genes: np.ndarray) -> np.ndarray:
        """Return shares of the full colour, -1 to 1, for genes of any shape; 0 for what is no number."""
        if self.knee is None:
            found = genes / self.limit
        else:
            found = np.sign(genes) * np.log1p(np.abs(genes) / self.knee) / np.log1p(self.limit / self.knee)
        return np.asarray(np.nan_to_num(np.clip(found, -1, 1), nan=0.0))

    def half(self) -> float:
        """Return the gene of half the full colour."""
        if self.knee is None:
            return self.limit / 2
        return self.knee * float(np.sqrt(1 + self.limit / self.knee) - 1)


def draw_genome(axes: Axes, blocks: Mapping[str, np.ndarray]) -> None:
    """Draw each named block as its matrix, a vector as a column, and the scale of colours below.

    Parameters
    ----------
    axes : Axes
        Of the size that `genome_height` gives; lengths in it are inches.
    blocks : mapping of str to ndarray
        With at most two dimensions: rows are the units that a weight leads to.

    Notes
    -----
    Colours are the more transparent the nearer a gene is to 0, so that 0 is the page, light or dark.
    """
    matrices = {name: _matrix(block) for name, block in blocks.items()}
    scale = Scale.of(np.concatenate([matrix.ravel() for matrix in matrices.values()]))
    height = genome_height(blocks)
    axes.set_axis_off()
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="equal")
    for (name, matrix), (x, y, wide, high) in zip(matrices.items(), _places(blocks)):
        _picture(axes, scale.shares(_tiles(matrix)), (x, y, wide, high))
        axes.text(x, y - 0.17, name, fontsize=8, color=INK)
        axes.text(x, y - 0.045, " × ".join(map(str, np.shape(blocks[name]))), fontsize=7, color=MUTED)
    _bar(axes, height, scale)


def genome_height(blocks: Mapping[str, np.ndarray]) -> float:
    """Return the height of a genome's picture in inches; it is `WIDTH` wide."""
    return max(y + high for _, y, _, high in _places(blocks)) + BAR_ROOM


def _places(blocks: Mapping[str, np.ndarray]) -> list[tuple[float, float, float, float]]:
    """Return left, top, width and height of each block: in lines, like words of a text."""
    for longest in LONG:
        places = _lines(blocks, longest)
        if max(y + high for _, y, _, high in places) <= HEIGHT:
            return places
    return _lines(blocks, SHORT)


def _lines(blocks: Mapping[str, np.ndarray], longest: float) -> list[tuple[float, float, float, float]]:
    """Return the places of the blocks where the longest side of them has a length."""
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

    A tile of a larger one is the root mean square of its genes with the sign of their sum.
    """
    if max(matrix.shape) <= RESOLUTION:
        return matrix
    ends = [np.linspace(0, size, min(size, RESOLUTION) + 1).round().astype(int)[:-1] for size in matrix.shape]
    sums, squares, counts = (
        np.add.reduceat(np.add.reduceat(values, ends[0], axis=0), ends[1], axis=1)
        for values in (matrix, np.square(matrix), np.ones_like(matrix))
    )
    return np.asarray(np.sign(sums) * np.sqrt(squares / counts))


def _picture(axes: Axes, values: np.ndarray, place: tuple[float, float, float, float]) -> None:
    """Draw shares of the full colour (rows, columns) into a frame."""
    x, y, wide, high = place
    colours = np.where((values < 0)[..., None], NEGATIVE, POSITIVE)
    image = np.concatenate([colours, np.abs(values)[..., None]], axis=2)
    extent = (x, x + wide, y + high, y)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="none", zorder=2)
    axes.plot(
        [x, x + wide, x + wide, x, x],
        [y, y, y + high, y + high, y],
        color=MUTED,
        linewidth=0.5,
        zorder=3,
        solid_joinstyle="miter",
    )


def _bar(axes: Axes, height: float, scale: Scale) -> None:
    """Draw the scale of colours at the bottom, and how to read the blocks."""
    top = height - 0.3
    _picture(axes, np.linspace(-1, 1, 101)[None], (0, top, BAR_WIDTH, BAR_HEIGHT))
    end, half = short(float(f"{scale.limit:.2g}")), short(float(f"{scale.half():.2g}"))
    minus = "\N{MINUS SIGN}"
    below, beyond = ("≤ ", "≥ ") if scale.clipped else ("", "")
    labels = [f"{below}{minus}{end}", f"{minus}{half}", "0", half, f"{beyond}{end}"]
    for share, text in zip(np.linspace(0, 1, 5), labels):
        side = {0.0: "left", 1.0: "right"}.get(float(share), "center")
        axes.text(share * BAR_WIDTH, height - 0.03, text, fontsize=8, color=INK, ha=side)
    axes.text(
        BAR_WIDTH + 0.25,
        top + BAR_HEIGHT - 0.01,
        "row: the unit that a weight leads to; column: where it comes from",
        fontsize=8,
        color=MUTED,
    )
