"""All checks take an object, its class or ``file.py:name``, say what they do, and name everything that is wrong."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from tiny import WALK, WAVE, Walk, Wave

import evorrn
from evorrn.base.errors import EvorrnError
from evorrn.base.settings import setting
from evorrn.cells.find import cells
from evorrn.data.task import Task
from evorrn.testing import check_cell, check_environment, check_strategy, check_task

CELL = '''
from evorrn import cell, tanh


@cell(state={"h": "H"}, parameters={"W": "H I", "U": "H H"})
def plain(p, x, h):
    """The smallest cell."""
    return tanh(p.W @ x + p.U @ h)
'''


@pytest.mark.parametrize("given", [Wave(), Wave, WAVE, "sines"])
def test_a_task_may_be_given_as_an_object_a_class_or_a_name(given, capsys):
    check_task(given)
    said = capsys.readouterr().err
    assert "check_task " in said and "data of seed 0" in said and "baselines" in said


@pytest.mark.parametrize("given", [Walk(), Walk, WALK])
def test_a_strategy_may_be_given_as_an_object_a_class_or_a_name(given, capsys):
    check_strategy(given, steps=2)
    said = capsys.readouterr().err
    assert "check_strategy Walk: 2 steps" in said and "resumed from files" in said


def test_an_environment_may_be_given_as_an_object_a_class_or_a_name(capsys):
    for given in ("t-maze", type(evorrn.task("t-maze")), evorrn.task("t-maze", length=3)):
        check_environment(given)
        assert "check_environment TMaze: episodes" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_cell_may_be_given_as_an_object_or_a_name_and_compiling_is_said(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(CELL)
    check_cell(f"{tmp_path / 'mine.py'}:plain")
    said = capsys.readouterr().err
    assert "check_cell plain: compiling, and comparing outputs" in said and "compiling the gradient" in said


@dataclass(frozen=True)
class Demanding(Task):
    """A task whose setting has no default that is allowed."""

    name = "demanding"
    steps: int = setting(0, "time steps", minimum=1)


class Undecorated(Task):
    """A task that is no dataclass."""

    name = "undecorated"
    inputs = outputs = 1
    steps: int = setting(3, "time steps", minimum=1)


@pytest.mark.parametrize("check", [check_task, check_strategy, check_environment, check_cell])
@pytest.mark.parametrize("given", [3, None, int, "nothing", "nothing.py:Thing", f"{WAVE}s", np])
def test_what_is_nothing_to_check_is_told_in_a_sentence(check, given):
    with pytest.raises(EvorrnError):
        check(given)


def test_a_class_that_cannot_be_made_is_told_in_a_sentence():
    with pytest.raises(EvorrnError, match="Demanding: steps: expected a value >= 1, got 0"):
        check_task(Demanding)
    with pytest.raises(EvorrnError, match=r"expected @dataclass\(frozen=True\) above the class Undecorated"):
        check_task(Undecorated)
    with pytest.raises(EvorrnError, match=r"expected an environment, its class or 'file.py:name', got Wave"):
        check_environment(Wave())


@dataclass(frozen=True)
class Faulty(Wave):
    """A task that breaks several rules."""

    name = "faulty"
    metrics = ("nrmse",)
    loss = "absolute"
    input_names = ("a", "b")

    def baselines(self, splits):
        return {"flat": splits.test.inputs[0], "nan": splits.test.inputs * np.nan}

    def recommended(self, strategy):
        raise ZeroDivisionError("no advice")


def test_everything_that_is_wrong_with_a_task_is_named_at_once():
    with pytest.raises(AssertionError) as error:
        check_task(Faulty)
    for sentence in (
        "loss: expected one of",
        "metrics: expected keys of METRICS",
        "names: expected 1 different ones",
        "baseline flat: expected shape",
        "baseline nan: expected finite predictions",
        "recommendation for ga: raised ZeroDivisionError: no advice",
    ):
        assert sentence in str(error.value), str(error.value)


@dataclass(frozen=True)
class Careless(Walk):
    """A strategy that breaks several rules."""

    name = "careless"

    def step(self, problem, state):
        after = super().step(problem, state)
        np.random.rand()  # noqa: NPY002
        return {**after, "finished": 0, "record": {"text": "many"}}


def test_everything_that_is_wrong_with_a_strategy_is_named_at_once():
    with pytest.raises(AssertionError) as error:
        check_strategy(Careless)
    for sentence in (
        "expected finished to be text",
        "expected numbers in the record",
        "changed a global random generator",
    ):
        assert sentence in str(error.value), str(error.value)


def test_every_form_of_a_cell_that_disagrees_is_named():
    leaky = cells()["leaky"]
    wrong = dataclasses.replace(
        leaky, function=lambda p, x, h, *, leak, activation: activation(p.W_x @ x + h)
    )
    with pytest.raises(AssertionError) as error:
        check_cell(wrong)
    assert str(error.value).startswith("compiled outputs: expected a difference")
