"""Echo state networks against a reservoir in plain NumPy, and the contract of a strategy."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.base.settings import build
from evorrn.data.batch import Batch
from evorrn.losses.find import find_loss
from evorrn.network.network import Network
from evorrn.strategies.reservoir.conditions import fitted_steps
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.echo_state import EchoState
from evorrn.strategies.reservoir.readout import logit_scale, mean_loss
from evorrn.strategies.reservoir.topology import RANDOM, spectral_radius
from evorrn.training.budget import Budget
from evorrn.training.problem import Problem
from evorrn.training.trainer import Trainer
from evorrn_tasks.narma import Narma

SCALES = Scales(spectral_radius=0.9, links=5, inputs=0.3, biases=0.2, feedback=0.05)


def record(steps: int = 300, sequences: int = 1, seed: int = 0) -> Batch:
    """Return inputs, and a target that depends on the last three inputs."""
    u = np.random.default_rng(seed).uniform(-1, 1, (sequences, steps, 2))
    y = np.zeros((sequences, steps, 1))
    y[:, 2:, 0] = u[:, 2:, 0] * u[:, 1:-1, 1] + 0.5 * u[:, :-2, 0] + 2
    return Batch(u, y)


def reservoir(hidden: int = 30, **changes) -> Network:
    return Network(
        **{
            "inputs": 2,
            "outputs": 1,
            "cell": "leaky",
            "hidden": hidden,
            "direct": True,
            "dtype": "float64",
            **changes,
        }
    )


def run_by_hand(network: Network, genome: np.ndarray, inputs: np.ndarray, leak: float) -> np.ndarray:
    blocks, state, states = network.unpack(genome), np.zeros(network.hidden[0]), []
    for u in inputs:
        drive = blocks["layer0.W_x"] @ u + blocks["layer0.W_h"] @ state + blocks["layer0.b"]
        state = (1 - leak) * state + leak * np.tanh(drive)
        states.append(state)
    return np.array(states)


# ------------------------------------------------------------------------------------------ the draw


@pytest.mark.parametrize("size", [1, 2, 40, 300])
def test_spectral_radius_is_that_of_all_eigenvalues(size):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        matrix = RANDOM.matrix(size, 10, rng)
        with threadpool_limits(1):  # threads slow down many small products
            expected = np.abs(np.linalg.eigvals(matrix)).max()
        assert spectral_radius(matrix, rng)[0] == pytest.approx(expected, rel=1e-6)


def test_every_row_has_its_links():
    matrix = RANDOM.matrix(50, 7, np.random.default_rng(0))
    assert ((matrix != 0).sum(axis=1) == 7).all() and np.abs(matrix).max() <= 1
    assert (RANDOM.matrix(5, 9, np.random.default_rng(0)) != 0).all()


@pytest.mark.parametrize("cell", ["leaky", "elman", "lstm", "gru", "indrnn"])
def test_any_cell_can_be_a_reservoir(cell):
    network = Network(2, 1, cell=cell, hidden=(12, 9), dtype="float64")
    genome, _ = draw_reservoir(network, SCALES, np.random.default_rng(0))
    initial = network.unpack(network.init(rng=np.random.default_rng(0)))
    for name, block in network.unpack(genome).items():
        layer, parameter = name.split(".")
        if layer == "readout":
            assert not block.any()
        elif parameter in network.cell.recurrent:
            values = np.linalg.eigvals(block) if block.ndim == 2 else block
            assert np.abs(values).max() == pytest.approx(0.9, rel=1e-6)
        elif parameter in network.cell.input:
            bound = 0.3 if layer == "layer0" else 0.3 / np.sqrt(12)
            assert 0.5 * bound < np.abs(block).max() <= bound
        else:
            assert 0 < np.abs(block - initial[name]).max() <= 0.2


def test_fed_back_columns_have_a_scale_of_their_own():
    network = reservoir(feedback=True)
    genome, _ = draw_reservoir(network, SCALES, np.random.default_rng(0))
    block = network.unpack(genome)["layer0.W_x"]
    assert block.shape == (30, 3)
    assert 0.05 < np.abs(block[:, :2]).max() <= 0.3
    assert 0.02 < np.abs(block[:, 2]).max() <= 0.05


# ----------------------------------------------------------------------------------------- the solve


@pytest.mark.parametrize("direct", [True, False])
def test_readout_is_the_ridge_solution_on_states_by_hand(direct):
    data, network = record(), reservoir(direct=direct)
    strategy = EchoState(leak=0.4, alphas=(1e-4,), washout=20)
    result = strategy.fit(network, data, seed=1)
    states = run_by_hand(network, result.genome, data.inputs[0], leak=0.4)[20:]
    features = np.column_stack([data.inputs[0, 20:], states] if direct else [states])
    truth = data.targets[0, 20:]
    top = np.column_stack([features, np.ones(len(features))])
    bottom = np.sqrt(1e-4 * len(features)) * np.eye(top.shape[1])[:-1]
    solved = np.linalg.lstsq(
        np.vstack([top, bottom]), np.vstack([truth, np.zeros((len(bottom), 1))]), rcond=None
    )[0]
    blocks = result.network.unpack(result.genome)
    parts = [blocks["readout.W_x"][0]] if direct else []
    written = np.concatenate([*parts, blocks["readout.W"][0], blocks["readout.b"]])
    np.testing.assert_allclose(written, solved[:, 0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(result.predict(data.inputs)[0, 20:], top @ solved, rtol=1e-8, atol=1e-8)
    assert result.history["train_loss"][0] == pytest.approx(np.mean((top @ solved - truth) ** 2), rel=1e-6)


def test_washout_drops_first_steps_but_never_all():
    mask = np.ones((4, 30), dtype=bool)
    mask[1, :25] = False
    mask[2] = False
    mask[2, 3] = True
    data = Batch(np.zeros((4, 30, 1)), np.zeros((4, 30, 1)), mask=mask, lengths=np.array([30, 30, 30, 8]))
    kept = fitted_steps(data, washout=10)
    assert [row.nonzero()[0].tolist() for row in kept] == [list(range(10, 30)), list(range(25, 30)), [3], [7]]
    assert fitted_steps(data, washout=None)[0].nonzero()[0].tolist() == list(range(3, 30))
    assert fitted_steps(data, washout=0).tolist() == data.scored.tolist()


def test_output_feedback_is_taught_by_the_targets():
    steps = np.arange(400)
    y = np.sin(0.2 * steps)[None, :, None]
    y[0, 0] = np.nan  # unknown, and not scored
    data = Batch(np.zeros((1, 400, 2)), y, mask=steps[None] > 0)
    network = reservoir(feedback=True)
    strategy = EchoState(leak=1.0, alphas=(1e-6,), washout=50, feedback_scaling=0.5)
    result = strategy.fit(network, data, seed=0)
    genome = result.genome
    teacher = np.concatenate([np.zeros((2, 1)), y[0, 1:-1]])
    states = run_by_hand(network, genome, np.column_stack([data.inputs[0], teacher]), leak=1.0)
    blocks = network.unpack(genome)
    outputs = states @ blocks["readout.W"].T + data.inputs[0] @ blocks["readout.W_x"].T + blocks["readout.b"]
    assert np.mean((outputs - y[0])[50:] ** 2) < 1e-4
    own = -result.network.fitness(genome[None], data)[0]
    assert result.history["train_loss"][0] == pytest.approx(own)


def test_labels_are_learned_and_their_logits_scaled():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (450, 12, 2))
    labels = (inputs[:, -3:, 0].sum(axis=1) > 0).astype(int) + (inputs[:, -3:, 1].sum(axis=1) > 1)
    train, test = Batch(inputs[:400], labels[:400]), Batch(inputs[400:], labels[400:])
    network = reservoir(outputs=3, loss="cross-entropy")
    result = EchoState(reservoirs=3).fit(network, (train, train, test), seed=0)
    commonest = np.bincount(labels[400:]).max() / 50
    assert result.metrics["test"]["accuracy"] > commonest + 0.25
    assert result.metrics["test"]["cross_entropy"] < 0.6 * np.log(3)


@pytest.mark.parametrize("loss", ["cross-entropy", "binary-cross-entropy"])
def test_logit_scale_is_the_minimum_along_one_factor(loss):
    rng = np.random.default_rng(0)
    outputs = rng.standard_normal((200, 4))
    noisy = outputs + 0.7 * rng.standard_normal(outputs.shape)
    targets = noisy.argmax(axis=1) if loss == "cross-entropy" else (noisy > 0).astype(float)
    best = minimize_scalar(
        lambda s: mean_loss(find_loss(loss), s * outputs, targets),
        bounds=(0.01, 100),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert logit_scale(find_loss(loss), outputs, targets) == pytest.approx(best.x, rel=1e-5)
    assert logit_scale(find_loss("mse"), outputs, outputs) == 1.0


# ------------------------------------------------------------------------------------ the strategy


def test_settings_come_from_their_ranges_and_the_best_leak_stays_with_its_network():
    data = record()
    strategy = EchoState(
        reservoirs=6, spectral_radius=(0.2, 0.8), leak=(0.2, 0.9), links=(2, 8), input_scaling=0.5
    )
    result = strategy.fit(reservoir(cell_options={"leak": 0.35}), (data, record(seed=1)), seed=3)
    history = result.history
    assert result.stopped_by == "all reservoirs drawn" and len(history["work"]) == 6
    assert history["spectral_radius"][0] == pytest.approx(0.4) and history["links"][0] == 4
    assert history["leak"][0] == 0.35
    for name, low, high in (("spectral_radius", 0.2, 0.8), ("leak", 0.2, 0.9), ("links", 2, 8)):
        assert len(set(history[name])) > 3
        assert ((history[name] >= low) & (history[name] <= high)).all()
    assert set(history["input_scaling"]) == {0.5}
    leak = history["leak"][np.argmin(history["valid_loss"])]
    assert result.network.cell_options["leak"] == leak
    states = run_by_hand(result.network, result.genome, data.inputs[0], leak)
    blocks = result.network.unpack(result.genome)
    expected = states @ blocks["readout.W"].T + data.inputs[0] @ blocks["readout.W_x"].T + blocks["readout.b"]
    np.testing.assert_allclose(result.predict(data.inputs)[0], expected, rtol=1e-9, atol=1e-9)
    assert np.mean(np.square(expected[20:] - data.targets[0, 20:])) < 0.5 * data.targets.var()


def test_without_a_budget_one_reservoir_is_drawn():
    result = EchoState().fit(reservoir(), record(), seed=0)
    assert len(result.history["work"]) == 1
    assert not EchoState().ends_by_itself and EchoState(reservoirs=2).ends_by_itself


def test_work_is_charged_for_states_and_solve():
    data, network = record(), reservoir(hidden=40)
    result = EchoState(reservoirs=1, alphas=(1e-6,), washout=0).fit(network, data, seed=0)
    rows, width = 300, 42
    least = 2 * network.forward_work(data) + rows * width**2 + width**3 // 3  # states and validation
    assert least <= result.meter.work <= least + rows * width + 10 * width**3


def test_stopped_and_resumed_is_undisturbed(tmp_path):
    data, valid = record(), record(seed=1)

    def trainer(state=None):
        return Trainer(
            EchoState(), Problem(reservoir(), data, valid), seed=5, budget=Budget(generations=5), state=state
        )

    whole, first = trainer(), trainer()
    for _ in range(5):
        whole.step()
    for _ in range(2):
        first.step()
    save_tree(tmp_path / "checkpoint.npz", first.state())
    second = trainer(load_tree(tmp_path / "checkpoint.npz"))
    for _ in range(3):
        second.step()
    ends = [
        {**t.state(), "seconds": None, "meter": {**t.state()["meter"], "seconds": 0, "compile_seconds": 0}}
        for t in (whole, second)
    ]
    assert tree_bytes(ends[0]) == tree_bytes(ends[1])


def test_a_reservoir_that_diverges_is_no_candidate():
    network = reservoir(cell_options={"leak": 1.0, "activation": "relu"})
    strategy = EchoState(reservoirs=6, spectral_radius=(1e-3, 300.0), leak=1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        result = strategy.fit(network, record(), seed=2)
    finite = np.isfinite(result.history["train_loss"])
    assert 0 < finite.sum() < 6
    assert np.isfinite(result.metrics["train"]["rmse"])


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"spectral_radius: expected \[low, high\], got \[2, 1\]"):
        EchoState(spectral_radius=(2.0, 1.0))
    with pytest.raises(ConfigError, match="alphas"):
        EchoState(alphas=())
    with pytest.raises(ConfigError) as caught:
        build(EchoState, {"leak": 2, "links": 0, "radius": 1}, "strategy")
    assert len(caught.value.problems) == 3
    assert build(EchoState, {"leak": [0.1, 1], "alphas": [1]}, "strategy").leak == (0.1, 1.0)
    labels = Batch(np.zeros((1, 5, 2)), np.zeros((1, 5), dtype=int))
    with pytest.raises(ConfigError, match="sees its own output"):
        EchoState().fit(reservoir(outputs=2, loss="cross-entropy", feedback=True, fed_back="output"), labels)


def test_narma_of_order_ten_is_learned():
    network = reservoir(hidden=100, inputs=1, cell_options={"leak": 1.0})
    result = EchoState().fit(network, Narma(), seed=0, budget="200M")
    assert result.metrics["test"]["nrmse_std"] < 0.4  # the best linear shift register reaches 0.4


# ------------------------------------------------------------------------- what a reservoir needs


@pytest.mark.parametrize("strategy", [EchoState, evorrn.Evolino, evorrn.EvolvedReservoir])
def test_a_washout_that_takes_the_rows_of_the_readout_is_refused(strategy):
    """With all steps in the washout the readout would be zero, and nothing would say so."""
    network, data = reservoir(hidden=30), record(steps=100)
    for washout, left in ((700, 1), (100, 1), (90, 10), (68, 32)):
        with pytest.raises(
            ConfigError,
            match=f"a washout of {washout} leaves {left} of 100 scored steps .* each output has 33 weights",
        ):
            strategy(washout=washout).fit(network, data, seed=0, budget="1gen")
    EchoState(reservoirs=1, washout=67).fit(network, data, seed=0)


def test_a_washout_is_no_matter_where_the_last_step_of_each_sequence_is_scored():
    rng = np.random.default_rng(0)
    data = Batch(rng.normal(size=(12, 20, 2)), rng.integers(0, 2, 12))
    network = reservoir(outputs=2, loss="cross-entropy")
    result = EchoState(reservoirs=1, washout=500).fit(network, data, seed=0)
    assert np.isfinite(result.metrics["train"]["cross_entropy"])


@pytest.mark.parametrize("density", [0.001, 0.0299, (0.01, 0.5)])
def test_a_density_of_less_than_one_link_into_a_unit_is_refused(density):
    """With fewer links no signal goes round; a density of 0.001 silently meant one link, ten times as many."""
    with pytest.raises(
        ConfigError, match=r"links into each of 30 units; expected at least one, a density of 0.0333"
    ):
        EchoState(density=density).fit(reservoir(hidden=30), record(), seed=0, budget="1gen")


def test_a_density_of_less_than_one_link_into_a_unit_of_a_group_is_refused():
    """Ten groups of five units with a density of 0.05 had no recurrent links at all, whatever the spectral radius."""
    network = reservoir(hidden=50)
    with pytest.raises(
        ConfigError, match=r"each of 5 units of a group; expected at least one, a density of 0.2"
    ):
        EchoState(density=0.05, groups=10).fit(network, record(), seed=0, budget="1gen")
    fewest = EchoState(density=0.2, groups=10, reservoirs=1, spectral_radius=0.7)
    matrix = network.unpack(fewest.fit(network, record(), seed=0).genome)["layer0.W_h"]
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(0.7)


def test_a_density_is_that_of_every_layer():
    """Layers of different sizes have different numbers of links; a small layer is not fully linked."""
    network = reservoir(hidden=(100, 20))
    genome = EchoState(reservoirs=1, density=0.1).fit(network, record(), seed=0).genome
    for name, links in (("layer0.W_h", 10), ("layer1.W_h", 2)):
        assert (np.count_nonzero(network.unpack(genome)[name], axis=1) == links).all()


def test_a_spectral_radius_of_0_leaves_no_recurrent_link():
    network = reservoir(cell_options={"leak": 1.0})
    result = EchoState(reservoirs=1, spectral_radius=0.0, leak=1.0).fit(network, record(), seed=0)
    assert not network.unpack(result.genome)["layer0.W_h"].any()
    searched = evorrn.EvolvedReservoir(population=4, spectral_radius=(0.0, 1.0))
    assert searched.fit(network, record(), seed=0, budget="6gen").history["spectral_radius"].max() <= 1.0


@pytest.mark.parametrize(
    "loss", [pytest.param("binary-cross-entropy", marks=pytest.mark.thorough), "cross-entropy"]
)
@pytest.mark.parametrize("strategy", [EchoState(reservoirs=2), evorrn.Evolino(population=6)])
def test_classes_may_go_back_as_probabilities_while_the_fit_sees_the_true_ones(strategy, loss):
    """Targets and probabilities are of one kind; targets and logits are not."""
    bits = np.tile([0, 0, 1, 0, 1, 1], 40)[None]
    targets = bits if loss == "cross-entropy" else bits[:, :, None] * 1.0
    data = Batch(np.ones((1, 240, 1)), targets)
    settings = {"outputs": 2 if loss == "cross-entropy" else 1, "inputs": 1, "feedback": True, "loss": loss}
    result = strategy.fit(reservoir(**settings), data, seed=0, budget="2gen")
    assert np.isfinite(result.metrics["train"]["accuracy" if loss == "cross-entropy" else "binary_accuracy"])
    with pytest.raises(ConfigError, match='fed_back="probability" or "bit"; the targets that go back'):
        strategy.fit(reservoir(**settings, fed_back="output"), data, seed=0, budget="2gen")
