"""Finding tasks by name, in a file of the user's own, and from another distribution."""

import importlib.metadata

import pytest

import evorrn
from evorrn.base import plugins
from evorrn.base.errors import EvorrnError, UnknownName
from evorrn.data.environment import Environment
from evorrn.data.find import find_task, make_task, task_kinds
from evorrn.data.task import Task
from evorrn.strategies.find import make_strategy

OWN = '''
from dataclasses import dataclass
import numpy as np
from evorrn.data.batch import Batch
from evorrn.base.settings import setting
from evorrn.data.task import Splits, Task

@dataclass(frozen=True)
class Doubling(Task):
    """Give twice the input."""

    name = "doubling"
    steps: int = setting(5, "time steps", minimum=1)
    inputs = 1
    outputs = 1

    def data(self, seed):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(3, 4, self.steps, 1))
        return Splits(*[Batch(part, 2 * part) for part in x])

    def baselines(self, splits):
        return {"zero": np.zeros(splits.test.targets.shape)}
'''


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_built_in_tasks_are_found_by_their_name():
    found = task_kinds()
    assert list(found) == sorted(found)
    assert found["mackey-glass"].__name__ == "MackeyGlass"
    assert all(issubclass(kind, Task | Environment) and kind.name == name for name, kind in found.items())
    assert evorrn.tasks() == list(found)


def test_a_task_is_made_by_its_name():
    task = evorrn.task("mackey-glass", horizon=6)
    assert isinstance(task, Task) and task.horizon == 6


def test_a_task_in_a_file_of_the_users_own(own):
    from evorrn.testing import check_task

    task = evorrn.task(f"{own}:Doubling", steps=7)
    assert task.steps == 7 and task.data(0).train.steps == 7
    check_task(task)
    net = evorrn.Network.for_task(task, cell="elman", hidden=2)
    assert (net.inputs, net.outputs) == (1, 1)


def test_a_changed_file_is_read_again(own):
    assert evorrn.task(f"{own}:Doubling").steps == 5
    own.write_text(OWN.replace("setting(5", "setting(6"))
    assert evorrn.task(f"{own}:Doubling").steps == 6


@pytest.mark.parametrize(
    ("reference", "kind", "sentence"),
    [
        ("makey-glas", UnknownName, "unknown task 'makey-glas'; did you mean 'mackey-glass'?"),
        ("Narma", UnknownName, "did you mean 'narma'?"),
        ("{own}:Doublin", UnknownName, "did you mean 'Doubling'"),
        ("{own}:OWN_NUMBER", UnknownName, "unknown name in"),
        ("{own}:np", EvorrnError, "expected a subclass of evorrn.Task"),
        ("{own}:Task", EvorrnError, "expected a subclass of evorrn.Task with a name"),
        ("nothing.py:Doubling", EvorrnError, "cannot read nothing.py: No such file"),
        ("no_such_module:Doubling", EvorrnError, "cannot import 'no_such_module'"),
    ],
)
def test_references_that_lead_nowhere(own, reference, kind, sentence):
    with pytest.raises(kind) as error:
        find_task(reference.format(own=own))
    assert sentence in str(error.value)


def test_a_class_that_is_no_dataclass_is_told(tmp_path):
    path = tmp_path / "bare.py"
    path.write_text(
        "from evorrn.data.environment import Environment\n"
        "from evorrn.strategies.base import Strategy\n"
        "class Bare(Environment):\n    name = 'bare'\n"
        "class Plain(Strategy):\n    name = 'plain'\n"
    )
    with pytest.raises(EvorrnError, match=r"task: expected @dataclass\(frozen=True\) above the class Bare"):
        make_task(f"{path}:Bare", {})
    with pytest.raises(EvorrnError, match=r"strategy: expected @dataclass\(frozen=True\) .* Plain"):
        make_strategy(f"{path}:Plain", {})


def test_a_file_that_fails_says_how(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("x = 1 / 0\n")
    with pytest.raises(EvorrnError, match=r"broken.py failed while it was imported: ZeroDivisionError"):
        find_task(f"{path}:Task")


def test_another_distribution_can_bring_tasks(own, monkeypatch):
    kind = find_task(f"{own}:Doubling")

    class Entry:
        def load(self):
            return kind

    real = importlib.metadata.entry_points

    def entry_points(*, group):
        return [Entry()] if group == "evorrn.tasks" else real(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    monkeypatch.setattr(plugins, "entries", plugins.entries.__wrapped__)
    assert task_kinds()["doubling"] is kind
    assert evorrn.task("doubling").steps == 5
