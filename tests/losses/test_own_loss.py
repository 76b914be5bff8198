"""A user's own loss on whole sequences, in one file."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import evorrn
from evorrn import Batch, Network
from evorrn.base.errors import ConfigError
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve
from evorrn.losses.sequence import SequenceLoss
from evorrn.testing import check_task

FILE = '''
from dataclasses import dataclass
import numpy as np
import evorrn
from evorrn.data.task import ANSWERS_OF_WHOLE
from evorrn.losses.sequence import SequenceLoss

class Counted(SequenceLoss):
    """The squared difference between the sum of the first output and the number of labels."""
    name = "counted"
    def __call__(self, outputs, targets, lengths):
        inside = np.arange(outputs.shape[1]) < lengths[:, None]
        error = (outputs[:, :, 0] * inside).sum(axis=1) - [len(row) for row in targets]
        gradient = np.zeros_like(outputs)
        gradient[:, :, 0] = 2 * error[:, None] * inside
        return error**2, gradient

@dataclass(frozen=True)
class Count(evorrn.Task):
    """How many inputs are positive."""
    name = "count"
    loss = Counted
    metrics = ("counted",)
    provides = ANSWERS_OF_WHOLE
    inputs = outputs = 2
    def data(self, seed):
        x = np.random.default_rng(seed).normal(size=(12, 5, 2))
        batch = evorrn.Batch(x, np.ones((12, 5), int), target_lengths=(x[:, :, 0] > 0).sum(axis=1))
        return evorrn.Splits(*(batch.take(range(k, k + 4)) for k in (0, 4, 8)))
    def baselines(self, splits):
        return {"zero": np.zeros((4, 5, 2))}

class Nothing:
    name = "nothing"
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def batch(seed=0):
    rng = np.random.default_rng(seed)
    rows = {"targets": rng.integers(0, 2, (3, 4)), "target_lengths": [4, 0, 2]}
    return Batch(rng.normal(size=(3, 6, 2)), lengths=[6, 1, 3], **rows)


def test_losses_and_gradients_are_those_of_the_file(file):
    net = Network(2, 2, cell="gru", hidden=3, loss=f"{file}:Counted", dtype="float64")
    assert net.loss_name == f"{file}:Counted" and net.size == Network(2, 2, cell="gru", hidden=3).size
    genome, data = np.random.default_rng(1).normal(size=net.size), batch()
    outputs = net.predict(genome, data.inputs, lengths=data.lengths)
    by_hand = np.mean([(y[:n, 0].sum() - k) ** 2 for y, n, k in zip(outputs, (6, 1, 3), (4, 0, 2))])
    loss, gradient = net.loss_and_gradient(genome, data)
    assert loss == pytest.approx(by_hand, rel=1e-12)
    assert net.fitness(genome[None], data)[0] == pytest.approx(-by_hand, rel=1e-12)
    step = 1e-6 * np.eye(net.size)
    slopes = [(net.loss(genome + each, data) - net.loss(genome - each, data)) / 2e-6 for each in step]
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)


def test_a_class_stands_for_itself():
    class Ends(SequenceLoss):
        name = "ends"

        def __call__(self, outputs, targets, lengths):
            return np.zeros(len(outputs)), np.zeros_like(outputs)

    net = Network(2, 2, hidden=2, loss=Ends)
    assert net.loss_name.endswith(":Ends") and net.loss(net.init(seed=0), batch()) == 0


def test_a_task_with_such_a_loss_is_trained_and_its_runs_are_read_again(file, tmp_path):
    task = evorrn.task(f"{file}:Count")
    check_task(task)
    for strategy, budget in (("ga", "2gen"), ("bptt", "30gen")):
        raw = {"task": {"name": f"{file}:Count"}, "network": {"cell": "elman", "hidden": 3}}
        spec = resolve({**raw, "strategy": {"name": strategy}, "budget": budget})
        run = execute(spec, tmp_path / "runs")
        assert run.status == "complete", run.error
        assert run.test["counted"] == pytest.approx(
            run.result.network.loss(run.result.genome, task.data(0).test), rel=1e-5
        )
        assert evorrn.load(run.path).network.loss_name == f"{file}:Counted"
    run.result.save_model(tmp_path / "a.model")
    assert evorrn.load_model(tmp_path / "a.model").network.loss_name == f"{file}:Counted"
    code = "import evorrn, sys\nprint(evorrn.load(sys.argv[1], trust=sys.argv[2] == 'yes').network.loss_name)"
    text = json.loads((run.path / "result.json").read_text())["network"]["loss"]
    assert text == f"{file}:Counted"
    file.write_text(FILE + "\n")  # no longer what the spec has recorded
    found = [
        subprocess.run(
            [sys.executable, "-c", code, run.path, each], capture_output=True, text=True, env=os.environ
        )
        for each in ("yes", "no")
    ]
    assert text in found[0].stdout and "was not imported" in found[1].stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Nothing", "expected a subclass of Loss with a name"),
        ("Countd", "unknown name in .*did you mean 'Counted'"),
    ],
)
def test_what_is_no_loss_is_refused_in_a_sentence(file, name, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Network(2, 2, loss=f"{file}:{name}")
    with pytest.raises(ConfigError, match=r"network\.loss: unknown loss 'mean'"):
        Network(2, 2, loss="mean")
    with pytest.raises(ConfigError, match=r"expected a subclass of .*SequenceLoss"):
        Network(2, 2, loss="evorrn.losses.mse:MeanSquaredError")
