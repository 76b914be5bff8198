"""Next generation reservoir computing against least squares on explicit monomials."""

import itertools
import warnings

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.cells.ng_rc import count
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.testing import check_strategy


def by_hand(inputs: np.ndarray, delays: int, skip: int, order: int) -> np.ndarray:
    """Return the monomials (T, M) of a record (T, I), zeros before the first step."""
    steps = np.arange(len(inputs))
    seen = [
        np.where((steps >= k * skip)[:, None], np.roll(inputs, k * skip, axis=0), 0) for k in range(delays)
    ]
    columns = np.concatenate(seen, axis=1).T
    chosen = [
        each
        for degree in range(1, order + 1)
        for each in itertools.combinations_with_replacement(range(len(columns)), degree)
    ]
    return np.stack([np.prod(columns[list(each)], axis=0) for each in chosen], axis=1)


def record(steps: int, inputs: int, outputs: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch(rng.normal(size=(1, steps, inputs)), rng.normal(size=(1, steps, outputs)))


SIZES = [(1, 1, 1, 1), (3, 2, 1, 2), (2, 3, 4, 2), (1, 4, 3, 3), (2, 1, 1, 3), (5, 1, 1, 2)]


@pytest.mark.parametrize(("inputs", "delays", "skip", "order"), SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_units_are_the_monomials_of_delayed_inputs(inputs, delays, skip, order, dtype):
    strategy = evorrn.NGRC(delays=delays, skip=skip, order=order)
    network = Network(inputs, 1, **{**strategy.needs_network(inputs), "dtype": dtype})
    x = np.random.default_rng(0).normal(size=(2, 23, inputs))
    units = network.readout_states(np.zeros(network.size), x)
    for row in range(2):
        wanted = by_hand(x[row], delays, skip, order)
        np.testing.assert_allclose(units[row], wanted, atol=1e-12 if dtype == "float64" else 1e-4)


def test_fewer_units_are_the_first_monomials_and_further_ones_are_zero():
    x = np.random.default_rng(0).normal(size=(1, 9, 2))
    whole = by_hand(x[0], 2, 1, 3)
    few, many = (
        Network(2, 1, cell="ng-rc", hidden=units, dtype="float64").readout_states(np.zeros(units + 1), x)[0]
        for units in (7, 40)
    )
    np.testing.assert_allclose(few, whole[:, :7], atol=1e-12)
    np.testing.assert_allclose(many, np.hstack([whole, np.zeros((9, 6))]), atol=1e-12)


@pytest.mark.parametrize(("inputs", "delays", "skip", "order"), SIZES)
@pytest.mark.parametrize("increments", [False, True])
def test_the_readout_is_the_ridge_solution_on_explicit_monomials(inputs, delays, skip, order, increments):
    data = record(160, inputs, 1, seed=inputs)
    strategy = evorrn.NGRC(delays=delays, skip=skip, order=order, increments=increments, alphas=(1e-3,))
    network = Network(inputs, 1, **strategy.needs_network(inputs))
    result = strategy.fit(network, data)
    first = (delays - 1) * skip
    features = by_hand(data.inputs[0], delays, skip, order)[first:]
    present = data.inputs[0, first:, :1] * increments
    targets = data.targets[0, first:] - present
    x, y = features - features.mean(axis=0), targets - targets.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + 1e-3 * len(x) * np.eye(x.shape[1]), x.T @ y)
    wanted = (features - features.mean(axis=0)) @ weights + targets.mean(axis=0) + present
    found = result.network.predict(result.genome, data.inputs)[0, first:]
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_the_henon_map_is_learned_exactly_and_continued():
    """The map is a polynomial of degree 2: two values of x suffice, and a free run is right until chaos wins."""
    task = evorrn.task("henon", observed=1, train=200, valid=40, continuations=5, ahead=40)
    strategy = evorrn.NGRC(delays=2, order=2)
    network = Network.for_task(task, **strategy.needs_network(1))
    result = strategy.fit(network, task, seed=1)
    assert result.metrics["train"]["rmse"] < 1e-8
    assert result.metrics["test"]["valid_time"] > 10
    x = task.data(1).test.inputs[0, :60]
    future = result.forecast(task.data(1).scaling.restore_inputs(x), steps=5)
    truth = task.data(1).scaling.restore_targets(task.data(1).test.targets[0, 59:64])
    np.testing.assert_allclose(np.ravel(future), np.ravel(truth), atol=1e-5)


def test_lorenz_is_forecast_with_the_published_error_from_400_rows():
    """Gauthier et al. 2021: 1.055e-4 on training with two delays, 28 features and 400 rows."""
    task = evorrn.task("lorenz", train=400, washout=10, continuations=6, ahead=300)
    strategy = evorrn.NGRC(increments=True, alphas=(1e-9,))
    network = Network.for_task(task, **strategy.needs_network(3))
    result = strategy.fit(network, task, seed=0)
    assert 5e-5 < result.metrics["train"]["nrmse_std"] < 2e-4
    assert result.metrics["test"]["valid_time"] > 2.5


def test_validation_chooses_a_penalty_whose_free_run_does_not_diverge():
    """Errors of one step choose a penalty of 1e-14 here, and the free run then diverges at once."""
    task = evorrn.task("lorenz", train=400, washout=10, valid=800, continuations=6, ahead=300)
    strategy = evorrn.NGRC(increments=True)
    network = Network.for_task(task, **strategy.needs_network(3))
    result = strategy.fit(network, task, seed=0)
    assert len(result.history["alpha"]) == len(strategy.alphas)
    assert result.metrics["test"]["valid_time"] > 2.5
    by_blocks = evorrn.NGRC(increments=True, select="blocks").fit(network, task, seed=0)
    assert len(by_blocks.history["alpha"]) == 1
    assert by_blocks.metrics["test"]["valid_time"] < result.metrics["test"]["valid_time"]


@pytest.mark.parametrize("cell", ["elman", "leaky"])
def test_another_network_is_refused_with_the_one_that_is_needed(cell):
    task = evorrn.task("lorenz", train=60, valid=20, continuations=2, ahead=20)
    with pytest.raises(ConfigError, match=r"network\.cell: expected 'ng-rc'"):
        evorrn.NGRC().fit(Network.for_task(task, cell=cell, hidden=4), task)
    with pytest.raises(ConfigError, match=r"network\.hidden: expected 27 for these settings"):
        evorrn.NGRC().fit(Network.for_task(task, cell="ng-rc", hidden=26), task)
    with pytest.raises(ConfigError, match=r"network.cell_options: expected \{'taps': 2, 'depth': 4\}"):
        evorrn.NGRC(skip=3).fit(Network.for_task(task, cell="ng-rc", hidden=27), task)


def test_increments_of_outputs_that_continue_no_input_are_refused():
    strategy = evorrn.NGRC(increments=True)
    with pytest.raises(ConfigError, match="increments needs outputs that continue the first inputs"):
        strategy.fit(Network(1, 2, **strategy.needs_network(1)), record(50, 1, 2, 0))


def near_by_hand(inputs: np.ndarray, delays: int, skip: int, reach: int, order: int) -> set[bytes]:
    """Return the columns (T,) of all different monomials whose variables lie in an arc of a ring of reach + 1 places."""
    steps, size = np.arange(len(inputs)), inputs.shape[1]
    values = {
        (place, k): np.where(steps >= k * skip, np.roll(inputs[:, place], k * skip), 0)
        for place in range(size)
        for k in range(delays)
    }
    arcs = [{(start + each) % size for each in range(reach + 1)} for start in range(size)]
    chosen = {
        each
        for degree in range(1, order + 1)
        for each in itertools.combinations_with_replacement(sorted(values), degree)
        if any({place for place, _ in each} <= arc for arc in arcs)
    }
    return {np.prod([values[factor] for factor in each], axis=0).round(9).tobytes() for each in chosen}


@pytest.mark.parametrize(
    ("inputs", "delays", "skip", "reach", "order"),
    [
        (7, 1, 1, 2, 2),
        (6, 2, 3, 2, 2),
        (5, 2, 1, 1, 3),
        (5, 1, 1, 2, 3),
        (1, 2, 2, 0, 3),
        (3, 1, 1, 0, 2),
        (9, 1, 1, 4, 1),
    ],
)
def test_with_a_reach_the_units_are_the_monomials_of_near_variables_each_once(
    inputs, delays, skip, reach, order
):
    strategy = evorrn.NGRC(delays=delays, skip=skip, order=order, reach=reach)
    network = Network(inputs, 1, **strategy.needs_network(inputs))
    x = np.random.default_rng(inputs).normal(size=(2, 23, inputs))
    units = network.readout_states(np.zeros(network.size), x)
    np.testing.assert_array_equal(units[:, :, :inputs], x)
    for row in range(2):
        columns = [column.round(9).tobytes() for column in units[row].T]
        assert len(set(columns)) == len(columns)
        assert set(columns) == near_by_hand(x[row], delays, skip, reach, order)


def test_further_units_of_near_variables_are_zero_and_a_small_ring_closes_on_itself():
    x = np.random.default_rng(0).normal(size=(1, 9, 3))
    few, many = (
        Network(3, 1, cell="local-ng-rc", hidden=units, cell_options={"near": 3}, dtype="float64")
        for units in (2, 12)
    )
    first, every = (each.readout_states(np.zeros(each.size), x)[0] for each in (few, many))
    np.testing.assert_array_equal(first, every[:, :6])
    np.testing.assert_array_equal(first[:, 3:], x[0] ** 2)
    np.testing.assert_allclose(every[:, 9:12], x[0] * np.roll(x[0], -2, axis=1))  # the variable before
    assert not every[:, 30:].any() and every[:, 27:30].any()


def test_a_ring_is_continued_with_products_of_near_variables():
    """A step of the quadratic map x_i <- x_i / 2 + x_{i+1} x_{i-1} / 3 is such a sum, so that it is learned exactly."""
    rng, rows = np.random.default_rng(1), []
    for _ in range(30):
        x = rng.uniform(-1, 1, (1, 12))
        for _ in range(8):
            x = np.vstack([x, x[-1] / 2 + np.roll(x[-1], -1) * np.roll(x[-1], 1) / 3])
        rows.append(x)
    series = np.stack(rows)
    data = Batch(series[:, :-1], series[:, 1:])
    strategy = evorrn.NGRC(delays=1, reach=2, increments=True, alphas=(1e-14,))
    result = strategy.fit(Network(12, 12, **strategy.needs_network(12)), data)
    found = result.network.predict(result.genome, series[:, :-1])
    np.testing.assert_allclose(found, series[:, 1:], atol=1e-8)


@pytest.mark.parametrize("name", ["lorenz-96", "kuramoto-sivashinsky"])
def test_rings_of_many_variables_are_learned_within_300_million_multiply_adds(name, tmp_path):
    from evorrn.lab.runs.spec import resolve

    spec = resolve({"task": {"name": name, "continuations": 3}, "strategy": {"name": "ng-rc"}})
    assert spec.network.cell.name == "local-ng-rc"
    result = spec.strategy.fit(spec.network, spec.task, seed=0, budget="5G")
    assert result.stopped_by == "readout solved"
    assert result.meter.work < 300e6
    assert result.metrics["test"]["valid_time"] > 0.5


@pytest.mark.parametrize(
    ("task", "metric", "low", "high"),
    [
        ({"name": "narma", "train": 600, "valid": 200, "test": 400}, "nmse_std", 0.0, 0.15),
        ({"name": "channel-equalisation"}, "symbol_error_rate", 0.0, 0.003),
        ({"name": "sines"}, "nrmse_std", 0.0, 1e-8),
        ({"name": "pattern-recall", "units": 12, "patterns": 2}, "overlap", 0.95, 1.0),
        ({"name": "pair-recall", "x_units": 8, "y_units": 8, "pairs": 2}, "overlap", 0.9, 1.0),
        ({"name": "roessler", "continuations": 5}, "valid_time", 0.08, 9.0),
    ],
)
def test_by_name_it_sees_as_far_back_as_a_task_needs(task, metric, low, high):
    """With two delays in every task the errors on the first three were 0.67, 0.75 and 0.99."""
    from evorrn.lab.runs.spec import resolve

    spec = resolve({"task": task, "strategy": {"name": "ng-rc"}})
    result = spec.strategy.fit(spec.network, spec.task, seed=0)
    assert low <= result.metrics["test"][metric] <= high


def test_a_reach_of_half_of_the_ring_is_refused():
    strategy = evorrn.NGRC(delays=1, reach=3)
    with pytest.raises(ConfigError, match="reach: expected less than half of the 6 inputs, got 3"):
        strategy.needs_network(6)
    with pytest.raises(ConfigError, match=r"network\.cell: expected 'local-ng-rc'"):
        strategy.fit(Network(7, 7, **evorrn.NGRC(delays=1).needs_network(7)), record(30, 7, 7, 0))


def test_all_penalties_are_solved_once_and_each_readout_is_that_of_a_run_with_one_penalty():
    data = [record(120, 2, 1, seed) for seed in range(2)]
    network = Network(2, 1, **evorrn.NGRC().needs_network(2))
    grid = (1e-6, 1e-3, 1e-1)
    whole = evorrn.NGRC(alphas=grid).fit(network, data)
    alone = [evorrn.NGRC(alphas=(alpha,)).fit(network, data) for alpha in reversed(grid)]
    np.testing.assert_allclose(whole.history["train_loss"], [each.history["train_loss"][0] for each in alone])
    np.testing.assert_allclose(whole.history["valid_loss"], [each.history["valid_loss"][0] for each in alone])
    assert whole.meter.work < sum(each.meter.work for each in alone)


def test_the_contract_of_a_strategy_is_kept():
    check_strategy(evorrn.NGRC(alphas=(1e-6, 1e-3)))
    check_strategy(evorrn.NGRC(delays=1, reach=0, alphas=(1e-6, 1e-3)))
    assert count(6, 2) == 27


def test_a_run_by_name_has_the_network_that_the_settings_need(tmp_path):
    from evorrn.lab.runs.spec import resolve

    spec = resolve({"task": {"name": "henon"}, "strategy": {"name": "ng-rc", "delays": 3, "skip": 2}})
    assert spec.network.cell.name == "ng-rc" and spec.network.hidden == (count(6, 2),)


def test_delays_longer_than_every_series_are_refused():
    rng = np.random.default_rng(0)
    batch = Batch(rng.normal(size=(3, 41, 1)), rng.normal(size=(3, 41, 1)), lengths=[41, 20, 5])
    for delays, skip in ((42, 1), (5, 11)):
        strategy = evorrn.NGRC(delays=delays, skip=skip, order=1)
        with pytest.raises(ConfigError, match="steps back, and the longest training sequence has 41 steps"):
            strategy.fit(Network(1, 1, **strategy.needs_network(1)), batch)
    strategy = evorrn.NGRC(delays=5, skip=10, order=1)
    assert strategy.fit(Network(1, 1, **strategy.needs_network(1)), batch).stopped_by == "readout solved"


@pytest.mark.parametrize(("delays", "steps", "recalled"), [(20, 200, 20), (1, 20, 1), (120, 300, 99)])
def test_what_is_recommended_recalls_the_delays_of_an_input(delays, steps, recalled):
    task = evorrn.task("delayed-recall", delays=delays, steps=steps)
    strategy = evorrn.NGRC(**task.recommended("ng-rc").strategy)
    network = evorrn.Network.for_task(task, **strategy.needs_network(task.inputs))
    result = strategy.fit(network, task)
    assert result.metrics["test"]["memory_capacity"] == pytest.approx(recalled, abs=0.1)


def test_what_is_recommended_continues_the_roessler_equations_longer_than_linear_models():
    task = evorrn.task("roessler")
    strategy = evorrn.NGRC(**task.recommended("ng-rc").strategy)
    network = evorrn.Network.for_task(task, **strategy.needs_network(task.inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # free runs that diverge are no reason for a warning of NumPy
        result = strategy.fit(network, task, seed=3)
    assert result.metrics["test"]["valid_time"] > 0.4  # linear autoregression: 0.3


@pytest.mark.parametrize(
    "given, message",
    [
        ({"hidden": [15]}, r"network\.hidden: strategy ng-rc needs 5 here, got 15; leave it out"),
        ({"cell": "lstm"}, r"network\.cell: strategy ng-rc needs 'ng-rc' here, got 'lstm'; leave it out"),
    ],
)
def test_a_network_that_ng_rc_sets_itself_is_refused_before_anything_runs(given, message):
    from evorrn.lab.runs.spec import resolve

    spec = {"task": {"name": "sunspots"}, "strategy": {"name": "ng-rc"}}
    assert resolve({**spec, "network": {"cell": "ng-rc", "hidden": [5]}}).network.hidden == (5,)
    with pytest.raises(ConfigError, match=message):
        resolve({**spec, "network": given})
