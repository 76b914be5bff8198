"""Tables of runs for other programs, as Parquet files, and the states of runs in a line."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from evorrn.base.errors import EvorrnError
from evorrn.base.text import counted
from evorrn.lab.query import Selection
from evorrn.lab.runs.run import COMPLETE
from evorrn.lab.runs.store import writing
from evorrn.lab.runs.table import Runs


def write_parquet(path: Path, found: Selection) -> None:
    """Write lines of a table to a Parquet file.

    A column whose values are of several kinds, for instance sizes of one and of two layers, is text.

    Raises
    ------
    EvorrnError
        When pyarrow is not installed, or the file cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise EvorrnError("--parquet needs pyarrow: pip install 'evorrn[parquet]', or take --csv") from None

    arrays = {}
    for place, name in enumerate(found.columns):
        values = [line[place] for line in found.lines]
        try:
            arrays[name] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
            arrays[name] = pyarrow.array([None if value is None else str(value) for value in values])
    fresh = path.with_name(f".{path.name}.tmp")
    with writing(path):
        parquet.write_table(pyarrow.table(arrays), fresh)
        os.replace(fresh, path)


def counts(runs: Runs) -> str:
    """Return how many runs there are, and in what states, in a line."""
    states = Counter(row.outcome for row in runs.rows)
    order = sorted(states, key=lambda state: (state != COMPLETE, state))
    return f"{counted(len(runs.rows), 'run')}: " + (", ".join(f"{states[s]} {s}" for s in order) or "none")
