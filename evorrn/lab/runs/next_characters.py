"""The next character of a text of the user's, as a network trained on running text predicts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, DataError
from evorrn.base.text import counted
from evorrn.data.characters import Characters
from evorrn.data.text_file import read_text
from evorrn.lab.runs.apply import Sheet
from evorrn.training.model import Model
from evorrn.training.text import TextModel

BITS = "bits"
COLUMNS = ("step", "character", "next", "probability", BITS)
SHOWN = 8


def reads_text(model: Model, path: Path) -> bool:
    """Return whether a network was trained on running text, and a file is not of arrays and so a text to it."""
    known = Characters.predicted(model.input_names, model.output_names)
    return known is not None and path.suffix.lower() != ".npz"


def predict_text(model: Model, path: Path, columns: Sequence[str], rules: Mapping[str, Any]) -> Sheet:
    """Return the most probable next character after each character of a text, and the bits of the one that follows.

    Parameters
    ----------
    model : Model
        Trained on running text.
    path : Path
    columns, rules
        How a table would be read; a text has neither.

    Raises
    ------
    ConfigError
        When columns or rules are given.
    DataError
        When the file cannot be read as text, or is empty.
    """
    given = [name for name, value in {"columns": list(columns) or None, **rules}.items() if value is not None]
    if given:
        raise ConfigError(
            [f"--{name}: expected none, since {path} is running text to this network" for name in given]
        )
    read = read_text(path, "running text").replace("\r\n", "\n").replace("\r", "\n")
    if not read:
        raise DataError(f"{path}: expected at least one character, got none")
    text = TextModel(model)
    found, names = text.next_characters(read), text.characters.names
    numbers = text.characters.numbers(read)
    bits = [float(value) if np.isfinite(value) else None for value in found.bits]
    rows: list[tuple[Any, ...]] = [
        (step, names[number], names[chosen], float(probability), of_next)
        for step, (number, chosen, probability, of_next) in enumerate(
            zip(numbers, found.chosen, found.probability, bits), 1
        )
    ]
    notes = [f"{path.name}: running text of {counted(len(read), 'character')}"]
    if len(read) > 1:
        right = float(np.mean(numbers[1:] == found.chosen[:-1]))
        notes[0] += (
            f", {np.mean(found.bits[:-1]):.3f} bits a character, {100 * right:.1f} % of them predicted"
        )
    unknown = text.unknown(read)
    notes += [unknown_note(unknown)] if unknown else []
    diverged = not np.isfinite(found.probability).all()
    return Sheet(COLUMNS, rows, found.bits[None, :, None], None, diverged, tuple(notes))


def unknown_note(characters: Sequence[str]) -> str:
    """Return a sentence on characters that a network does not know."""
    shown = " ".join(map(repr, characters[:SHOWN])) + " ..." * (len(characters) > SHOWN)
    return f"the network does not know {shown}; these are one symbol, unknown, to it"
