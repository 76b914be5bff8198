"""Which initialisation each block of a network has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evorrn.base.errors import ConfigError, unknown
from evorrn.compile.blocks import Block
from evorrn.compile.initial import INITIALISERS


def choose(layout: Sequence[Block], given: Mapping[str, str]) -> dict[str, str]:
    """Return the name of the initialisation of each block of a network, by the block's name.

    Parameters
    ----------
    layout : sequence of Block
    given : mapping
        What is asked for in place of a block's own, by the name of a block or of a parameter of all layers.

    Raises
    ------
    ConfigError
        With every name that is unknown, and every initialisation that is unknown or does not fit.
    """
    ways = {block.name: block.initial for block in layout}
    problems = []
    for name, way in given.items():
        matching = [block for block in layout if name in (block.name, block.parameter)]
        if not matching:
            problems.append(f"network.initial: {unknown('block', name, ways)}")
        if not isinstance(way, str) or way not in INITIALISERS:
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
