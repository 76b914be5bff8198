"""The check that a cell's author runs: it passes good cells and catches one whose forms disagree."""

import dataclasses

import pytest

from evorrn.cells.find import cells
from evorrn.testing import check_cell


@pytest.mark.parametrize("name", sorted(cells()))
def test_every_cell_passes(name):
    check_cell(name)


def test_an_option_is_passed_on():
    check_cell("leaky", options={"leak": 0.9, "activation": "softplus"})


def test_a_disagreement_is_caught():
    leaky = cells()["leaky"]
    wrong = dataclasses.replace(
        leaky, function=lambda p, x, h, *, leak, activation: activation(p.W_x @ x + h)
    )
    with pytest.raises(AssertionError, match="compiled outputs: expected a difference"):
        check_cell(wrong)
