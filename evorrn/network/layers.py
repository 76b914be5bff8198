"""The layers that the arguments `cell`, `cell_options` and `hidden` of a network name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.cells.find import cell_reference, find_cell
from evorrn.compile.cell import Cell, Options
from evorrn.network.settings import checked_mapping


class Layer(NamedTuple):
    """A layer: its cell with the name from which it is found again, the options of the cell, and its units."""

    cell: Cell
    reference: str
    options: Options
    units: int


def listed(value: Any) -> tuple[Any, ...] | None:
    """Return what is given for each layer, None for what is given once for all."""
    return tuple(value) if isinstance(value, list | tuple | np.ndarray) else None


def chosen(
    cell: str | Cell | Sequence[str | Cell],
    cell_options: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    hidden: Sequence[int],
) -> tuple[list[Layer], list[str]]:
    """Return the layers, and a sentence for each mistake."""
    count = len(hidden)
    cells, options = listed(cell), listed(cell_options)
    problems = [
        f"network.{name}: expected one for all layers or one for each of {count}, as many as hidden has, got {len(given)}"
        for name, given in (("cell", cells), ("cell_options", options))
        if given is not None and len(given) != count
    ]
    if problems:
        return [], problems
    layers = []
    for number in range(count):
        named = cell if cells is None else cells[number]
        try:
            found = find_cell(named)
            reference = named if isinstance(named, str) and ".py:" not in named else cell_reference(found)
            given = checked_mapping("cell_options", cell_options if options is None else options[number])
            layers.append(Layer(found, reference, found.check_options(given), int(hidden[number])))
        except EvorrnError as error:
            problems.append(f"network.cell: {error}")
    return layers, list(dict.fromkeys(problems))


def with_options(layers: Sequence[Layer], given: Mapping[str, float]) -> list[Layer]:
    """Return the layers with other numeric options, each for every layer whose cell has it.

    Raises
    ------
    UnknownName
        For an option that no cell has.
    ConfigError
        When an activation or a size would change.
    """
    found = []
    for layer in layers:
        known = {n: v for n, v in given.items() if n in layer.cell.defaults or _unknown(n, layers)}
        options = layer.cell.check_options({**plain(layer.options), **known})
        if (options.functions, options.sizes) != (layer.options.functions, layer.options.sizes):
            raise ConfigError(
                "network.cell_options: an activation or a size cannot be changed after a network is made"
            )
        found.append(layer._replace(options=options))
    return found


def plain(options: Options) -> dict[str, Any]:
    """Return the options of a cell: numbers, names of activations, sizes and arrays."""
    return {**options.functions, **options.numbers, **options.sizes, **options.arrays}


def once_or_listed(values: Sequence[Any]) -> Any:
    """Return the value of all layers, or a list where they differ."""
    return values[0] if all(value == values[0] for value in values) else list(values)


def _unknown(option: str, layers: Sequence[Layer]) -> bool:
    return not any(option in layer.cell.defaults for layer in layers)
