"""Which numbers the compiled update of an influence matrix reads, and where they go, as arrays of integers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from evorrn.engine.influence.steps import Steps
from evorrn.kernels import machine

FEW_ROWS = 4
"""Up to so many states of a group, each of its weights has a trace a state; beyond, its influence is cut into tiles."""

VECTORS = 4
"""Vectors of a tile, which are the widest block of the product."""

DENSE = 4
"""A column of a group's Jacobian with less than one entry in so many is not part of the product."""


class Stack(NamedTuple):
    """Groups of one size.

    Attributes
    ----------
    rows : ndarray of int, shape (G, K)
        The states of each group.
    weights : ndarray of int, shape (G, M)
        Its weights.
    slopes, sources : ndarray of int, shape (E, G, M)
        The factors of what each weight does at once: the sum of E products.
    """

    rows: np.ndarray
    weights: np.ndarray
    slopes: np.ndarray
    sources: np.ndarray


class Folding(NamedTuple):
    """The tables of `evorrn.engine.influence.kernels.fold`, which describes them."""

    directions: int
    olds: np.ndarray
    targets: np.ndarray
    runs: np.ndarray
    taught: np.ndarray
    coefficients: np.ndarray
    sources: np.ndarray


class Tables(NamedTuple):
    """The arrays that a stack's kernels read.

    Attributes
    ----------
    folded : Folding
    moved : tuple of ndarray
        The tables of `evorrn.engine.influence.kernels.move_tiles` or ``move_traces``.
    jobs, rows, depth, lanes : int
        Tiles or runs of weights of a sequence, rows and dense columns of a group, and lanes of a sequence.
    numbers : int
        Entries of the Jacobian that are kept.
    lane_of : ndarray of int, shape (G, M)
        The lane of each weight.
    work : int
        The multiply-adds of one time step of one sequence.
    traced : bool
        Whether the kernel is ``move_traces``.
    """

    folded: Folding
    moved: tuple[np.ndarray, ...]
    jobs: int
    rows: int
    depth: int
    lanes: int
    numbers: int
    lane_of: np.ndarray
    work: int
    traced: bool


class Plan(NamedTuple):
    """What the tables of a stack are made of.

    Attributes
    ----------
    steps : Steps
    stack : Stack
        Its rows begin with the dense columns of each group.
    reach : ndarray of bool, shape (S, S)
        Entries of the Jacobian that are taken.
    depth : int
        Dense columns of a group.
    folded : tuple
        The fields of `Folding` before the coefficients.
    singles : tuple of ndarray
        Entries of the Jacobian outside the product, and the first of each group.
    numbers : int
        Entries of the Jacobian that are kept.
    least : int
        Lanes of a vector.
    """

    steps: Steps
    stack: Stack
    reach: np.ndarray
    depth: int
    folded: tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    singles: tuple[np.ndarray, np.ndarray]
    numbers: int
    least: int


class Entry(NamedTuple):
    """An entry of a step's Jacobian: its row, its column, and its place among those of a stack."""

    row: int
    column: int
    place: int


def dense_columns(reach: np.ndarray) -> np.ndarray:
    """Return which columns of a group's Jacobian, whose entries `reach` (K, K) marks, are part of the product."""
    if len(reach) <= FEW_ROWS:
        return np.ones(len(reach), bool)
    return reach.sum(axis=0) * DENSE > len(reach)


def tables(steps: Steps, stack: Stack, reach: np.ndarray, depth: int, own: bool) -> Tables:
    """Return the tables of a stack.

    Parameters
    ----------
    steps : Steps
    stack : Stack
        Its rows begin with the dense columns of each group.
    reach : ndarray of bool, shape (S, S)
        Entries of the Jacobian that are taken.
    depth : int
        Dense columns of a group.
    own : bool
        Whether derivatives through products of weights and old states are left out.
    """
    entries = [
        _entries(reach[np.ix_(rows, rows)], rows, depth, group) for group, rows in enumerate(stack.rows)
    ]
    singles = [[e for e in found if e.place < 0] for found in entries]
    count = stack.rows.size * depth
    placed, single = [], [0]
    for found, alone in zip(entries, singles):
        placed += [e for e in found if e.place >= 0]
        placed += [e._replace(place=count + single[-1] + k) for k, e in enumerate(alone)]
        single.append(single[-1] + len(alone))
    folded = _folded(steps, placed, own)
    least = machine.lanes(steps.dtype)
    layout = _traces if stack.rows.shape[1] <= FEW_ROWS else _tiles
    numbers = [(entry, group) for group, alone in enumerate(singles) for entry in alone]
    local = [
        (_at(stack.rows[group], entry.row), _at(stack.rows[group], entry.column), count + k)
        for k, (entry, group) in enumerate(numbers)
    ]
    about = _array(local, 3, np.int32), np.array(single)
    return layout(Plan(steps, stack, reach, depth, folded, about, count + single[-1], least))


def _at(rows: np.ndarray, state: int) -> int:
    return int(np.flatnonzero(rows == state)[0])


def _array(rows: Sequence[Iterable[int]], width: int, dtype: type = np.int64) -> np.ndarray:
    return np.array(rows, dtype).reshape(len(rows), width)


def _entries(reach: np.ndarray, rows: np.ndarray, depth: int, group: int) -> list[Entry]:
    """Return the entries of a group's Jacobian; those that are not part of the product have the place -1."""
    first = group * len(rows) * depth
    return [
        Entry(int(rows[r]), int(rows[c]), first + r * depth + c if c < depth else -1)
        for r, c in np.argwhere(reach)
    ]


def _folded(
    steps: Steps, entries: list[Entry], own: bool
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the tables by which a Jacobian is folded: see `evorrn.engine.influence.kernels.fold`."""
    pattern, colours = steps.pattern, steps.pattern.colours
    allowed = steps.own if own else pattern.old
    olds = [(e.place, colours[e.row], e.column) for e in entries if allowed[e.row, e.column]]
    folds: list[list[int]] = []
    for term in steps.layout.terms if not own else ():
        if not term.state:
            continue
        place, width = (
            steps.places[term.state],
            steps.places[term.state].stop - steps.places[term.state].start,
        )
        rows = {
            state: term.slope.row + np.flatnonzero(pattern.factors[state, term.slope.places])
            for state in {e.row for e in entries}
        }
        for e in entries:
            if not place.start <= e.column < place.stop:
                continue
            for row in rows[e.row]:
                weight = (
                    steps.slices[term.block].start + (row - term.slope.row) * width + e.column - place.start
                )
                folds.append([e.place, int(colours[e.row]), int(row), int(weight), 1])
    output = steps.output_places
    taught = [(e.place, e.column - output.start) for e in entries if output.start <= e.column < output.stop]
    targets, runs = _targets(_joined(folds), steps.layout.rows + 2)
    return len(pattern.directions), _array(olds, 3), targets, runs, _array(taught, 2)


def _targets(folds: list[list[int]], factors: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets and runs of `evorrn.engine.influence.folds.add_folds`, with so many factors of a direction."""
    targets: list[list[int]] = []
    runs: list[tuple[int, int]] = []
    for place, direction, row, weight, count in sorted(folds, key=lambda f: (f[0], f[4])):
        if not targets or targets[-1][:2] != [place, count]:
            targets.append([place, count, len(runs), len(runs)])
        runs.append((direction * factors + row, weight))
        targets[-1][3] = len(runs)
    return _array(targets, 4), _array(runs, 2)


def _joined(folds: list[list[int]]) -> list[list[int]]:
    """Return entries as runs: neighbours that take neighbouring weights times the same factor are one run."""
    runs: list[list[int]] = []
    for place, direction, row, weight, _ in sorted(folds, key=lambda f: (f[1], f[2], f[3], f[0])):
        last = runs[-1] if runs else None
        if (
            last
            and last[1:3] == [direction, row]
            and last[0] + last[4] == place
            and last[3] + last[4] == weight
        ):
            last[4] += 1
        else:
            runs.append([place, direction, row, weight, 1])
    return runs


class _Index:
    """Numbers things in the order in which they are first asked for."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, ...], int] = {}

    def __call__(self, *key: int) -> int:
        return self.known.setdefault(tuple(map(int, key)), len(self.known))


def _tiles(plan: Plan) -> Tables:
    """Return tables by which the influence of groups of many rows is cut into tiles."""
    steps, stack, reach, depth, folded, singles, numbers, least = plan
    groups, rows = stack.rows.shape
    weights = stack.weights.shape[1]
    width = -(-weights // least) * least  # lanes of a group
    tiles = [
        (group, group * width + lane, min(VECTORS * least, width - lane))
        for group in range(groups)
        for lane in range(0, width, VECTORS * least)
    ]
    vectors, coefficients, sources, masks, scalar = _puts(steps, stack, least)
    per_group = -(-width // (VECTORS * least))
    tile = vectors[:, 0] * per_group + vectors[:, 2] // VECTORS
    vectors = vectors[np.argsort(tile, kind="stable")]
    vectors[:, 2] = vectors[:, 2] % VECTORS * least
    put = np.concatenate([[0], np.cumsum(np.bincount(tile, minlength=len(tiles)))])
    blocks = _blocks([reach[np.ix_(states, states[:depth])] for states in stack.rows])
    area = int(((blocks[:, 1] - blocks[:, 0]) * (blocks[:, 3] - blocks[:, 2])).sum())
    each = groups * area + len(singles[0]) + groups * rows
    return Tables(
        Folding(*folded, coefficients, sources),
        (_array(tiles, 3), blocks, *singles, np.ascontiguousarray(vectors[:, 1:], np.int32), put, masks),
        len(tiles),
        rows,
        depth,
        groups * width,
        numbers,
        np.arange(groups)[:, None] * width + np.arange(weights),
        each * weights + scalar,
        False,
    )


def _puts(
    steps: Steps, stack: Stack, least: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Return what weights do at once, vector by vector, and how many products this is.

    These are (group, row, vector, coefficient, first source, place of the mask); the coefficients, the sources, and the masks.
    """
    factors = np.concatenate([steps.pattern.factors, np.zeros((steps.state_size, 1), bool)], axis=1)
    groups, weights = stack.weights.shape
    across, nothing = -(-weights // least), steps.layout.rows
    lines = np.full((*stack.sources.shape[:2], across * least), nothing + 1)
    lines[..., :weights] = stack.sources
    known, line = np.unique(lines.reshape(-1, least), axis=0, return_inverse=True)
    line = line.reshape(-1, groups, across)
    found = []
    for term, slopes in enumerate(stack.slopes):
        acts = factors[stack.rows[:, :, None], slopes[:, None]]  # (G, K, M)
        group, row, weight = np.nonzero(acts)
        colour = steps.pattern.colours[stack.rows[group, row]]
        at = line[term, group, weight // least]
        found.append((group, row, weight // least, at, colour, slopes[group, weight], weight % least))
    *keys, lane = (np.concatenate(part) for part in zip(*found))
    each, of_each = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    coefficients, of_coefficient = np.unique(each[:, 4:], axis=0, return_inverse=True)
    masked = np.zeros((len(each), least), steps.dtype)
    masked[of_each.ravel(), lane] = 1
    masks, of_mask = np.unique(masked, axis=0, return_inverse=True)
    about = of_coefficient.ravel(), each[:, 3] * least, of_mask.ravel() * least
    vectors = np.concatenate([each[:, :3], np.stack(about, axis=1)], axis=1)
    return vectors, np.ascontiguousarray(coefficients), known.ravel(), masks, len(lane)


def _blocks(dense: list[np.ndarray]) -> np.ndarray:
    """Return blocks of rows of the Jacobians (K, D) of groups, with the columns that are not zero in all their rows."""
    marked = np.logical_or.reduce(dense)
    spans = [(c[0], c[-1] + 1) if (c := np.flatnonzero(row)).size else (0, 0) for row in marked]
    blocks: list[list[int]] = []
    for row, (left, right) in enumerate(spans):
        if blocks and blocks[-1][2:] == [left, right]:
            blocks[-1][1] = row + 1
        else:
            blocks.append([row, row + 1, left, right])
    return _array(blocks, 4)


def work_of_traces(stack: Stack) -> int:
    """Return the multiply-adds of one time step of one sequence of groups of few rows."""
    rows, terms = stack.rows.shape[1], len(stack.slopes)
    return stack.weights.size * rows * (rows + terms + 1)


def _traces(plan: Plan) -> Tables:
    """Return tables by which each weight of groups of few rows has a trace for each row."""
    steps, stack, _, depth, folded, _, numbers, least = plan
    rows, terms = stack.rows.shape[1], len(stack.slopes)
    nothing = steps.layout.rows
    colours, factors = steps.pattern.colours, steps.pattern.factors
    coefficient = _Index()
    read: list[int] = []
    lines: dict[tuple[int, ...], int] = {}
    runs, slopes, places, lane = [], [], [], 0
    lane_of = np.empty(stack.weights.shape, np.int64)
    for group, states in enumerate(stack.rows):
        kinds, kind = np.unique(stack.slopes[:, group], axis=1, return_inverse=True)
        for number, of_kind in enumerate(kinds.T):
            members = np.flatnonzero(kind.ravel() == number)
            lanes = -(-len(members) // least) * least
            lane_of[group, members] = lane + np.arange(len(members))
            runs.append((group, lane, lanes))
            lane += lanes
            slopes.append(
                [
                    [
                        coefficient(colours[state], slope)
                        if slope < nothing and factors[state, slope]
                        else coefficient(0, nothing + 1)
                        for slope in of_kind
                    ]
                    for state in states
                ]
            )
            starts = []
            for e in range(terms):
                line = (*stack.sources[e, group, members].tolist(), *[nothing + 1] * (lanes - len(members)))
                if line not in lines:
                    lines[line] = len(read)
                    read += line
                starts.append(lines[line])
            places.append(starts)
    return Tables(
        Folding(*folded, _array(list(coefficient.known), 2), np.array(read)),
        (_array(runs, 3), np.array(slopes), np.array(places)),
        len(runs),
        rows,
        depth,
        lane,
        numbers,
        lane_of,
        work_of_traces(stack),
        True,
    )
