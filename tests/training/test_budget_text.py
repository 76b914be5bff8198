"""The text of a budget, and the share of a budget that is used."""

import numpy as np
import pytest

from evorrn.base.errors import ConfigError
from evorrn.training.budget import Budget
from evorrn.training.progress import Progress


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("20G", "20G"),
        ("1.5G", "1500M"),
        ("1000k", "1M"),
        ("7", "7"),
        ("500gen", "500gen"),
        ("2keval", "2keval"),
        ("3Msteps", "3Msteps"),
        ("60s", "60s"),
        ("0.25s", "0.25s"),
        ("60s,20G", "20G,60s"),
    ],
)
def test_a_budget_is_shown_as_it_is_typed(typed, shown):
    budget = Budget.parse(typed)
    assert budget.text() == shown and Budget.parse(budget.text()) == budget


@pytest.mark.parametrize(
    ("number", "instead"),
    [
        (20, "0.02k"),
        (20.0, "0.02k"),
        (np.int64(1500), "1.5k"),
        (10**9, "1G"),
        ("20", "0.02k"),
        (" 2e6 ", "2M"),
        ("60s,1234567", "1234.567k"),
    ],
)
def test_a_number_without_a_unit_is_refused_as_it_could_be_generations_or_seconds(number, instead):
    """The error says how so many multiply-adds are written."""
    with pytest.raises(ConfigError, match="budget: expected a number with its unit") as refused:
        Budget.given(number)
    assert str(refused.value).endswith(f"so many multiply-adds are {instead}")
    assert Budget.given(instead).work == Budget.parse(instead).work


@pytest.mark.parametrize("wrong", [True, "", "G20", "0"])
def test_what_is_no_budget_is_refused_as_such(wrong):
    with pytest.raises(ConfigError, match="budget"):
        Budget.given(wrong)


@pytest.mark.parametrize(
    "budget", [Budget(), Budget(loss=0.1), Budget(work=5, learned=0.9), Budget(seconds=1 / 3)]
)
def test_a_budget_without_a_text_gives_none(budget):
    assert budget.text() is None


def test_the_share_used_is_that_of_the_nearest_limit():
    progress = Progress(
        step=5, work=200, steps=30, evaluations=40, seconds=2.0, train_loss=1.0, valid_loss=1.0, best_loss=1.0
    )
    assert Budget(work=1000).used(progress) == pytest.approx(0.2)
    assert Budget(work=1000, generations=10, seconds=100).used(progress) == pytest.approx(0.5)
    assert Budget(evaluations=20).used(progress) == 1.0
    assert Budget(loss=0.5).used(progress) is None
