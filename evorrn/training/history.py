"""The history of a run on disk: one line of JSON for each step of its strategy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from evorrn.base.errors import RunError
from evorrn.base.files import write_atomic


def history_files(history: dict[str, np.ndarray], seconds: np.ndarray) -> dict[str, str]:
    """Return a history as the text of ``history.jsonl`` and its times as that of ``timing.jsonl``, a line for each step.

    Parameters
    ----------
    history : dict of str to ndarray, shape (N,)
        Columns without times: they are equal when the run is repeated.
    seconds : ndarray, shape (N,)
        Wall time at each step.
    """
    return {"history.jsonl": _lines(history), "timing.jsonl": _lines({"seconds": seconds})}


def save_history(folder: Path, history: dict[str, np.ndarray], seconds: np.ndarray) -> None:
    """Write what `history_files` returns to a folder."""
    for name, text in history_files(history, seconds).items():
        write_atomic(folder / name, text)


def load_history(folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the history and the seconds that `save_history` wrote; a missing file gives an empty one.

    Raises
    ------
    RunError
        When a file is damaged, apart from a last line that is incomplete because the run was killed.
    """
    return _columns(folder / "history.jsonl"), _columns(folder / "timing.jsonl").get("seconds", np.zeros(0))


def _lines(columns: dict[str, np.ndarray]) -> str:
    """Return columns of numbers as text, one JSON object for each row.

    A whole column is encoded at once, which takes half the time of encoding row by row.
    """
    entries = []
    for name, column in columns.items():
        key, numbers = json.dumps(name), json.dumps(column.tolist())[1:-1]
        entries.append([f"{key}: {number}" for number in numbers.split(", ") if number])
    return "".join("{" + ", ".join(row) + "}\n" for row in zip(*entries))


def _columns(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a file that `save_history` wrote, without an incomplete last line."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from None
    rows: list[dict[str, float]] = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or (rows and list(row) != list(rows[0])):
                raise ValueError("it has other columns than the first line")
        except (ValueError, RecursionError) as error:
            if number == len(lines) and number > 1:
                break
            raise RunError(f"{path}: line {number} cannot be read ({error})") from None
        rows.append(row)
    columns = {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    wrong = [name for name, column in columns.items() if column.dtype.kind not in "iufb"]
    if wrong:
        raise RunError(f"{path}: expected numbers in {', '.join(wrong)}")
    return columns
