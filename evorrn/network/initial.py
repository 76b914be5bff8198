"""The choice of an initialisation for each block of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evorrn.base.checks import is_number
from evorrn.base.errors import ConfigError, unknown
from evorrn.base.settings import plain
from evorrn.compile.blocks import Block
from evorrn.compile.initial import INITIALISERS


def choose(layout: Sequence[Block], given: Mapping[str, str | float]) -> dict[str, str | float]:
    """Return ``{name of a block: name of its initialisation, or the number that all its weights are}``.

    Parameters
    ----------
    layout : sequence of Block
    given : mapping of str to str or float
        Initialisations that replace the default of blocks. A key is the name of a block, or of a parameter of the
        cell for the blocks of all layers.

    Raises
    ------
    ConfigError
        When names or initialisations are unknown, or ``orthogonal`` is given for a vector; lists all mistakes.
    """
    ways: dict[str, str | float] = {block.name: block.initial for block in layout}
    problems = []
    for name, value in given.items():
        way = plain(value)  # converts NumPy numbers
        matching = [block for block in layout if name in (block.name, block.parameter)]
        if not matching:
            problems.append(f"network.initial: {unknown('block', name, ways)}")
        if is_number(way):
            if not math.isfinite(way):
                problems.append(f"network.initial.{name}: expected a finite number, got {way}")
        elif not isinstance(way, str) or way not in INITIALISERS:
            problems.append(f"network.initial.{name}: {unknown('initialisation', way, INITIALISERS)}")
        elif way == "orthogonal":
            problems += [
                f"network.initial.{name}: {block.name} is a vector; orthogonal needs a matrix"
                for block in matching
                if len(block.shape) == 1
            ]
        ways.update((block.name, way) for block in matching)
    if problems:
        raise ConfigError(problems)
    return ways
