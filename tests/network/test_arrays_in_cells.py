"""Random cells of arrays of up to three dimensions, as networks, against their own functions on NumPy.

Everything is drawn from a seed: the equations with all functions of the language, their declarations, layers, sizes,
connections, ragged batches of several tiles, first states and populations.
"""

import numba
import numpy as np
import pytest
import random_cells
from random_cells_by_hand import by_hand

from evorrn import Batch, Network
from evorrn.engine.lanes import listings

QUICK = range(4)
MORE = (*range(4, 88), 145)
SLACK = 2e-6
"""Largest error of differences of outputs, in shares of the largest term of the gradient."""


class Drawn:
    """A random network, a genome, a ragged batch and first states."""

    def __init__(self, seed, path):
        options = random_cells.write(seed, path)
        self.rng = rng = np.random.default_rng([seed, 5])
        feedback = bool(rng.integers(2))
        self.settings = {
            "inputs": int(rng.integers(0 if feedback else 1, 4)),
            "outputs": int(rng.integers(1, 4)),
            "cell": f"{path}:made",
            "hidden": tuple(int(n) for n in rng.integers(1, 6, rng.choice([1, 1, 1, 2, 3]))),
            "cell_options": {**options, "N": int(rng.integers(1, 6)), "M": int(rng.integers(1, 6))},
            "feedback": feedback,
            "direct": bool(rng.integers(2)),
            "biases": bool(rng.integers(3)),
            "reads": str(rng.choice(["last", "all"])),
        }
        self.network = Network(**self.settings, dtype="float64")
        size = self.network.size
        self.genome = self.network.init(rng=rng) * 0.7 + 0.2 * rng.standard_normal(size)
        self.sequences, self.steps = int(rng.choice([20, 37, 70])), int(rng.integers(1, 10))
        shape = self.sequences, self.steps
        self.x = rng.standard_normal((*shape, self.network.inputs))
        self.lengths = rng.integers(1, self.steps + 1, self.sequences)
        self.state = self.network.first_state + 0.3 * rng.standard_normal(
            (self.sequences, self.network.state_size)
        )
        self.cotangent = rng.standard_normal((*shape, self.network.outputs))
        self.batch = Batch(self.x, rng.standard_normal((*shape, self.network.outputs)), lengths=self.lengths)
        self.population = self.genome + 0.1 * rng.standard_normal((4, size))


@pytest.fixture(params=[*QUICK, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in MORE)])
def drawn(request, tmp_path):
    return Drawn(request.param, tmp_path / "random.py")


def close(got, wanted, tolerance=1e-10):
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def test_outputs_states_and_gradients_are_those_of_the_function(drawn):
    network, genome, x, lengths = drawn.network, drawn.genome, drawn.x, drawn.lengths
    few = slice(0, 3)
    for state in (None, drawn.state):
        first = None if state is None else state[few]
        wanted, last = by_hand(network, genome, x[few], lengths[few], first)
        got, states = network.predict(genome, x, state=state, lengths=lengths, return_state=True)
        close(got[few], wanted)
        close(states[few], last)
    cut = drawn.steps // 2
    if cut:
        before, state = network.predict(genome, x[:, :cut], state=drawn.state, return_state=True)
        parts = [before, network.predict(genome, x[:, cut:], state=state)]
        close(np.concatenate(parts, axis=1), network.predict(genome, x, state=drawn.state))
    direction = drawn.rng.standard_normal(network.size)
    scored = drawn.cotangent * (np.arange(drawn.steps) < lengths[:, None])[..., None]
    slope = network.vjp(genome, x, drawn.cotangent, lengths=lengths, state=drawn.state)

    def value(step):
        return float(
            (network.predict(genome + step * direction, x, drawn.state, lengths=lengths) * scored).sum()
        )

    # Where the second derivative is large, as in a cosine with almost nothing, only the smallest step is small enough.
    differences = [(value(step) - value(-step)) / (2 * step) for step in (1e-5, 1e-6, 1e-7)]
    scale = 1 + np.abs(slope * direction).max()
    assert min(abs(slope @ direction - each) for each in differences) <= SLACK * scale


def test_populations_few_sequences_threads_and_single_precision_agree(drawn):
    network, genome, x, batch = drawn.network, drawn.genome, drawn.x, drawn.batch
    fitness = network.fitness(drawn.population, batch)
    close(fitness, [network.fitness(each[None], batch)[0] for each in drawn.population])
    loss, gradient = network.loss_and_gradient(genome, batch)
    close(-loss, network.fitness(genome[None], batch)[0])
    outputs = network.predict(genome, x, lengths=drawn.lengths)
    if not network.step.plain:  # another layout serves few sequences of plain cells, and compiles for seconds
        for count in (1, 3):
            few = {"lengths": drawn.lengths[:count]}
            close(network.predict(genome, x[:count], **few), outputs[:count])
        parts = [
            network.vjp(genome, x[k : k + 1], drawn.cotangent[k : k + 1], lengths=drawn.lengths[k : k + 1])
            for k in range(3)
        ]
        close(network.vjp(genome, x[:3], drawn.cotangent[:3], lengths=drawn.lengths[:3]), sum(parts))
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert network.predict(genome, x, lengths=drawn.lengths).tobytes() == outputs.tobytes()
        assert network.fitness(drawn.population, batch).tobytes() == fitness.tobytes()
        assert network.loss_and_gradient(genome, batch)[1].tobytes() == gradient.tobytes()
    finally:
        numba.set_num_threads(threads)
    single = Network(**drawn.settings, dtype="float32").predict(genome, x, lengths=drawn.lengths)
    close(single, outputs, 2e-3 * (1 + np.abs(outputs).max()))


@pytest.mark.thorough
def test_loops_as_one_kernel_give_the_same_bytes(drawn, monkeypatch):
    network, batch = drawn.network, drawn.batch

    def results(each):
        outputs = each.predict(drawn.genome, drawn.x, lengths=drawn.lengths)
        gradient = each.loss_and_gradient(drawn.genome, batch)[1]
        return [array.tobytes() for array in (outputs, each.fitness(drawn.population, batch), gradient)]

    row_by_row = results(network)
    monkeypatch.setattr(listings, "LONG_RUN", 0)
    assert results(Network.from_settings(network.settings())) == row_by_row
