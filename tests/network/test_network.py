"""Networks against plain loops and finite differences; initialisation, equal bits and errors."""

import json

import naive
import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.network.network import Network

CELLS = [
    "elman",
    "feed-forward",
    "jordan",
    "leaky",
    "lstm",
    "gru",
    "gru-reset-before",
    "indrnn",
    "diagonal-jordan",
]


def problem(network, sequences, steps, rng, *, ragged=True, masked=True):
    x = rng.standard_normal((sequences, steps, network.inputs))
    lengths = rng.integers(1, steps + 1, sequences) if ragged else np.full(sequences, steps)
    lengths[0] = steps
    mask = rng.random((sequences, steps)) < 0.6 if masked else np.ones((sequences, steps), bool)
    mask[0, -1] = True
    if network.loss_name == "cross-entropy":
        targets = rng.integers(0, network.outputs, (sequences, steps))
    elif network.loss_name == "mse":
        targets = rng.standard_normal((sequences, steps, network.outputs))
    else:
        targets = rng.random((sequences, steps, network.outputs))
    inside = np.arange(steps)[None] < lengths[:, None]
    scored = mask & inside
    # What must have no effect is made as bad as possible.
    x[~inside] = np.nan
    if targets.ndim == 3:
        targets[~scored] = np.nan
    return Batch(x, targets, mask=mask, lengths=lengths)


def make(cell, **kwargs):
    settings = {"inputs": 3, "outputs": 2, "hidden": (5, 4), "dtype": "float64", **kwargs}
    return Network(cell=cell, **settings)


def test_a_feed_forward_network_has_no_memory():
    network = make("feed-forward")
    genome = network.init(seed=0)
    x = np.random.default_rng(0).standard_normal((3, 6, 3))
    alone = network.predict(genome, x.reshape(18, 1, 3)).reshape(3, 6, 2)
    np.testing.assert_allclose(network.predict(genome, x), alone, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_states_and_losses_equal_plain_loops(cell):
    rng = np.random.default_rng(1)
    network = make(cell)
    genomes = np.stack([network.init(rng=rng) + 0.1 * rng.standard_normal(network.size) for _ in range(3)])
    batch = problem(network, 19, 7, rng)
    ys, hs = naive.run_network(network, genomes[1], batch)
    np.testing.assert_allclose(
        network.predict(genomes[1], batch.inputs, lengths=batch.lengths), ys, atol=1e-12
    )
    inside = np.arange(batch.steps)[None] < batch.lengths[:, None]
    states = network.states(genomes[1], batch.inputs, lengths=batch.lengths)
    np.testing.assert_allclose(states[inside], hs[inside], atol=1e-12)
    fitness = network.fitness(genomes, batch)
    own = network.sequence_losses(genomes, batch)
    for p, genome in enumerate(genomes):
        total, count = naive.losses(
            naive.run_for_loss(network, genome, batch), batch.targets, batch.scored, "mse"
        )
        assert fitness[p] == pytest.approx(-total.sum() / count.sum(), rel=1e-10)
        np.testing.assert_allclose(own[p][count > 0], (total / np.maximum(count, 1))[count > 0], rtol=1e-10)
        assert np.isnan(own[p][count == 0]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_gradient_equals_finite_differences(cell):
    rng = np.random.default_rng(2)
    network = make(cell, inputs=2)
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    batch = problem(network, 9, 20, rng)
    loss, gradient = network.loss_and_gradient(genome, batch)
    assert loss == pytest.approx(-network.fitness(genome[None], batch)[0], rel=1e-12)
    chosen = rng.choice(network.size, min(40, network.size), replace=False)
    step = 1e-6
    moved = np.repeat(genome[None], 2 * len(chosen), axis=0)
    moved[np.arange(len(chosen)), chosen] += step
    moved[len(chosen) + np.arange(len(chosen)), chosen] -= step
    values = -network.fitness(moved, batch)
    numeric = (values[: len(chosen)] - values[len(chosen) :]) / (2 * step)
    np.testing.assert_allclose(gradient[chosen], numeric, atol=2e-7, rtol=2e-6)


@pytest.mark.parametrize("loss", ["cross-entropy", "binary-cross-entropy"])
def test_other_losses(loss):
    rng = np.random.default_rng(3)
    network = make("elman", loss=loss, outputs=3, hidden=6)
    genome = network.init(rng=rng)
    batch = problem(network, 5, 6, rng)
    total, count = naive.losses(naive.run_for_loss(network, genome, batch), batch.targets, batch.scored, loss)
    value, gradient = network.loss_and_gradient(genome, batch)
    assert value == pytest.approx(total.sum() / count.sum(), rel=1e-10)
    direction = rng.standard_normal(network.size)
    high, low = (-network.fitness((genome + s * 1e-6 * direction)[None], batch)[0] for s in (1, -1))
    assert gradient @ direction == pytest.approx((high - low) / 2e-6, rel=1e-5)


def test_labels_at_the_last_step():
    rng = np.random.default_rng(4)
    network = make("elman", loss="cross-entropy", outputs=3, hidden=6)
    genome = network.init(rng=rng)
    x, lengths, labels = rng.standard_normal((4, 5, 3)), np.array([5, 1, 3, 2]), np.array([0, 2, 1, 1])
    batch = Batch(x, labels, lengths=lengths)
    ys = naive.run_network(network, genome, batch)[0]
    scored = np.arange(5)[None] == lengths[:, None] - 1
    total, count = naive.losses(ys, np.repeat(labels[:, None], 5, 1), scored, "cross-entropy")
    assert -network.fitness(genome[None], batch)[0] == pytest.approx(total.sum() / 4, rel=1e-12)
    assert count.sum() == 4


@pytest.mark.parametrize("direct,feedback", [(True, True), (False, True)])
def test_feedback_direct_teacher_and_free_run(direct, feedback):
    rng = np.random.default_rng(5)
    network = make("leaky", hidden=6, direct=direct, feedback=feedback, cell_options={"leak": 0.7})
    genome = network.init(rng=rng)
    batch = problem(network, 6, 8, rng, masked=False)
    teacher = rng.standard_normal((6, 8, 2))
    free = rng.integers(1, 9, 6)
    for settings in ({}, {"teacher": teacher}, {"free_from": free}):
        ys = naive.run_network(network, genome, batch, **settings)[0]
        result = network.predict(genome, batch.inputs, lengths=batch.lengths, **settings)
        np.testing.assert_allclose(result, ys, atol=1e-12)
    direction = rng.standard_normal(network.size)
    for settings in ({}, {"teacher": teacher}):
        _, gradient = network.loss_and_gradient(genome, batch, **settings)

        def loss(g, settings=settings):
            ys = naive.run_network(network, g, batch, **settings)[0]
            total, count = naive.losses(ys, batch.targets, batch.scored, "mse")
            return total.sum() / count.sum()

        numeric = (loss(genome + 1e-6 * direction) - loss(genome - 1e-6 * direction)) / 2e-6
        assert gradient @ direction == pytest.approx(numeric, rel=1e-5)


def test_two_parts_with_the_state_between_equal_the_whole():
    rng = np.random.default_rng(6)
    for cell, more in (("lstm", {}), ("leaky", {"feedback": True, "direct": True, "hidden": 6})):
        network = make(cell, **more)
        genome, x = network.init(rng=rng), rng.standard_normal((4, 9, 3))
        whole, last = network.predict(genome, x, return_state=True)
        first, state = network.predict(genome, x[:, :4], return_state=True)
        second, end = network.predict(genome, x[:, 4:], state=state, return_state=True)
        np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
        np.testing.assert_array_equal(end, last)


def test_vjp_is_the_transposed_jacobian():
    rng = np.random.default_rng(7)
    network = make("lstm")
    genome, x = network.init(rng=rng), rng.standard_normal((3, 6, 3))
    pull, push = rng.standard_normal((3, 6, 2)), rng.standard_normal(network.size)
    change = (network.predict(genome + 1e-6 * push, x) - network.predict(genome - 1e-6 * push, x)) / 2e-6
    assert network.vjp(genome, x, pull) @ push == pytest.approx((pull * change).sum(), rel=1e-6)


def test_long_sequences_in_segments_give_the_same_gradient(monkeypatch):
    rng = np.random.default_rng(8)
    network = make("lstm")
    genome, batch = network.init(rng=rng), problem(network, 5, 101, rng)
    whole = network.loss_and_gradient(genome, batch)[1]
    monkeypatch.setattr("evorrn.engine.lanes.gradient.TAPE_BYTES", 1)
    np.testing.assert_allclose(network.loss_and_gradient(genome, batch)[1], whole, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sequences,steps", [(1, 1), (1, 30), (16, 1), (17, 5), (70, 3)])
def test_float32_is_close_to_float64(sequences, steps):
    rng = np.random.default_rng(9)
    single, double = make("lstm", dtype="float32"), make("lstm")
    genome = double.init(rng=rng)
    batch = problem(double, sequences, steps, rng)
    loss, gradient = single.loss_and_gradient(genome, batch)
    true_loss, true_gradient = double.loss_and_gradient(genome, batch)
    assert loss == pytest.approx(true_loss, rel=1e-5)
    np.testing.assert_allclose(gradient, true_gradient, atol=2e-5 * np.abs(true_gradient).max())
    assert single.fitness(genome[None], batch)[0] == pytest.approx(-true_loss, rel=1e-5)


def test_bits_do_not_depend_on_place_population_or_threads():
    rng = np.random.default_rng(10)
    network = make("lstm", dtype="float32")
    genomes = np.stack([network.init(rng=rng) for _ in range(7)])
    for sequences in (1, 5, 70):
        batch = problem(network, sequences, 12, rng)
        before = network.fitness(genomes, batch)
        order = rng.permutation(7)
        np.testing.assert_array_equal(network.fitness(genomes[order], batch), before[order])
        np.testing.assert_array_equal(network.fitness(genomes[2:3], batch), before[2:3])
        gradient = network.loss_and_gradient(genomes[0], batch)[1]
        try:
            for threads in (1, 2, 3):
                evorrn.set_threads(threads)
                np.testing.assert_array_equal(network.fitness(genomes, batch), before)
                np.testing.assert_array_equal(network.loss_and_gradient(genomes[0], batch)[1], gradient)
        finally:
            evorrn.set_threads(2)


def test_divergence_gives_minus_infinity():
    network = make("elman", dtype="float32", cell_options={"activation": "identity"}, hidden=4)
    genomes = np.stack([network.init(seed=0), np.full(network.size, 50.0)])
    genomes[0] *= 0.01
    batch = Batch(np.ones((2, 80, 3)), np.zeros((2, 80, 2)))
    fitness = network.fitness(genomes, batch)
    assert np.isfinite(fitness[0]) and fitness[1] == -np.inf
    genomes[0, 0] = np.nan
    assert network.fitness(genomes, batch)[0] == -np.inf


def test_initialisations():
    network = Network(
        3, 2, cell="lstm", hidden=(40, 7), initial={"U_g": "identity", "layer1.W_i": "uniform", "U_f": "tiny"}
    )
    genomes = network.init_many(np.random.default_rng(0), 3)
    assert genomes.shape == (3, network.size) and len({g.tobytes() for g in genomes}) == 3
    np.testing.assert_array_equal(network.init_many(np.random.default_rng(0), 3), genomes)
    np.testing.assert_array_equal(network.init(seed=4), network.init(rng=np.random.default_rng(4)))
    blocks = {k: v.astype(float) for k, v in network.unpack(genomes[1]).items()}
    np.testing.assert_allclose(blocks["layer0.U_i"] @ blocks["layer0.U_i"].T, np.eye(40), atol=1e-5)
    np.testing.assert_array_equal(blocks["layer1.U_g"], np.eye(7))
    np.testing.assert_array_equal(blocks["layer0.b_f"], 1)
    np.testing.assert_array_equal(blocks["layer0.b_i"], 0)
    bound = np.sqrt(6 / 43)
    assert 0.9 * bound < np.abs(blocks["layer0.W_i"]).max() <= bound
    assert np.abs(blocks["layer1.W_i"]).max() <= 1 / np.sqrt(7)
    assert 0.0009 < blocks["layer0.U_f"].std() < 0.0011 and np.abs(blocks["layer0.U_f"]).max() < 0.006


@pytest.mark.parametrize("number", [-3, 4.5, np.float32(0.25), 0])
def test_a_number_is_an_initialisation_of_all_weights_of_a_block(number):
    given = {"b_i": number, "layer1.U_f": number, "readout.W": number}
    network = Network(3, 2, cell="lstm", hidden=(5, 4), initial=given)
    blocks = network.unpack(network.init(seed=1))
    for name in ("layer0.b_i", "layer1.b_i", "layer1.U_f", "readout.W"):
        np.testing.assert_array_equal(blocks[name], np.float32(number))
    np.testing.assert_array_equal(blocks["layer0.b_f"], 1)
    assert np.abs(blocks["layer0.U_f"]).max() > 0
    kept = json.loads(json.dumps(network.settings()))
    again = Network.from_settings(kept)
    np.testing.assert_array_equal(again.init(seed=1), network.init(seed=1))
    assert str(float(number)).rstrip("0").rstrip(".") in str(network.summary())


@pytest.mark.parametrize("wrong", [np.inf, np.nan, True, "large", None])
def test_what_is_neither_a_number_nor_a_known_initialisation_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"network\.initial\.b_i: "):
        Network(1, 1, cell="lstm", hidden=2, initial={"b_i": wrong})


def test_a_teacher_beyond_a_length_has_no_effect():
    network = Network(2, 1, cell="leaky", hidden=4, feedback=True, dtype="float64")
    rng = np.random.default_rng(0)
    genome, x, teacher = network.init(seed=0), rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 6, 1))
    batch = Batch(x, teacher, lengths=[6, 2, 4])
    spoiled = np.where(np.arange(6)[None, :, None] < batch.lengths[:, None, None], teacher, np.nan)
    loss, gradient = network.loss_and_gradient(genome, batch, teacher=spoiled)
    assert np.array_equal(gradient, network.loss_and_gradient(genome, batch, teacher=teacher)[1])
    assert np.isfinite(loss) and np.isfinite(gradient).all()
    given = rng.standard_normal((3, 6, 1))
    assert np.isfinite(network.vjp(genome, x, given, lengths=[6, 2, 4], teacher=spoiled)).all()


def test_a_cell_from_a_file_is_found_from_every_folder(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(
        "import evorrn\n\n\n"
        '@evorrn.cell(state={"h": "H"}, parameters={"W": "H I"})\n'
        "def own(p, x, h):\n"
        "    return p.W @ x + h\n"
    )
    monkeypatch.chdir(tmp_path)
    settings = Network(1, 1, cell="own.py:own", hidden=2).settings()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Network.from_settings(settings).cell.name == "own"


def test_states_of_one_genome_of_a_population_and_of_a_part_of_the_sequences():
    """With a single genome there is nothing left to share among threads after the first pass."""
    network = Network(1, 1, cell="leaky", hidden=3)
    genomes, x = network.init_many(np.random.default_rng(0), 1), np.ones((5, 4, 1))
    states = network.population_states(genomes, x)
    np.testing.assert_array_equal(states[0], network.states(genomes[0], x))


@pytest.mark.parametrize(
    ("cell", "hidden", "sequences"),
    [("leaky", 4, 9), pytest.param("jordan", 64, 2, marks=pytest.mark.thorough)],
)
def test_a_network_without_inputs_generates_a_series(cell, hidden, sequences):
    """It is driven by its own output alone; forward and gradient, with sequences and with units as vectors."""
    rng = np.random.default_rng(5)
    network = Network(0, 2, cell=cell, hidden=hidden, feedback=cell == "leaky", direct=True, dtype="float64")
    genome = network.init(seed=0) + 0.1 * rng.normal(size=network.size)
    lengths = rng.integers(1, 8, sequences)
    batch = Batch(np.zeros((sequences, 7, 0)), rng.normal(size=(sequences, 7, 2)), lengths=lengths)
    outputs, states = naive.run_network(network, genome, batch)
    np.testing.assert_allclose(network.predict(genome, batch.inputs, lengths=lengths), outputs, atol=1e-12)
    np.testing.assert_allclose(network.states(genome, batch.inputs, lengths=lengths), states, atol=1e-12)
    along = rng.normal(size=network.size)
    ahead, behind = (network.loss(genome + step * along, batch) for step in (1e-6, -1e-6))
    slope = network.loss_and_gradient(genome, batch)[1] @ along
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(-network.fitness(genome[None], batch)[0], network.loss(genome, batch))


def test_a_reservoir_without_inputs_goes_on_with_a_series():
    """A generator needs no dummy input: taught on a sine, it goes on from where the teacher ended."""
    sine = np.sin(0.3 * np.arange(600))[None, :, None]
    network = Network(0, 1, cell="leaky", hidden=50, feedback=True, dtype="float64")
    batch = Batch(np.zeros((1, 600, 0)), sine)
    result = evorrn.EchoState(reservoirs=3).fit(network, batch, seed=0)
    taught = np.concatenate([np.zeros((1, 1, 1)), sine[:, :-1]], axis=1)
    _, state = result.network.predict(result.genome, np.zeros((1, 600, 0)), teacher=taught, return_state=True)
    ahead = result.network.predict(result.genome, np.zeros((1, 40, 0)), state=state)
    np.testing.assert_allclose(ahead[0, :, 0], np.sin(0.3 * np.arange(600, 640)), atol=0.05)
