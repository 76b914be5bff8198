"""`check_task` finds each way in which a task can break its contract."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Reference, Scaling, Splits, Task
from evorrn.testing import check_task


@dataclass(frozen=True)
class Ahead(Task):
    """Forecast a random walk."""

    name = "ahead"
    steps: int = setting(12, "time steps", minimum=4)
    horizon: int = setting(1, "steps ahead", minimum=1)
    inputs = 1
    outputs = 1

    def data(self, seed):
        walk = np.random.default_rng(seed).normal(size=(3, self.steps + self.horizon, 1)).cumsum(axis=1)
        parts = [Batch(w[None, : -self.horizon], w[None, self.horizon :]) for w in walk]
        return Splits(*parts)

    def baselines(self, splits):
        return {"persistence": np.array(splits.test.inputs)}


def broken(**changes):
    kind = type("Broken", (Ahead,), {"__doc__": "A task with a fault.", **changes})
    return dataclass(frozen=True)(kind)()


def shifted_data(self, seed):
    splits = Ahead.data(self, seed)
    return replace(splits, test=Batch(splits.test.inputs, splits.test.targets + 1.0))


def scaled_data(self, seed):
    one = np.ones(1)
    return replace(Ahead.data(self, seed), scaling=Scaling(one, one, 2 * one, one))


def global_data(self, seed):
    np.random.rand()  # noqa: NPY002
    return Ahead.data(self, seed)


def test_a_good_task_passes():
    check_task(Ahead())
    check_task(Ahead(steps=30, horizon=3), seed=9)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"__doc__": ""}, "expected a docstring"),
        ({"name": ""}, "name: expected text"),
        (
            {"loss": "absolute"},
            "loss: expected one of binary-cross-entropy, cross-entropy, ctc, description-length, mse, got 'absolute'",
        ),
        ({"metrics": ()}, "metrics: expected at least one"),
        ({"metrics": ("nrmse",)}, "metrics: expected keys of METRICS, got 'nrmse'"),
        ({"inputs": 2}, "train: expected 2 inputs, got 1"),
        ({"outputs": 2}, "train: expected 2 outputs, got 1"),
        ({"loss": "cross-entropy"}, "train: expected labels"),
        ({"loss": "binary-cross-entropy"}, "train: expected targets from 0 to 1"),
        ({"input_names": ("a", "b")}, "names: expected 1 different ones"),
        ({"network_form": {"readot": "last"}}, "network_form.readot: unknown setting of the form 'readot'"),
        ({"free_run": True}, "valid: expected unscored steps before the free run"),
        ({"seed_changes": "training"}, "seed_changes: 'training', but another seed gives other data"),
        ({"data": lambda self, seed: Ahead.data(self, 0)}, "seed_changes: 'data', but another seed"),
        ({"data": lambda self, seed: Ahead.data(self, None)}, "data: expected the same bytes again"),
        ({"data": global_data}, "data: expected no draw from NumPy's global generator"),
        ({"data": shifted_data}, "test: expected the first inputs 1 steps later as targets"),
        (
            {"predicts_inputs": False},
            "train: expected predicts_inputs = True, since the targets are the next inputs",
        ),
        ({"data": scaled_data}, "scaling: expected the inputs that are past targets to be scaled"),
        ({"data": lambda self, seed: replace(Ahead.data(self, seed), valid=None)}, "valid: expected a Batch"),
        ({"baselines": lambda self, splits: {}}, "baselines: expected at least one"),
        ({"baselines": lambda self, s: {"flat": s.test.inputs[0]}}, "baseline flat: expected shape"),
        ({"baselines": lambda self, s: {"nan": s.test.inputs * np.nan}}, "expected finite predictions"),
        (
            {"baselines": lambda self, s: {"oracle": s.test.targets}},
            "baseline oracle: expected no use of test",
        ),
        (
            {"baselines": lambda self, s: {"late": s.test.inputs + s.test.inputs.mean()}},
            "baseline late: expected no use of later inputs",
        ),
        ({"recommended": lambda self, strategy: None}, "recommended('ga'): expected Recommended"),
        ({"references": (Reference(np.nan, "mse", "", "x"),)}, "references: expected a finite value"),
        ({"references": (Reference(0.1, "mse", "", ""),)}, "references: expected a finite value"),
    ],
)
def test_each_fault_is_named(changes, sentence):
    with pytest.raises(AssertionError) as error:
        check_task(broken(**changes))
    assert sentence in str(error.value)
