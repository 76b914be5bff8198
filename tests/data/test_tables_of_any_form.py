"""Tables written in many forms from known numbers: each is read to these numbers, or refused with its place."""

import datetime
import re

import numpy as np
import pytest

from evorrn.base.errors import DataError
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import Rules

MARKERS = ("", "NA", "nan", "N/A", "-", "?", "NULL", "n.v.", "x", "#N/A")
DATES = {
    "iso": lambda t: f"{t:%Y-%m-%d}",
    "german": lambda t: f"{t:%d.%m.%Y}",
    "british": lambda t: f"{t:%d/%m/%Y}",
    "american": lambda t: f"{t.month}/{t.day}/{t.year}",
    "named": lambda t: f"{t.day} {t:%b} {t.year}",
    "moment": lambda t: f"{t:%Y-%m-%d %H:%M}",
    "zone": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z",
    "unix": lambda t: str(round(t.replace(tzinfo=datetime.UTC).timestamp())),
}


class Written:
    """A table drawn at random: the numbers, and the text that a program or a person wrote of them."""

    def __init__(self, rng):
        self.rng = rng
        self.rows = int(rng.integers(12, 40))
        self.decimal = self.one(".", ".", ",")
        self.separator = self.one(",", ",", ";", ";", "\t", "|", "", " ")
        self.thousands = self.one("", "", "", ".", ",", "'", " ")
        if self.thousands == self.decimal or (self.thousands, self.separator) == (".", ","):
            self.thousands = ""  # points between thousands and commas between columns: nobody writes so
        never = "needed" if self.thousands == self.separator else "never"
        self.quotes = self.one("needed", "needed", never, "always")
        count = 1 if self.separator == "" else int(rng.integers(1, 5))
        self.columns = [self.numbers() for _ in range(count)]
        self.gaps = [[] for _ in self.columns]
        self.marker = self.one(*MARKERS)
        if rng.random() < 0.25:
            place = int(rng.integers(count))
            self.gaps[place] = sorted(rng.choice(self.rows, int(rng.integers(1, 4)), replace=False).tolist())
        self.dates = self.one(*DATES, "", "") if self.separator else ""
        self.order = self.one("rising", "rising", "newest first", "shuffled") if self.dates else "rising"
        self.header = self.one("names", "names", "names", "none", "none", "counted", "years")
        self.text = self.lay_out()

    def one(self, *choices):
        """Return one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def numbers(self):
        """Return the numbers of a column and the decimals that they are written with."""
        kind = self.one("fixed", "fixed", "general", "whole", "large", "few", "truth", "counter", "signed")
        draw = self.rng.uniform
        if kind == "truth":
            return kind, self.rng.integers(0, 2, self.rows).astype(float)
        if kind == "counter":
            return kind, np.arange(self.rows) + float(self.one(0, 0, 1, 1900))
        if kind == "whole":
            return kind, np.floor(draw(0, 10.0 ** self.rng.integers(1, 5), self.rows))
        if kind == "large":
            return kind, np.floor(draw(500, 10.0 ** self.rng.integers(4, 8), self.rows))
        if kind == "few":
            return kind, self.rng.integers(0, 3, self.rows).astype(float)
        decimals = int(self.rng.integers(1, 5))
        low = -50.0 if kind == "signed" else self.one(0.0, 1.0, 500.0)
        return f"{kind} {decimals}", np.round(
            draw(low, low + 10.0 ** self.rng.integers(1, 4), self.rows), decimals
        )

    def cell(self, kind, value):
        """Return a number as text."""
        if kind == "truth":
            return ("False", "True")[int(value)]
        if kind.startswith(("fixed", "signed")):
            text = f"{abs(value):.{kind[-1]}f}"
        else:
            text = f"{abs(value):.10g}"
        whole, point, rest = text.partition(".")
        if self.thousands and "e" not in whole:
            whole = f"{int(whole):,}".replace(",", self.thousands)
        return ("-" if value < 0 else "") + whole + (self.decimal if point else "") + rest

    def quoted(self, cell):
        """Return a cell in quotes where they are wanted."""
        needed = self.separator and self.separator in cell
        return f'"{cell}"' if self.quotes == "always" or (needed and self.quotes == "needed") else cell

    def lay_out(self):
        """Return the text of the table."""
        start, step = datetime.datetime(2020, 1, 25), datetime.timedelta(days=1)
        if self.dates in ("moment", "zone", "unix"):
            step = datetime.timedelta(minutes=self.one(15, 60, 1440))
        table = []
        for row in range(self.rows):
            cells = [DATES[self.dates](start + row * step)] if self.dates else []
            for (kind, values), gaps in zip(self.columns, self.gaps):
                cells.append(self.marker if row in gaps else self.cell(kind, values[row]))
            table.append(cells)
        if self.order == "newest first":
            table.reverse()
        elif self.order == "shuffled":
            table = [table[row] for row in self.rng.permutation(self.rows)]
        width = len(table[0])
        names = [["date"] if self.dates else [], [f"name{place}" for place in range(len(self.columns))]]
        if self.header == "names":
            table.insert(0, names[0] + names[1])
        elif self.header == "counted":
            table.insert(0, [str(place) for place in range(width)])
        elif self.header == "years":
            table.insert(0, names[0] + [str(2019 + place) for place in range(len(self.columns))])
        end = self.one("\n", "\n", "\r\n", "\r")
        lines = [self.separator.join(map(self.quoted, row)) for row in table]
        comment = self.one("", "", "", f"# made by a program, version 1,0{end}")
        return comment + self.one(end, end, end, end * 2).join(lines) + self.one(end, "")

    def bytes(self):
        """Return the file."""
        code = self.one("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252")
        return self.text.encode(code)

    def stated(self):
        """Return rules that state the truth about some of the form."""
        separator = "tab" if self.separator == "\t" else self.separator.strip()
        return Rules(
            header=self.one(None, None, self.header != "none"),
            decimal=self.one("", "", self.decimal),
            separator=self.one("", "", "" if self.decimal == separator else separator),
        )


def check(rng, path):
    """Return which of the columns of a drawn table were read; fail when one was read to other numbers."""
    written = Written(rng)
    path.write_bytes(written.bytes())
    rules = written.stated()
    said = f"{written.text[:400]}\n{rules}\n{written.order}, {written.gaps}, {written.header}"
    first = 1 if written.dates else 0
    try:
        table = read_table(path, rules)
    except DataError as error:
        assert re.search(r"line \d+", str(error)), f"{error}\n{said}"
        return []
    right = []
    for place, (_, values) in enumerate(written.columns):
        if first + place >= len(table.names):
            continue
        name = table.names[first + place]
        try:
            numbers = table.columns([name])[:, 0]
        except DataError as error:
            assert re.search(rf"line \d+, column {re.escape(repr(name))}", str(error)), f"{error}\n{said}"
            continue
        known = np.ones(len(values), dtype=bool)
        known[written.gaps[place]] = False
        same = len(numbers) == len(values) and np.array_equal(numbers, values)
        assert same and known.all() and written.order != "shuffled", (
            f"column {name}: got {numbers[:6]}\nexpected {values[:6]}\n{said}"
        )
        right.append(written)
    return right


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_a_table_is_read_to_the_numbers_that_were_written_or_refused_with_its_place(tmp_path, first):
    found = [check(np.random.default_rng(seed), tmp_path / "table.csv") for seed in range(first, first + 50)]
    assert sum(map(bool, found)) > 15  # about 28 of 50 are read


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(400, 3400, 500))
def test_many_more_tables_are_read_to_the_numbers_that_were_written_or_refused(tmp_path, first):
    for seed in range(first, first + 500):
        check(np.random.default_rng(seed), tmp_path / "table.csv")


@pytest.mark.parametrize("first", range(0, 3000, 1000))
def test_tables_in_plain_forms_are_read_without_a_word_from_the_user(tmp_path, first):
    plain = 0
    for seed in range(first, first + 1000):
        written = Written(np.random.default_rng(seed))
        doubtful = any(kind.endswith("3") for kind, _ in written.columns) and written.separator != ","
        rough = written.thousands or any(written.gaps) or written.order == "shuffled" or doubtful
        if rough or written.decimal != "." or written.separator == " " or written.header != "names":
            continue
        (tmp_path / "table.csv").write_bytes(written.bytes())
        table = read_table(tmp_path / "table.csv")
        names = [f"name{place}" for place in range(len(written.columns))]
        wanted = np.stack([values for _, values in written.columns], axis=1)
        assert np.array_equal(table.columns(names), wanted), written.text[:400]
        assert (table.times is not None) == bool(written.dates) or not written.dates
        plain += 1
    assert plain > 20
