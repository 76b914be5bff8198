"""Noise of cells: numbers that follow from seed, sequence and time step alone, zero unless a seed is given."""

from types import SimpleNamespace

import numpy as np
import pytest

import evorrn
from evorrn import Batch, Network, cell, einsum, outer, sigmoid, tanh
from evorrn.base.errors import ConfigError
from evorrn.kernels import threads
from evorrn.lab import catalogue

GIVEN = np.random.default_rng(3)


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    noise={"nu": "H"},
)
def noisy_leaky(p, x, h, nu, *, leak=0.3, sigma=0.2):
    """Leaky units with noise on their states."""
    return (1 - leak) * h + leak * tanh(p.W_x @ x + p.W_h @ h + p.b) + sigma * nu


@cell(
    state={"h": "H", "m": "N H"},
    parameters={"W": "H I", "U": "H H", "V": "H M", "A": "N H", "c": "N"},
    sizes={"N": 3, "M": 2},
    delays={"x": 1, "y": 1},
    noise={"nu": "N H", "xi": "M", "one": "1"},
)
def noisy_memory(p, x, h, m, x_1, y_1, nu, xi, one):
    """Noise of a matrix, of a vector that a parameter multiplies, and of one number."""
    h = tanh(p.W @ (x + 0.5 * x_1) + p.U @ h + p.V @ xi + einsum("nh->h", m * nu)) + 0.1 * one * y_1[0]
    return h, 0.5 * m + p.A * (1 + nu) * outer(xi[0] + p.c, h)


@cell(state={"h": "H"}, parameters={"W": "H I", "b": "H"}, noise={"u": "H"})
def stochastic(p, x, h, u):
    """Units that are on with a probability; the noise stands within a sigmoid."""
    return sigmoid(5 * (p.W @ x + p.b + h + u))


def drawn(seed: int, sequences: int, steps: int, width: int) -> np.ndarray:
    """Return the noise as it is documented: Philox with the seed as key, and a counter for each sequence."""
    return np.stack(
        [
            np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, b, 0])).standard_normal(
                (steps, width)
            )
            for b in range(sequences)
        ]
    )


def by_hand(network: Network, genome: np.ndarray, x: np.ndarray, seed: int | None) -> np.ndarray:
    """Return the outputs of a network of one layer, its function called at every time step with the noise."""
    made, blocks, hidden = network.cell, network.unpack(genome), network.hidden[0]
    letters = {"I": network.inputs, "H": hidden, "O": network.outputs, **made.sizes, "1": 1}
    shapes = {name: [letters[d] for d in shape] for name, shape in made.noise.items()}
    width = sum(int(np.prod(shape)) for shape in shapes.values())
    noise = np.zeros((*x.shape[:2], width)) if seed is None else drawn(seed, *x.shape[:2], width)
    p = SimpleNamespace(**{name: blocks[f"layer0.{name}"] for name in made.parameters})
    outputs = np.zeros((*x.shape[:2], network.outputs))
    for b in range(len(x)):
        states = [np.zeros([letters[d] for d in shape]) for shape in made.state.values()]
        late = [np.zeros(network.inputs), np.zeros(network.outputs)] if made.delays else []
        for t in range(x.shape[1]):
            ends = np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1]
            parts = [part.reshape(s) for part, s in zip(np.split(noise[b, t], ends), shapes.values())]
            new = made(p, x[b, t], *states, *late, *parts)
            states = list(new) if isinstance(new, tuple) else [new]
            outputs[b, t] = blocks["readout.W"] @ states[0] + blocks["readout.b"]
            late = [x[b, t], outputs[b, t]] if made.delays else []
    return outputs


CELLS = [noisy_leaky, noisy_memory, stochastic]
QUICK_SIZES = [(3, 7, 4), (1, 1, 1), (37, 5, 6), pytest.param(1, 9, 20, marks=pytest.mark.thorough)]


@pytest.mark.parametrize("made", CELLS, ids=lambda made: made.name)
@pytest.mark.parametrize(("sequences", "steps", "hidden"), QUICK_SIZES)
def test_a_cell_with_noise_is_its_function_with_the_documented_numbers(made, sequences, steps, hidden):
    network = Network(2, 2, cell=made, hidden=hidden, dtype="float64")
    genome, x = network.init(seed=1), GIVEN.standard_normal((sequences, steps, 2))
    for seed in (5, 2**100, None):
        got = network.predict(genome, x, noise=seed)
        np.testing.assert_allclose(got, by_hand(network, genome, x, seed), rtol=0, atol=1e-12)


@pytest.mark.parametrize("made", CELLS, ids=lambda made: made.name)
def test_noise_does_not_depend_on_other_sequences_nor_on_later_steps_nor_on_threads(made):
    network = Network(2, 1, cell=made, hidden=5)
    genomes, x = network.init_many(np.random.default_rng(0), 3), GIVEN.standard_normal((70, 6, 2))
    whole = network.predict(genomes[0], x, noise=9)
    assert network.predict(genomes[0], x[:65], noise=9).tobytes() == whole[:65].tobytes()
    assert network.predict(genomes[0], x[:, :4], noise=9).tobytes() == whole[:, :4].tobytes()
    assert not np.array_equal(network.predict(genomes[0], x, noise=8), whole)
    batch = Batch(x, GIVEN.standard_normal((70, 6, 1)))
    found = set()
    before = threads.get_threads()
    for count in (1, 2):
        evorrn.set_threads(count)
        loss, gradient = network.loss_and_gradient(genomes[1], batch, noise=9)
        found.add((network.fitness(genomes, batch, noise=9).tobytes(), loss, gradient.tobytes()))
    evorrn.set_threads(before)
    assert len(found) == 1


def test_all_individuals_of_a_population_have_the_same_noise_in_ragged_batches_too():
    network = Network(2, 1, cell=noisy_memory, hidden=4, dtype="float64")
    genomes = network.init_many(np.random.default_rng(0), 4)
    batch = Batch(
        GIVEN.standard_normal((20, 8, 2)),
        GIVEN.standard_normal((20, 8, 1)),
        lengths=GIVEN.integers(3, 9, 20),
    )
    fitness = network.fitness(genomes, batch, noise=4)
    for genome, value in zip(genomes, fitness):
        outputs = by_hand(network, genome, batch.inputs, 4)
        wanted = np.mean((outputs - batch.targets)[batch.scored] ** 2)
        assert value == pytest.approx(-wanted, abs=1e-12)
        assert network.loss(genome, batch, noise=4) == pytest.approx(wanted, abs=1e-12)
        assert network.loss_and_gradient(genome, batch, noise=4)[0] == pytest.approx(wanted, abs=1e-12)
    by_sequence = network.sequence_losses(genomes, batch, noise=4)
    counts = batch.scored.sum(axis=1)
    np.testing.assert_allclose(-np.nansum(by_sequence * counts, axis=1) / counts.sum(), fitness, atol=1e-12)


@pytest.mark.parametrize("made", CELLS, ids=lambda made: made.name)
@pytest.mark.parametrize("settings", [{"hidden": 5}, {"hidden": [3, 4], "learn_start": True, "direct": True}])
def test_the_gradient_under_noise_is_that_of_differences_with_the_same_noise(made, settings):
    network = Network(2, 1, cell=made, dtype="float64", **settings)
    rng = np.random.default_rng(2)
    genome = network.init(rng=rng) + 0.1 * rng.standard_normal(network.size)
    batch = Batch(rng.standard_normal((5, 7, 2)), rng.standard_normal((5, 7, 1)), lengths=[7, 3, 1, 5, 7])
    direction = rng.standard_normal(network.size)
    _, gradient = network.loss_and_gradient(genome, batch, noise=6)
    ahead, behind = (network.loss(genome + s * direction, batch, noise=6) for s in (1e-6, -1e-6))
    assert gradient @ direction == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-8)
    x, given = batch.inputs, rng.standard_normal((5, 7, 1))
    slope = network.vjp(genome, x, given, noise=6) @ direction
    ahead, behind = (network.predict(genome + s * direction, x, noise=6) for s in (1e-6, -1e-6))
    assert slope == pytest.approx(float((given * (ahead - behind)).sum()) / 2e-6, rel=1e-6, abs=1e-8)


@pytest.mark.thorough
def test_without_a_seed_the_noise_is_zero_in_every_layout():
    quiet = Network(2, 1, cell="leaky", hidden=[6, 3], dtype="float64")
    noisy = Network(2, 1, cell=noisy_leaky, hidden=[6, 3], dtype="float64")
    genome = quiet.init(seed=0)
    for sequences in (1, 40):
        x = GIVEN.standard_normal((sequences, 9, 2))
        np.testing.assert_allclose(noisy.predict(genome, x), quiet.predict(genome, x), rtol=0, atol=1e-13)
        batch = Batch(x, GIVEN.standard_normal((sequences, 9, 1)))
        given, wanted = (n.loss_and_gradient(genome, batch) for n in (noisy, quiet))
        np.testing.assert_allclose(given[1], wanted[1], rtol=0, atol=1e-13)


def test_noise_goes_on_in_closed_loop_and_with_other_options():
    network = Network(1, 1, cell=noisy_leaky, hidden=4, dtype="float64")
    genome, x = network.init(seed=1), GIVEN.standard_normal((2, 8, 1))
    free = network.predict(genome, x, free_from=np.array([3, 5]), noise=7)
    shown = x.copy()
    for b, first in enumerate((3, 5)):
        shown[b, first:] = free[b, first - 1 : -1]
    np.testing.assert_allclose(free, network.predict(genome, shown, noise=7), rtol=0, atol=1e-12)
    louder = network.with_options({"sigma": 0.4})
    expected = network.predict(genome, x, noise=7) + 0.2 * 0  # the network itself is unchanged
    assert not np.allclose(louder.predict(genome, x, noise=7), expected)
    assert np.array_equal(network.predict(genome, x, noise=7), expected)
    silent = network.with_options({"sigma": 0.0})
    assert np.allclose(silent.predict(genome, x, noise=7), network.predict(genome, x), atol=1e-14)


@pytest.mark.parametrize(
    ("noise", "arguments", "words"),
    [
        ({"nu": "K"}, "p, x, h, nu", "noise nu: expected one to three dimensions among I, H, O"),
        ({"h": "H"}, "p, x, h", "noise h is the name of a state"),
        ({"x": "I"}, "p, x, h", "noise x is the name of another argument"),
        ({"nu": "H"}, "p, x, h", r"expected the arguments \(p, x, h\[, y\], nu\), got \(p, x, h\)"),
        ({"n u": "H"}, "p, x, h, nu", "noise 'n u': expected a name"),
        ("nu", "p, x, h, nu", "noise: expected a mapping by name"),
    ],
)
def test_wrong_declarations_of_noise_are_refused_in_words(tmp_path, noise, arguments, words):
    path = tmp_path / "wrong.py"
    path.write_text(
        "from evorrn import cell, tanh\n"
        f"@cell(state={{'h': 'H'}}, parameters={{'W': 'H I'}}, noise={noise!r})\n"
        f"def wrong({arguments}):\n    return tanh(p.W @ x + h)\n"
    )
    with pytest.raises(ConfigError, match=words):
        evorrn.Network(1, 1, cell=f"{path}:wrong")


def test_noise_for_a_cell_without_noise_and_wrong_seeds_are_refused_in_words():
    network = Network(1, 1, hidden=2)
    batch = Batch(np.ones((2, 3, 1)), np.ones((2, 3, 1)))
    with pytest.raises(ConfigError, match="noise: expected none, since the cell elman declares no noise"):
        network.fitness(np.zeros((1, network.size)), batch, noise=1)
    with pytest.raises(ConfigError, match="seed: expected a whole number of at least 0, got -1"):
        Network(1, 1, cell=noisy_leaky, hidden=2).predict(np.zeros(11), np.ones((1, 2, 1)), noise=-1)


@pytest.mark.parametrize(
    "strategy",
    [
        evorrn.BPTT(batch_size=3),
        evorrn.BPTT(window=3, carry=True),
        evorrn.CMAES(population=6),
        evorrn.GeneticAlgorithm(population=8),
        evorrn.GeneticAlgorithm(population=8, sequences=4),
        evorrn.RandomSearch(),
    ],
    ids=lambda strategy: strategy.name,
)
def test_strategies_train_with_noise_and_validate_without_it(strategy):
    x = np.random.default_rng(0).standard_normal((8, 6, 1))
    data = Batch(x, np.roll(x, 1, axis=1))
    found = {}
    for sigma in (0.0, 0.5, 0.5):
        network = Network(1, 1, cell=noisy_leaky, hidden=3, cell_options={"sigma": sigma})
        result = strategy.fit(network, data, seed=1, budget="3gen")
        again = result.genome.tobytes()
        assert found.setdefault(sigma, again) == again
        assert result.history["valid_loss"].min() == pytest.approx(
            network.loss(result.genome, data), rel=1e-5
        )
    assert strategy.name == "random" or found[0.0] != found[0.5]


def test_the_page_of_a_cell_names_its_noise():
    page = catalogue.cell_page(noisy_memory)
    tables = {table.heading: table.records() for table in page.tables}
    assert {"name": "nu", "shape": "N x H"} in tables["noise, zero unless a seed is given"]
