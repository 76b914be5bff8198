"""Tables on terminals of any width: no number or name is cut, and what is left out is said."""

import io

import numpy as np
import pytest
from comparisons import made_up

from evorrn.lab.query import Selection
from evorrn.lab.report.comparison import IN_TERMINAL, ranking_table
from evorrn.lab.report.fitting import GAP, NARROWEST, fit
from evorrn.lab.report.tables import Entry, Table, text_table
from evorrn.lab.report.terminal import show

WORDS = ["a", "an", "the", "network", "reservoir", "gradient", "loss", "of-one-run", "evolution"]


def drawn_at_random(rng):
    columns = tuple(f"column {place}" for place in range(rng.integers(1, 9)))
    align = "".join(rng.choice(list("lrp"), len(columns)))

    def cell(letter):
        if letter == "p":
            return " ".join(rng.choice(WORDS, rng.integers(0, 30)))
        return "".join(rng.choice(list("0123456789.e-"), rng.integers(0, 14)))

    entries = [Entry(tuple(map(cell, align))) for _ in range(rng.integers(0, 5))]
    return Table(
        columns, align, entries, less_important=tuple(rng.permutation(columns)[: rng.integers(0, 4)])
    )


@pytest.mark.parametrize("seed", range(60))
def test_a_fitted_table_has_whole_cells_and_names_what_it_leaves_out(seed):
    rng = np.random.default_rng(seed)
    table, width = drawn_at_random(rng), int(rng.integers(20, 141))
    fitted, widths, left_out = fit(table, width)
    assert fitted.columns[0] == table.columns[0]
    assert sorted((*fitted.columns, *left_out)) == sorted(table.columns)
    for place, name in enumerate(fitted.columns):
        cells = [name, *(entry.cells[place] for entry in fitted.entries)]
        needed = [len(word) for cell in cells for word in cell.split()] if fitted.align[place] == "p" else []
        assert widths[place] >= (max(needed, default=0) if needed else max(map(len, cells)))
    total = sum(widths) + GAP * (len(widths) - 1)
    assert total <= width or len(fitted.columns) == 1
    named = [name for name in table.less_important if name in table.columns[1:]]
    assert left_out[: len(named)] == named[: len(left_out)]


def test_columns_of_one_value_go_before_others_and_those_on_the_right_before_those_on_the_left():
    rows = [(f"run {number}", "ga", f"{number}.25", f"{number}00") for number in range(3)]
    table = Table(("id", "strategy", "test", "seconds"), "lllr", [Entry(row) for row in rows])
    orders = [fit(table, width)[2] for width in (40, 20, 14, 6)]
    assert orders == [[], ["strategy"], ["strategy", "seconds"], ["strategy", "seconds", "test"]]


def test_sentences_are_wrapped_before_a_column_is_left_out():
    table = text_table("", ("name", "meaning", "unit"), [("leak", "word " * 20, "none"), ("x", "y", "m")])
    _, widths, left_out = fit(table, 40)
    assert not left_out and widths[1] == 40 - widths[0] - widths[2] - 2 * GAP >= NARROWEST


@pytest.mark.parametrize("width", [70, 80, 100, 140])
def test_a_terminal_shows_every_number_whole_and_names_the_columns_it_leaves_out(width):
    from rich.console import Console

    rng = np.random.default_rng(width)
    columns = ["id", "status", "task.name", "strategy.name", "network.hidden", "seed"]
    columns += ["test.nrmse_std", "work", "seconds"]
    lines = [
        (
            f"{number:016x}",
            "complete",
            "mackey-glass",
            "ga",
            16,
            number,
            float(rng.random()),
            5e9,
            1.5 * number,
        )
        for number in range(4)
    ]
    table = Selection(columns, lines).table("runs")
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show([table], console)
    printed = console.file.getvalue()
    assert all(len(line) <= width for line in printed.splitlines())
    assert "…" not in printed and "..." not in printed
    for entry in table.entries:
        assert entry.cells[0] in printed and entry.cells[6] in printed  # the id and the score, whole
    shown = [name for name in columns if name in printed.splitlines()[1]]
    missing = " ".join(printed.partition("not shown at this width: ")[2].split()).split(", ")
    assert {*shown, *missing} >= set(columns)


@pytest.mark.parametrize("width", [50, 60, 65, 70, 84, 100])
def test_a_terminal_of_any_width_says_which_rows_are_baselines(width):
    from rich.console import Console

    comparison = made_up()
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show([ranking_table(comparison).only(IN_TERMINAL)], console)
    lines = console.file.getvalue().splitlines()
    for each in comparison.baselines:
        assert [line.rstrip().endswith("baseline") for line in lines if line.startswith(each.name)] == [True]
