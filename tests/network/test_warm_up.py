"""Networks that see their own output: taught over the unscored steps at the start, on their own from then on."""

import naive
import numpy as np
import pytest

import evorrn
from evorrn import BPTT, Batch, EchoState, GeneticAlgorithm, Network
from evorrn.base.errors import EvorrnError, ShapeError
from evorrn.training.assessment import predictions
from evorrn.training.problem import Problem

DRAWS = [0, 1, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(2, 12))]


def batch_of(rng, network, sequences, steps):
    """Return ragged sequences that begin with unscored steps, with some targets unknown and some steps unscored later."""
    lengths = rng.integers(1, steps + 1, sequences)
    first = rng.integers(0, lengths)
    mask = (np.arange(steps) >= first[:, None]) & (rng.random((sequences, steps)) < 0.8)
    mask[np.arange(sequences), lengths - 1] = True
    targets = rng.random((sequences, steps, network.outputs))
    targets[~mask & (rng.random(mask.shape) < 0.3)] = np.nan
    return Batch(rng.standard_normal((sequences, steps, network.inputs)), targets, mask=mask, lengths=lengths)


def naive_loss(network, genome, batch):
    outputs = naive.run_for_loss(network, genome, batch)
    total, count = naive.losses(outputs, batch.targets, batch.scored, network.loss_name)
    return total.sum() / count.sum()


@pytest.mark.parametrize("seed", DRAWS)
def test_losses_fitness_and_gradients_are_those_of_a_taught_warm_up(seed):
    rng = np.random.default_rng(seed)
    cell = ("leaky", "jordan", "lstm", "diagonal-jordan")[seed % 4]
    network = Network(
        int(rng.integers(1, 4)),
        int(rng.integers(1, 4)),
        cell=cell,
        hidden=int(rng.choice([3, 20, 66])),
        feedback="jordan" not in cell,
        dtype="float64",
    )
    for sequences in (1, int(rng.integers(2, 40))):  # units as vectors, and sequences as vectors
        batch = batch_of(rng, network, sequences, int(rng.integers(2, 30)))
        genomes = np.stack(
            [network.init(rng=rng) + 0.1 * rng.standard_normal(network.size) for _ in range(3)]
        )
        wanted = [naive_loss(network, genome, batch) for genome in genomes]
        np.testing.assert_allclose(-network.fitness(genomes, batch), wanted, rtol=1e-9)
        assert network.loss(genomes[0], batch) == pytest.approx(wanted[0], rel=1e-9)
        along = rng.standard_normal(network.size)
        loss, gradient = network.loss_and_gradient(genomes[0], batch)
        assert loss == pytest.approx(wanted[0], rel=1e-9)
        after, before = (naive_loss(network, genomes[0] + sign * 1e-6 * along, batch) for sign in (1, -1))
        assert gradient @ along == pytest.approx((after - before) / 2e-6, rel=1e-5, abs=1e-8)
        shown = predictions(network, genomes[0], batch, free_run=False)
        np.testing.assert_allclose(shown, naive.run_for_loss(network, genomes[0], batch), atol=1e-10)


def test_a_warm_up_needs_an_unscored_step_and_a_network_that_sees_its_output():
    x = np.ones((2, 5, 1))
    mask = np.arange(5) >= np.array([[2], [0]])
    batch, whole = Batch(x, x, mask=mask), Batch(x, x)
    network = Network(1, 1, hidden=2, feedback=True)
    taught = network.warm_up(batch)[:, :, 0]
    np.testing.assert_array_equal(taught, [[np.nan, 1, 1, np.nan, np.nan], [np.nan] * 5])
    assert network.warm_up(whole) is None
    assert Network(1, 1, hidden=2).warm_up(batch) is None
    assert Network(1, 2, hidden=2, feedback=True, loss="cross-entropy").warm_up(Batch(x, [0, 1])) is None


def sine(steps=1500, washout=200):
    """Return a generator's data: a constant input, a sine as target."""
    wave = np.sin(0.2 * np.arange(steps))[None, :, None]
    return Batch(np.ones_like(wave), wave, mask=np.arange(steps)[None] >= washout)


def test_a_generator_is_judged_and_forecasts_as_what_it_is():
    """Before, its warm-up began from zero on its own output: NRMSE 0.45 and a forecast wrong by 0.48."""
    network = Network(1, 1, cell="leaky", hidden=100, feedback=True, dtype="float64")
    data = sine()
    parts = [
        Batch(data.inputs[:, a:b], data.targets[:, a:b], mask=np.arange(500)[None] >= 200)
        for a, b in ((0, 500), (500, 1000), (1000, 1500))
    ]
    result = EchoState(reservoirs=5).fit(network, parts, seed=0)
    for split in ("train", "valid", "test"):
        assert result.metrics[split]["nrmse_std"] < 1e-6
    assert result.history["valid_loss"].min() < 1e-12
    known, ahead = data.targets[0, :500], data.targets[0, 500:584]
    one = np.ones((500, 1))
    values = result.forecast(one, 84, inputs=one[:84], teacher=known)
    assert np.abs(values - ahead).max() < 1e-6
    many = result.forecast(
        np.stack([one, one]), 84, inputs=np.ones((2, 84, 1)), teacher=np.stack([known] * 2)
    )
    np.testing.assert_allclose(many[1], values, atol=1e-9)
    with pytest.warns(UserWarning, match="true outputs as teacher"):
        assert np.abs(result.forecast(one, 84, inputs=one[:84]) - ahead).max() > 1e-3


def test_the_teacher_of_a_closed_loop_is_its_warm_up():
    rng = np.random.default_rng(0)
    wave = np.cumsum(rng.standard_normal((1, 61, 1)), axis=1) * 0.1
    batch = Batch(wave[:, :-1], wave[:, 1:], mask=np.arange(60)[None] >= 20)
    network = Network(1, 1, hidden=4, feedback=True, dtype="float64")
    result = GeneticAlgorithm(population=4).fit(network, batch, seed=0, budget="2gen")
    known = wave[0, :40]
    values = result.forecast(known, 5)
    x = np.concatenate([known, np.zeros((5, 1))])[None]
    teacher = np.full((1, 45, 1), np.nan)
    teacher[0, 1:40] = known[1:]
    plain = naive.run_network(network, result.genome, Batch(x, x), teacher=teacher, free_from=np.array([40]))[
        0
    ]
    np.testing.assert_allclose(values, plain[0, 39:44], atol=1e-10)


def test_the_teacher_of_a_forecast_is_in_original_units_and_checked():
    network = Network(1, 1, hidden=2, feedback=True, dtype="float64")
    result = GeneticAlgorithm(population=4).fit(network, sine(50, 10), seed=0, budget="1gen")
    one = np.ones((6, 1))
    plain = result.forecast(one, 2, inputs=one[:2], teacher=one)
    two, three = np.array([2.0]), np.array([3.0])
    result.scaling = evorrn.Scaling(np.zeros(1), np.ones(1), two, three)
    scaled = result.forecast(one, 2, inputs=one[:2], teacher=3 * one + 2)
    np.testing.assert_allclose(scaled, 3 * plain + 2, atol=1e-12)
    with pytest.raises(ShapeError, match="teacher"):
        result.forecast(one, 2, inputs=one[:2], teacher=one[:5])
    blind = GeneticAlgorithm(population=4).fit(Network(1, 1, hidden=2), sine(50, 10), budget="1gen")
    with pytest.raises(EvorrnError, match="does not see its own output"):
        blind.forecast(one, 2, inputs=one[:2], teacher=one)


@pytest.mark.parametrize("strategy", [GeneticAlgorithm(population=8), BPTT()])
def test_every_way_of_training_sees_the_same_loss_and_pays_the_same(strategy):
    network, data = Network(1, 1, hidden=3, feedback=True, dtype="float64"), sine(60, 20)
    result = strategy.fit(network, data, seed=0, budget="3gen")
    best = result.history["valid_loss"].min()
    assert best == pytest.approx(naive_loss(network, result.genome, data), rel=1e-9)
    assert result.metrics["train"]["rmse"] ** 2 == pytest.approx(best, rel=1e-9)
    plain = Batch(data.inputs, data.targets)
    problems = [Problem(network, each) for each in (data, plain)]
    for problem in problems:
        problem.fitness(result.genome[None])
        problem.loss_and_gradient(result.genome)
    assert problems[0].meter.work == problems[1].meter.work
    assert problems[0].learned(result.genome, 2.0) == 1.0
