"""Budgets from text and from arguments, and errors for wrong ones."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.training.budget import Budget


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("20G", Budget(work=20_000_000_000)),
        ("1.5M", Budget(work=1_500_000)),
        ("3k", Budget(work=3000)),
        ("2T", Budget(work=2_000_000_000_000)),
        ("1e9", Budget(work=1_000_000_000)),
        (5000, Budget(work=5000)),
        ("500gen", Budget(generations=500)),
        ("2000eval", Budget(evaluations=2000)),
        ("2keval", Budget(evaluations=2000)),
        ("100steps", Budget(steps=100)),
        ("60s", Budget(seconds=60)),
        ("0.5s", Budget(seconds=0.5)),
        (" 20G , 60s ", Budget(work=20_000_000_000, seconds=60)),
        ({"loss": 0.1, "learned": 0.9, "tolerance": 0.04}, Budget(loss=0.1, learned=0.9, tolerance=0.04)),
        (Budget(generations=1), Budget(generations=1)),
    ],
)
def test_texts_are_read_as_budgets(text, wanted):
    assert Budget.parse(text) == wanted


def test_values_are_plain_and_make_the_same_budget():
    budget = Budget.parse("20G,60s,500gen")
    assert budget.values() == {"work": 20_000_000_000, "generations": 500, "seconds": 60.0}
    assert Budget.parse(budget.values()) == budget
    assert Budget().empty and not budget.empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "-5G",
        "0",
        "0s",
        "0gen",
        "20X",
        "20 G G",
        "1.2.3",
        "nan",
        "inf",
        "1e999",
        "0.2",
        "5g",
        None,
        [],
        "5s,6s",
    ],
)
def test_junk_raises_an_error(text):
    with pytest.raises(ConfigError, match=r"^budget"):
        Budget.parse(text)


def test_every_mistake_is_reported_at_once():
    with pytest.raises(ConfigError) as error:
        Budget(work=0, generations=2.5, seconds=-1.0, learned=1.5, tolerance=-1.0, loss=float("nan"))
    assert len(error.value.problems) == 6
    with pytest.raises(ConfigError, match=r"only together with budget\.learned"):
        Budget(tolerance=0.1)
    with pytest.raises(ConfigError, match="did you mean 'seconds'"):
        Budget.parse({"second": 5})


@given(st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.binary(max_size=5)))
def test_anything_at_all_is_a_budget_or_a_clear_error(junk):
    try:
        assert not Budget.parse(junk).empty
    except EvorrnError as error:
        assert str(error).startswith("budget")


def test_numpy_numbers_are_numbers():
    assert Budget(generations=np.int64(5), seconds=np.float32(2)) == Budget(generations=5, seconds=2.0)
    with pytest.raises(ConfigError, match=r"budget.generations: .*whole number"):
        Budget.parse("1.5gen")
    assert Budget.parse("1.1G").work == 1_100_000_000


@pytest.mark.parametrize("given", [(20,), (20, 5), ("20gen",)])
def test_a_limit_without_a_name_is_refused(given):
    """Twenty of what: generations, seconds or multiply-adds?"""
    with pytest.raises(TypeError, match=r"expected limits by name, for instance Budget\(generations=20\)"):
        Budget(*given)
    for budget in (Budget(generations=20), Budget()):
        assert copy.deepcopy(budget) == pickle.loads(pickle.dumps(budget)) == budget
