"""The rules by which the text of a table is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evorrn.base.errors import nearest

SEPARATORS = {"tab": "\t", ";": ";", "|": "|", ",": ","}
"""Separators by the name that a setting has, in order of preference."""
SEPARATOR_WORDS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}
KNOWN_SEPARATORS = "comma, semicolon, tab or bar"
DECIMALS = (".", ",")
FILLS = ("linear", "previous")
NO_TIME = "none"
"""The name of the time column with which no column is taken for one."""


@dataclass(frozen=True)
class Rules:
    """What a user states about the text of a table; the reader finds out what is not stated.

    Attributes
    ----------
    header : bool or None
        Whether the first row holds the names of the columns.
    decimal : str
        The decimal mark, ``"."`` or ``","``; empty when it is not stated.
    separator : str
        A key of `SEPARATORS`; empty when it is not stated.
    fill : str
        How missing values are filled: ``"linear"`` or ``"previous"``; empty when they are refused.
    time : str
        The name of the time column; empty when it is not stated, ``"none"`` for no time column.
    """

    header: bool | None = None
    decimal: str = ""
    separator: str = ""
    fill: str = ""
    time: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Rules:
        """Return the rules among the settings of a task; the text ``none`` of a header stands for None."""
        given = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        if given.get("header") == "none":
            given["header"] = None
        return cls(**given)

    def problems(self) -> list[str]:
        """Return one sentence for each value that is not allowed."""
        found = []
        for name, value, allowed in (
            ("decimal", self.decimal, DECIMALS),
            ("separator", self.separator, tuple(SEPARATORS)),
            ("fill", self.fill, FILLS),
        ):
            if value and value not in allowed:
                guess = nearest(value, allowed)
                hint = f"; did you mean {guess}?" if guess else ""
                found.append(f"{name}: expected {' or '.join(allowed)}, got {value!r}{hint}")
        if self.decimal == "," and self.separator == ",":
            found.append("decimal: a comma cannot be both the decimal mark and the separator")
        return found
