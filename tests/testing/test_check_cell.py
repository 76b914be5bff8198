"""`check_cell` passes right cells, and fails for one whose compiled form differs from its function."""

import dataclasses

import pytest

from evorrn.cells.find import cells
from evorrn.testing import check_cell

QUICK = ("elman", "lstm", "clockwork", "stack", "ntm-feed-forward")
"""Cells that stand for the others in the quick tests: each cell compiles programs of its own."""
EVERY = [pytest.param(name, marks=() if name in QUICK else pytest.mark.thorough) for name in sorted(cells())]


@pytest.mark.parametrize("name", EVERY)
def test_every_cell_passes_the_check(name):
    check_cell(name)


@pytest.mark.thorough
def test_options_are_given_to_the_cell():
    check_cell("leaky", options={"leak": 0.9, "activation": "softplus"})


def test_the_check_finds_results_that_differ():
    leaky = cells()["leaky"]
    wrong = dataclasses.replace(
        leaky, function=lambda p, x, h, *, leak, activation: activation(p.W_x @ x + h)
    )
    with pytest.raises(AssertionError, match="compiled outputs: expected a difference"):
        check_cell(wrong)
