"""CSV: one file of dates, temperatures and loads, written in a thousand ways; the load is forecast or the file refused."""

import datetime
import re

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import EvorrnError

START = datetime.datetime(2021, 12, 20)
DATES = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y%m%d", "%d-%b-%Y", "%d.%m.%y", "%b %d, %Y", "")
MARKERS = ("", "NA", "nan", "-", "null", "None", "?", "N/A", "#N/A", "..", "x")
CODES = ("utf-8", "utf-8-sig", "utf-16", "cp1252")


def number(value, decimals, mark, thousands):
    """Return a number as a person writes it."""
    whole, _, rest = f"{abs(value):.{decimals}f}".partition(".")
    whole = f"{int(whole):,}".replace(",", thousands) if thousands else whole
    return ("-" if value < 0 else "") + whole + (mark + rest if rest else "")


def mutate(rng):
    """Return a table as bytes, its loads and temperatures in order of time, and the row of a gap, None without one.

    The loads are None where the rows are in no order.
    """

    def one(*choices):
        return choices[int(rng.integers(len(choices)))]

    rows, decimals, scale = int(rng.integers(20, 80)), int(rng.integers(0, 4)), 10.0 ** rng.integers(0, 5)
    load = np.round(rng.normal(one(0.0, 3 * scale), scale, rows), decimals) + 0.0
    temp = np.round(rng.normal(0, 10, rows), 1) + 0.0
    separator, mark, thousands = (
        one(",", ";", "\t", "|"),
        one(".", ","),
        one("", "", "", ".", ",", "'", " ", "\xa0"),
    )
    if thousands in (mark, separator) or (thousands, separator) == (".", ","):
        thousands = ""
    columns = [
        [number(value, 1, mark, "") for value in temp],
        [number(v, decimals, mark, thousands) for v in load],
    ]
    names = ["temp", "load"]
    date, order = one(*DATES), one("oldest first", "oldest first", "newest first", "no order")
    if date:
        columns.insert(0, [f"{START + datetime.timedelta(days=day):{date}}" for day in range(rows)])
        names.insert(0, "date")
    gap = int(rng.integers(rows)) if rng.random() < 0.2 else None
    if gap is not None:
        columns[-1][gap] = one(*MARKERS)
    table = list(zip(*columns))
    if date and order == "newest first":
        table.reverse()
    if date and order == "no order":
        table = [table[row] for row in rng.permutation(rows)]
    table = [names, *table] if rng.random() < 0.6 else table
    lines = [separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in table]
    content = "\n".join([*lines, ""]).encode(one(*CODES))
    return content, None if date and order == "no order" else load, temp, gap


def check(seed, path):
    """Return whether a mutated file is trained on; fail when it is trained on other numbers."""
    rng = np.random.default_rng(seed)
    content, load, temp, gap = mutate(rng)
    path.write_bytes(content)
    task = evorrn.task("csv", path=str(path), fill=("", "linear", "previous")[seed % 3])
    try:
        task.data(0)
    except EvorrnError as error:
        assert re.search(r"line \d+, column", str(error)), f"seed {seed}: {error}"
        return False
    assert load is not None, f"seed {seed}: rows in no order were trained on"
    assert task.output_names in (("load",), (f"column{len(task.column_names)}",)), (
        f"seed {seed}: {task.data_notes}"
    )
    record = task.table.columns(task.input_names)
    kept = np.arange(len(load)) != gap
    assert len(record) == len(load) and np.array_equal(record[kept, 0], load[kept]), (
        f"seed {seed}: {content[:300]}"
    )
    assert record.shape[1] == 1 or np.array_equal(record[:, 1], temp), f"seed {seed}: {content[:300]}"
    assert gap is None or task.rules.fill, f"seed {seed}: a missing value was trained on"
    return True


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_a_mutated_file_is_trained_on_the_right_numbers_or_refused_with_line_and_column(tmp_path, first):
    read = [check(seed, tmp_path / "my.csv") for seed in range(first, first + 100)]
    assert sum(read) > 25  # about 40 of 100 are trained on


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(300, 1300, 250))
def test_a_thousand_mutated_files_are_trained_on_the_right_numbers_or_refused(tmp_path, first):
    for seed in range(first, first + 250):
        check(seed, tmp_path / "my.csv")
