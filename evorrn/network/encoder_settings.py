"""The arguments that make an encoder-decoder, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, unknown
from evorrn.network.parts import Part

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
    if isinstance(outputs, bool) or not isinstance(outputs, int | np.integer) or outputs < 3:
        return [
            f"network.outputs: expected a whole number of at least 3, for start, stop and the symbols of answers, got {outputs!r}"
        ]
    found = []
    meaning = {"start": "the symbol that the decoder sees first", "stop": "the symbol that ends an answer"}
    for name, symbol in (("start", start), ("stop", stop)):
        if symbol is None:
            found.append(f"network.{name}: expected {meaning[name]}, from 0 to {outputs - 1}, got none")
        elif (
            isinstance(symbol, bool) or not isinstance(symbol, int | np.integer) or not 0 <= symbol < outputs
        ):
            found.append(f"network.{name}: expected {meaning[name]}, from 0 to {outputs - 1}, got {symbol!r}")
    if not found and start == stop:
        found.append(f"network.stop: expected another symbol than start, which is {start}")
    return found


def handed_over(encoder: Sequence[Sequence[Part]], decoder: Part) -> np.ndarray:
    """Return which of the last states of an encoder are the first state of a decoder, shape (D,).

    The states of the decoder's last layer are those of the encoder's last layer, and so on down. A bidirectional layer hands
    over the states of both passes, the forward one first.

    Raises
    ------
    ConfigError
        When a layer of the decoder has a state that the encoder does not have, or has in another size.
    """
    begins: dict[int, dict[str, list[np.ndarray]]] = {}
    at = 0
    for part in (part for layer in encoder for part in layer):
        for name, count in part.state_counts.items():
            own, _, state = name.partition(".")
            number = part.layers[int(own.removeprefix("layer"))]
            begins.setdefault(number, {}).setdefault(state, []).append(np.arange(at, at + count))
            at += count
    layers = 1 + max(number for layer in encoder for part in layer for number in part.layers)
    shift = layers - len(decoder.layers)
    if shift < 0:
        raise ConfigError(
            f"network.decoder: expected at most as many layers as the encoder has, {layers}, whose states they begin in, got "
            f"{len(decoder.layers)}"
        )
    rows, problems = [np.zeros(0, np.int64)], []
    for name, count in decoder.state_counts.items():
        own, _, state = name.partition(".")
        number = int(own.removeprefix("layer"))
        found = begins.get(number + shift, {}).get(state, [])
        given = sum(map(len, found))
        if given != count:
            what = f"{given} numbers" if found else "no such state"
            problems.append(
                f"network.decoder: its layer {number} begins in the last state of the encoder's layer {number + shift}: expected "
                f"{count} numbers of {state}, got {what}; give both the same cell, and hidden that fits (a bidirectional "
                "encoder hands over twice its hidden)"
            )
        rows += found
    if problems:
        raise ConfigError(problems)
    return np.concatenate(rows)
