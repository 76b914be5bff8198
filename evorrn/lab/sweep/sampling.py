"""Cells of a sweep: the whole grid, random points or a Sobol sequence, one after the other.

A cell is what the axes assign, by dotted name. The same file gives the same cells in the same order; none
is kept, so a sweep of any length takes the memory of one.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.lab.sweep.axes import assigned
from evorrn.lab.sweep.known import base_name, find_kind, takes_whole_numbers
from evorrn.lab.sweep.sweep_file import Sweep

Cell = dict[str, Any]

BLOCK = 256
"""Points of a Sobol sequence that are made at a time; a power of two keeps its balance."""
PATIENCE = 1000
"""Draws in a row that may be excluded or known already before a sampler gives up."""


def cells(sweep: Sweep) -> Iterator[Cell]:
    """Yield the cells of a grid, random or Sobol sweep, each once, without those that are excluded.

    Raises
    ------
    ConfigError
        When exclusions and repetitions leave fewer cells than were asked for.
    """
    if sweep.search.sampler == "grid":
        grid = itertools.product(*(axis.points for axis in sweep.axes))
        yield from (cell for parts in grid if not excluded(sweep, cell := cell_of(sweep, parts)))
        return
    shares = {"random": _random, "sobol": _sobol}[sweep.search.sampler](sweep)
    seen: set[int] = set()
    in_vain = 0
    while len(seen) < sweep.cells_wanted:
        parts = [axis.draw(float(share)) for axis, share in zip(sweep.axes, next(shares))]
        cell = cell_of(sweep, parts)
        mark = _mark(cell)
        if mark in seen or excluded(sweep, cell):
            in_vain += 1
            if in_vain == PATIENCE:
                raise ConfigError(
                    f"search.runs: expected no more cells than the axes and exclusions allow, got "
                    f"{sweep.cells_wanted} and found {len(seen)}"
                )
            continue
        in_vain = 0
        seen.add(mark)
        yield cell


def cell_of(sweep: Sweep, parts: Iterable[Cell]) -> Cell:
    """Return what the axes assign, one value each; drawn numbers are whole where the setting takes nothing else."""
    cell = {name: value for part in parts for name, value in part.items()}
    drawn = [axis.names[0] for axis in sweep.axes if not axis.finite]
    if not drawn:
        return cell
    kinds = {
        table: _kind(table, str(cell.get(f"{table}.name", base_name(sweep.base, table) or "")), sweep.home)
        for table in {name.split(".")[0] for name in drawn} & {"task", "strategy"}
    }
    rounded = {name: round(cell[name]) for name in drawn if takes_whole_numbers(name, kinds)}
    return {**cell, **rounded}


def excluded(sweep: Sweep, cell: Mapping[str, Any]) -> bool:
    """Return whether a cell is one of those left out."""
    return any(cell in exclusion for exclusion in sweep.exclusions)


def spec_of(sweep: Sweep, cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a cell as typed, without a seed."""
    return assigned(sweep.base, cell)


def _random(sweep: Sweep) -> Iterator[np.ndarray]:
    """Yield points, each from a stream of its own, so that a longer sweep begins with the same ones."""
    for place in itertools.count():
        stream = np.random.SeedSequence(sweep.search.seed, spawn_key=(place,))
        yield np.random.default_rng(stream).random(len(sweep.axes))


def _sobol(sweep: Sweep) -> Iterator[np.ndarray]:
    """Yield points of a scrambled Sobol sequence.

    Source: Owen 1998, Scrambling Sobol' and Niederreiter-Xing points, as `scipy.stats.qmc.Sobol` has it.
    """
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(sweep.axes), scramble=True, seed=sweep.search.seed)
    while True:
        yield from sequence.random(BLOCK)


def _mark(cell: Mapping[str, Any]) -> int:
    """Return a 64-bit hash of a cell."""
    text = json.dumps(cell, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@functools.lru_cache(maxsize=64)
def _kind(table: str, name: str, home: Path) -> Any:
    return find_kind(table, name, home)
