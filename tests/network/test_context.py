"""One vector a sequence as a context: seen at every time step or at the first one, against a plain NumPy loop."""

import echoing
import naive_wiring
import numpy as np
import pytest

from evorrn import BPTT, Batch, EchoState, GeneticAlgorithm, Network, Problem, load
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve
from evorrn.testing import check_task


def shown(x, steps, context):
    """Return a context (B, I) by hand at its time steps (B, T, I)."""
    series = np.zeros((len(x), steps, x.shape[1]))
    for step in range(steps if context == "every" else 1):
        series[:, step] = x
    return series


@pytest.mark.parametrize("context", ["every", "first"])
@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "elman", "hidden": 5},
        pytest.param({"cell": ["gru", "lstm"], "hidden": (3, 4), "reads": "all"}, marks=pytest.mark.thorough),
        {"cell": "lstm", "hidden": 3, "bidirectional": True},
    ],
    ids=str,
)
def test_outputs_loss_and_gradient_are_those_of_the_vector_at_its_steps(context, settings):
    rng = np.random.default_rng(len(context))
    for count, steps in ((1, 1), (4, 7), (19, 3)):
        network = Network(3, 2, **settings, context=context, dtype="float64")
        x, targets = rng.standard_normal((count, 3)), rng.standard_normal((count, steps, 2))
        lengths = rng.integers(1, steps + 1, count)
        batch = Batch(x, targets, lengths=lengths)
        genomes = network.init_many(rng, 3)
        inside = np.arange(steps) < lengths[:, None]
        losses = []
        for genome in genomes:
            true, _ = naive_wiring.run(network, genome, shown(x, steps, context), lengths)
            found = network.predict(genome, x, lengths=lengths, steps=steps)
            np.testing.assert_allclose(found, true, rtol=1e-12, atol=1e-12)
            losses.append(np.mean((true - targets)[inside] ** 2))
        np.testing.assert_allclose(-network.fitness(genomes, batch), losses, rtol=1e-12)
        loss, gradient = network.loss_and_gradient(genomes[0], batch)
        assert loss == pytest.approx(losses[0], rel=1e-12)
        way = rng.standard_normal(network.size)
        ends = [network.loss(genomes[0] + sign * 1e-6 * way, batch) for sign in (1, -1)]
        assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-9)


def test_the_number_of_steps_comes_from_targets_lengths_or_the_argument():
    network = Network(3, 2, hidden=4, context="every", loss="cross-entropy")
    genome, x = network.init(seed=0), np.random.default_rng(0).standard_normal((4, 3))
    batch = Batch(x, np.ones((4, 6), int), lengths=[6, 1, 2, 3])
    assert (batch.steps, batch.n_inputs, batch.take([1, 2]).steps) == (6, 3, 6)
    assert network.predict(genome, x, steps=5).shape == (4, 5, 2)
    assert network.predict(genome, x, lengths=np.array([2, 1, 3, 1])).shape == (4, 3, 2)
    assert (
        network.predict(genome, shown(x, 5, "every")).tolist() == network.predict(genome, x, steps=5).tolist()
    )


@pytest.mark.parametrize(
    "strategy", [GeneticAlgorithm(population=8), BPTT(), EchoState()], ids=lambda s: s.name
)
def test_strategies_train_it_and_the_result_predicts(strategy, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 2))
    targets = np.cumsum(np.repeat(x[:, None, :1], 6, axis=1), axis=1)
    batches = [Batch(x[part], targets[part]) for part in (slice(0, 20), slice(20, 25), slice(25, 30))]
    result = strategy.fit(Network(2, 1, cell="elman", hidden=8, context="every"), batches, budget="4gen")
    assert result.predictions["predicted"].shape == (5, 6, 1)
    result.save(tmp_path)
    again = load(tmp_path)
    assert again.network.context == "every"
    assert again.predict(x[25:], steps=6).tolist() == result.predictions["predicted"].tolist()


def test_work_is_that_of_all_time_steps():
    network = Network(3, 2, hidden=4, context="first")
    problem = Problem(network, Batch(np.ones((2, 3)), np.ones((2, 5, 2)), lengths=[5, 2]))
    problem.fitness(problem.init(np.random.default_rng(0), 3))
    assert problem.meter.steps_forward == 3 * 7


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"context": "all"}, "network.context: unknown context 'all'"),
        ({"context": "every", "embedding": 4}, "network.embedding: expected none with context"),
        ({"context": "first", "readout": "last"}, "network.readout: expected none with context"),
    ],
)
def test_settings_that_do_not_go_with_a_context_are_named(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        Network(3, 2, hidden=4, **settings)


def test_wrong_arrays_are_refused_in_a_sentence():
    network, plain = (Network(3, 2, hidden=4, context=context) for context in ("every", ""))
    genome = network.init(seed=0)
    vectors = Batch(np.ones((2, 3)), np.ones((2, 5, 2)))
    for call, reason in (
        (
            lambda: plain.loss(genome, vectors),
            r"expected inputs \(B, T, 3\), got \(2, 3\); one vector a sequence needs",
        ),
        (
            lambda: network.loss(genome, Batch(np.ones((2, 4)), np.ones((2, 5, 2)))),
            "expected 3 inputs, got 4",
        ),
        (lambda: network.loss(genome, Batch(np.ones((2, 5), int), np.ones((2, 5, 2)))), "got integers"),
        (lambda: network.predict(genome, np.ones((2, 3))), "steps: expected the number of time steps"),
        (
            lambda: network.predict(genome, np.ones((2, 3)), steps=0),
            "steps: expected a whole number of at least 1",
        ),
        (lambda: network.predict(genome, np.ones((2, 4)), steps=2), r"\(B, 3\) of a context"),
        (lambda: plain.predict(genome, np.ones((2, 5, 3)), steps=5), "steps: the inputs say"),
        (lambda: Batch(np.ones((2, 3)), [0, 1]), "as many sequences"),
        (lambda: Batch(np.full((2, 3), np.nan), np.ones((2, 5, 2))), "expected finite numbers"),
    ):
        with pytest.raises(EvorrnError, match=reason):
            call()


@pytest.mark.parametrize("strategy", ["ga", "bptt", "esn"])
def test_a_task_with_a_context_runs_from_a_spec(tmp_path, strategy):
    raw = {"task": {"name": echoing.RAMPS}, "strategy": {"name": strategy}, "budget": "2gen"}
    spec = resolve(raw)
    assert spec.content["network"]["context"] == "every" and resolve(spec.content).id == spec.id
    run = execute(spec, tmp_path)
    assert run.status == "complete" and np.isfinite(run.test["nrmse_std"])
    first = resolve({**raw, "network": {"context": "first"}})
    assert first.network.context == "first" and first.id != spec.id


def test_a_task_with_a_context_keeps_the_contract_of_tasks():
    check_task(echoing.Ramps())
