"""What an encoder hands over to a decoder: its last states, or its last output as a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.cells.find import find_cell
from evorrn.compile.cell import Cell
from evorrn.network.network import Network

CONTEXT = "context"
"""The state of a cell that an encoder begins with its last output, and that stays as it is."""


class Handed(NamedTuple):
    """Which of the last states of an encoder begin which states of a decoder, both (K,)."""

    rows: np.ndarray
    places: np.ndarray


def with_context_size(table: Mapping[str, Any], encoder: Network) -> dict[str, Any]:
    """Return the settings of a decoder, whose cell sees a context of the size of the encoder's last output."""
    cell = table.get("cell", "")
    try:
        found = find_cell(cell) if isinstance(cell, str | Cell) and cell else None
    except EvorrnError:
        found = None  # told when the decoder is made
    if found is None or CONTEXT not in found.state or isinstance(table.get("cell_options"), list | tuple):
        return dict(table)
    size = found.state[CONTEXT][0]
    width = sum(part.last_width for part in encoder.parts[-1])
    return {**table, "cell_options": {size: width, **(table.get("cell_options") or {})}}


def handed_over(encoder: Network, decoder: Network) -> Handed:
    """Return which of the last states of an encoder begin the states of a decoder.

    The states of the decoder's last layer are those of the encoder's last layer, and so on down. A bidirectional layer hands
    over the states of both passes, the forward one first. A layer with a state ``context`` is given the last output of the
    encoder there, and nothing else.

    Raises
    ------
    ConfigError
        When a layer of the decoder has a state that the encoder does not have, or has in another size.
    """
    begins: dict[int, dict[str, list[np.ndarray]]] = {}
    at = 0
    for part in (part for layer in encoder.parts for part in layer):
        for name, count in part.state_counts.items():
            own, _, state = name.partition(".")
            number = part.layers[int(own.removeprefix("layer"))]
            begins.setdefault(number, {}).setdefault(state, []).append(np.arange(at, at + count))
            at += count
    (part,) = decoder.parts[0]
    layers, wanted = len(encoder.hidden), len(decoder.hidden)
    seeing = {number for number, cell in enumerate(decoder.cells) if CONTEXT in cell.state}
    if wanted - len(seeing) > layers:
        raise ConfigError(
            f"network.decoder: expected at most as many layers as the encoder has, {layers}, whose states they begin in, got "
            f"{wanted}"
        )
    ways = len(encoder.parts[-1]) if encoder.bidirectional else 1
    outputs = encoder.cells[-1].output
    last = [begins[layers - 1][name][way] for way in range(ways) for name in outputs]
    rows, places, problems, at = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [], 0
    for name, count in part.state_counts.items():
        own, _, state = name.partition(".")
        number = int(own.removeprefix("layer"))
        source = number + layers - wanted
        found = last if state == CONTEXT else begins.get(source, {}).get(state, [])
        given = sum(map(len, found))
        if number not in seeing or state == CONTEXT:
            if given != count:
                problems.append(_unfit((number, source), (state, count), given if found else None))
            rows += found
            places.append(np.arange(at, at + count))
        at += count
    if problems:
        raise ConfigError(problems)
    return Handed(np.concatenate(rows), np.concatenate(places))


def _unfit(layers: tuple[int, int], wanted: tuple[str, int], given: int | None) -> str:
    """Return a sentence on a state of the decoder that the encoder does not have, or has in another size."""
    (own, source), (state, count) = layers, wanted
    what = "no such state" if given is None else f"{given} numbers"
    from_where = (
        "the last output of the encoder"
        if state == CONTEXT
        else f"the last state of the encoder's layer {source}"
    )
    return (
        f"network.decoder: its layer {own} begins in {from_where}: expected {count} numbers of {state}, got {what}; give both the "
        "same cell, and hidden that fits (a bidirectional encoder hands over twice its hidden)"
    )
