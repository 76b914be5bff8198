"""Text from a file: its encoding, and whether it is a table of numbers or running text."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from evorrn.base.errors import DataError
from evorrn.data.tables.cells import is_number_like

CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
LINES = 200
"""Lines that tell a table from running text."""
WORDS = 4
"""Words in the average line from which on lines with different numbers of cells are sentences."""
_MARKS = ",;\t|"
_SEPARATORS = re.compile(f"[{_MARKS}]")
_QUOTED = re.compile(r'"[^"]*"')
_WORD = re.compile(r"[^\W\d_]{2,}")


def read_text(path: Path, wanted: str) -> str:
    """Return the text of a file: UTF-8, UTF-16 with a byte order mark, or else Latin-1.

    Parameters
    ----------
    path : Path
    wanted : str
        What the file should hold, for messages, such as ``"a table"``.

    Raises
    ------
    DataError
        When the file is missing, a folder, or binary.
    """
    if os.path.isdir(path):
        raise DataError(f"cannot read {path}: Is a directory; expected the file of {wanted}")
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if CONTROL.search(text):
        raise DataError(f"{path}: expected a text file with {wanted}, got binary data")
    return text


def is_running_text(path: Path) -> bool:
    """Return whether a file is running text: a number is a cell of its own in fewer than half of its first lines.

    So are lines of words in which no separator stands equally often in half of the lines. A file that cannot be read, or is empty, is no running text.
    """
    try:
        text = read_text(path, "text")
    except DataError:
        return False
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")][:LINES]
    return bool(lines) and (2 * sum(map(_holds_number, lines)) < len(lines) or _are_sentences(lines))


def _holds_number(line: str) -> bool:
    """Return whether a cell of a line is a number, or half of what stands between its spaces are numbers."""
    if any(is_number_like(cell.strip().strip('"')) for cell in _SEPARATORS.split(line)):
        return True
    words = [is_number_like(word) for word in line.split()]
    return 2 * sum(words) >= len(words)


def _are_sentences(lines: list[str]) -> bool:
    """Return whether lines hold words, and fewer than half of them one number of cells by any separator."""
    if sum(len(_WORD.findall(line)) for line in lines) < WORDS * len(lines):
        return False
    bare = [_QUOTED.sub("", line) for line in lines]
    alike = (Counter(line.count(mark) for line in bare if mark in line) for mark in _MARKS)
    return all(2 * max(counts.values(), default=0) < len(lines) for counts in alike)
