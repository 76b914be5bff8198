"""The line that tells how far a run is."""

import math

import pytest
from tiny import WAVE

from evorrn import BPTT, CMAES, GeneticAlgorithm, Network, Then, task
from evorrn.cli.progress import describe
from evorrn.lab.runs.spec import resolve
from evorrn.training.progress import Progress


def progress(**extra):
    return Progress(312, 1000, 10, 5, 2.0, 0.25, 0.5, 0.4, extra)


def test_a_loss_of_bptt_belongs_to_the_restart_that_the_line_names():
    spec = resolve({"task": {"name": WAVE}, "strategy": {"name": "bptt"}, "budget": "10k"})
    assert describe(spec, progress(start=0)).startswith("epoch 312, loss 0.25, best validation loss 0.4,")
    assert describe(spec, progress(start=2)).startswith("epoch 312 (restart 2), loss 0.25,")
    assert describe(spec, progress(restarts=1)).startswith("epoch 312 (restart 1), loss 0.25,")


@pytest.mark.parametrize(
    ("extra", "restart"),
    [({}, None), ({"restarts": math.nan}, None), ({"start": 0}, 0), ({"restarts": 3.0}, 3)],
)
def test_the_restart_of_a_step(extra, restart):
    assert progress(**extra).restart == restart


@pytest.mark.parametrize(
    "strategy",
    [
        BPTT(patience=2, rate=1e-9),
        GeneticAlgorithm(population=4, restart_after=1),
        CMAES(restart_after=1),
        Then(GeneticAlgorithm(population=4), BPTT(patience=2, rate=1e-9), steps=1),
    ],
    ids=lambda each: each.name,
)
def test_restarts_are_counted_in_what_callbacks_receive(strategy):
    sunspots, seen = task("sunspots"), []
    network = Network.for_task(sunspots, cell="elman", hidden=1)
    strategy.fit(network, sunspots, budget="25gen", callbacks=[lambda each: seen.append(each.restart)])
    counted = [number for number in seen if number is not None]
    assert counted[0] == 0 and counted[-1] >= 1 and counted == sorted(counted)
