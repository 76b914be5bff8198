"""EvolvedReservoir: settings in their ranges, common random numbers, and improvement."""

import numpy as np
import pytest

from evorrn import CMAES, Batch, EvolvedReservoir, Network, Problem
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.testing import check_strategy


def network(**changes):
    return Network(
        **{
            "inputs": 1,
            "outputs": 1,
            "cell": "leaky",
            "hidden": 12,
            "direct": True,
            "dtype": "float64",
            **changes,
        }
    )


def record(seed=0, steps=300):
    """Return a target that is the last input: it needs units without memory."""
    u = np.random.default_rng(seed).uniform(-1, 1, (1, steps, 1))
    y = np.zeros_like(u)
    y[:, 1:] = u[:, :-1]
    return Batch(u, y)


def made():
    return Problem(network(), record(0), record(1))


def states(strategy, steps):
    problem = made()
    state, found = strategy.start(problem, np.random.default_rng(0)), []
    for _ in range(steps):
        state = strategy.step(problem, state)
        found.append(state)
    return problem, found


def test_settings_stay_in_their_ranges_and_fixed_ones_fixed():
    strategy = EvolvedReservoir(
        population=5, sigma=2.0, spectral_radius=0.9, leak=(0.2, 0.4), input_scaling=(0.0, 0.5), links=(2, 6)
    )
    _, found = states(strategy, 15)
    records = {name: [state["record"][name] for state in found] for name in found[0]["record"]}
    assert set(records["spectral_radius"]) == {0.9}
    for name, low, high in (("leak", 0.2, 0.4), ("input_scaling", 0.0, 0.5), ("bias_scaling", 0.05, 0.8)):
        assert low <= min(records[name]) < max(records[name]) <= high
    assert set(records["links"]) <= {2, 3, 4, 5, 6} and len(set(records["links"])) > 1
    assert records["generation"] == [0] * 4 + [1] * 5 + [2] * 5 + [3]


def test_a_generation_shares_its_random_numbers_and_the_next_has_others():
    """Divided by their scales, the reservoirs of all individuals are equal."""
    strategy = EvolvedReservoir(population=4, leak=0.5)
    problem, found = states(strategy, 8)
    inputs = []
    for state in found:
        block = problem.network.unpack(state["candidate"])["layer0.W_x"]
        inputs.append(block / state["record"]["input_scaling"])
    np.testing.assert_allclose(inputs[1:4], [inputs[0]] * 3)
    np.testing.assert_allclose(inputs[5:], [inputs[4]] * 3)
    assert np.abs(inputs[4] - inputs[0]).max() > 0.1


def test_it_is_cma_es_on_the_validation_loss_of_solved_reservoirs():
    strategy = EvolvedReservoir(population=4, leak=0.5, bias_scaling=0.1, input_scaling=(0.1, 1.0))
    problem, found = states(strategy, 8)
    search = CMAES(population=4, sigma=0.25, lower=0.0, upper=1.0)
    state = found[0]["search"]
    asked = found[0]["asked"]
    fitness = []
    for step, point in zip(found[:4], asked):
        np.testing.assert_allclose(step["record"]["spectral_radius"], 0.5 * (1.3 / 0.5) ** point[0])
        np.testing.assert_allclose(step["record"]["input_scaling"], 0.1 * 10 ** point[1])
        variant = problem.with_options(step["cell_options"])
        genome, _ = draw_reservoir(
            variant.network,
            Scales(step["record"]["spectral_radius"], 10, step["record"]["input_scaling"], 0.1, 0.0),
            np.random.default_rng(step["seed"]),
        )
        hidden = variant.network.unpack(step["candidate"])["layer0.W_h"]
        np.testing.assert_array_equal(variant.network.unpack(genome)["layer0.W_h"], hidden)
        fitness.append(-variant.network.loss(step["candidate"], record(1)))
    _, following = search.ask(search.tell(state, asked, np.array(fitness)))
    np.testing.assert_array_equal(found[4]["asked"], following)


def test_the_contract_is_kept():
    check_strategy(EvolvedReservoir(population=4), made, steps=6)


def test_a_single_range_will_do_and_none_is_refused():
    fixed = {"spectral_radius": 0.9, "leak": 0.5, "bias_scaling": 0.1}
    check_strategy(EvolvedReservoir(population=4, **fixed), made, steps=5)
    with pytest.raises(ConfigError, match="evolved-esn: expected a range"):
        EvolvedReservoir(input_scaling=0.1, **fixed).start(made(), np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"leak: expected \[low, high\], got \[0.9, 0.1\]"):
        EvolvedReservoir(leak=(0.9, 0.1))
    with pytest.raises(ConfigError, match="population: expected a value >= 4, got 3"):
        EvolvedReservoir(population=3)
    assert EvolvedReservoir(reservoirs=3).ends_by_itself


def test_settings_move_to_where_the_loss_is_low():
    """Late reservoirs are better than those of the first generation, on new draws."""
    strategy = EvolvedReservoir(
        population=8,
        leak=(0.01, 1.0),
        spectral_radius=(0.1, 1.5),
        bias_scaling=0.1,
        input_scaling=0.5,
        alphas=(1e-3,),
    )
    for seed in range(3):
        result = strategy.fit(network(), (record(0), record(1)), seed=seed, budget="80gen")
        losses = result.history["valid_loss"]
        assert np.median(losses[-16:]) < 0.3 * np.median(losses[:8])
        assert np.median(result.history["leak"][-16:]) > 0.4  # the middle of the range is 0.1
