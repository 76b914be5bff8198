"""The arguments that make an encoder-decoder, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError, EvorrnError, unknown
from evorrn.cells.find import find_cell

ENCODER = ("cell", "hidden", "cell_options", "initial", "biases", "learn_start", "bidirectional", "embedding")
DECODER = ("cell", "hidden", "cell_options", "initial", "biases", "reads", "embedding")
"""The settings of each of the two, which are those of `evorrn.Network`."""
NAMES = ("inputs", "outputs", "encoder", "decoder", "embedding", "start", "stop", "dtype", "loss")
"""The arguments of both together."""


def checked_table(name: str, given: Any, known: Sequence[str], embedding: int) -> dict[str, Any]:
    """Return the settings of an encoder or a decoder, with the embedding of both where it has none of its own.

    Raises
    ------
    ConfigError
        For what is no table, and for unknown settings.
    """
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(
            f'network.{name}: expected a table, for instance {{"cell": "gru", "hidden": 64}}, got {given!r}'
        )
    table = dict(given or {})
    wrong = [key for key in table if key not in known]
    if wrong:
        raise ConfigError([f"network.{name}.{key}: {unknown('setting', key, known)}" for key in wrong])
    return {"embedding": embedding, **table}


def problems_of_symbols(outputs: Any, start: Any, stop: Any) -> list[str]:
    """Return a sentence for each of the numbers of symbols that is wrong."""
    if not is_whole(outputs) or outputs < 3:
        return [
            f"network.outputs: expected a whole number of at least 3, for start, stop and the symbols of answers, got {outputs!r}"
        ]
    found = []
    meaning = {"start": "the symbol that the decoder sees first", "stop": "the symbol that ends an answer"}
    for name, symbol in (("start", start), ("stop", stop)):
        if symbol is None:
            found.append(f"network.{name}: expected {meaning[name]}, from 0 to {outputs - 1}, got none")
        elif not is_whole(symbol) or not 0 <= symbol < outputs:
            found.append(f"network.{name}: expected {meaning[name]}, from 0 to {outputs - 1}, got {symbol!r}")
    if not found and start == stop:
        found.append(f"network.stop: expected another symbol than start, which is {start}")
    return found


def problems_of_cells(name: str, cells: Any) -> list[str]:
    """Return a sentence for each of the cells of an encoder or a decoder that can stand in neither."""
    found = []
    for each in cells if isinstance(cells, list | tuple) else [cells]:
        try:
            cell = find_cell(each)
        except EvorrnError:
            continue  # told when the part is made, and so is a cell that is left out
        for wrong, what in (
            (cell.sees_output, "sees the previous output"),
            (bool(cell.predecessors), "sees linked steps"),
            (bool(cell.noise), "declares noise"),
        ):
            if wrong:
                found.append(
                    f"network.{name}.cell: {cell.name} {what}, which an encoder-decoder does not have; choose gru, lstm or another "
                    "cell of a chain"
                )
    return found
