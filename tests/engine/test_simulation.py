"""Episodes of a population against a rollout in plain Python; equal bits, ends of episodes and errors."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import pytest
import worlds
from worlds import Echo, Pendulum, Tape

import evorrn
from evorrn.base.errors import ConfigError, EvorrnError, ShapeError
from evorrn.data.environment import Environment
from evorrn.engine.individuals import environments
from evorrn.engine.individuals.environments import environment_starts
from evorrn.kernels import machine, separate
from evorrn.network.network import Network
from evorrn.training.playing import starts_of

ROUGH, MANY = (pytest.param(one, marks=pytest.mark.thorough) for one in (Pendulum(rough=True), Tape()))
SINGLE = pytest.param("float32", Pendulum(), marks=pytest.mark.thorough)


def network(**settings):
    usual = {"inputs": 2, "outputs": 2, "cell": "elman", "hidden": 5, "loss": "reward", "dtype": "float64"}
    return Network(**{**usual, **settings})


def population(net, count, scale=1.0):
    return scale * net.init_many(np.random.default_rng(1), count)


def starts(environment, count):
    return environment_starts(environment, count, np.random.default_rng(2))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param({"hidden": (5, 3), "cell": "lstm"}, marks=pytest.mark.thorough),
        pytest.param({"cell": "gru", "direct": True, "feedback": True}, marks=pytest.mark.thorough),
        pytest.param({"cell": "jordan", "dtype": "float32"}, marks=pytest.mark.thorough),
    ],
    ids=str,
)
def test_returns_and_lengths_are_those_of_plain_python(settings):
    net, environment = network(**settings), Pendulum()
    genomes, begins = population(net, 7), starts(environment, 5)
    returns, lengths = net.simulate(genomes, environment, begins)
    assert (returns.dtype, lengths.dtype) == (np.float64, np.int64)
    assert lengths.min() < 10 and lengths.max() == 30  # some fail at once, some never
    exact = net.dtype == np.float64
    for p in range(7):
        for e in range(5):
            _, _, rewards, _ = worlds.rollout(net, genomes[p], environment, begins[e], 30)
            assert lengths[p, e] == len(rewards)
            assert returns[p, e] == pytest.approx(rewards.sum(), rel=1e-9 if exact else 1e-4)


@pytest.mark.parametrize("environment", [ROUGH, MANY, Echo()], ids=["rough", "many numbers", "in parts"])
def test_environments_that_are_not_vector_code_are_right(environment):
    net = network(inputs=environment.observations, outputs=environment.actions)
    genomes, begins = population(net, 3), starts(environment, 3)
    returns, lengths = net.simulate(genomes, environment, begins)
    for p in range(3):
        for e in range(3):
            rewards = worlds.rollout(net, genomes[p], environment, begins[e], environment.time_limit)[2]
            assert lengths[p, e] == len(rewards)
            assert returns[p, e] == pytest.approx(rewards.sum(), rel=1e-9)


@pytest.mark.skipif(not machine.compiling(), reason="nothing is compiled")
@pytest.mark.parametrize("environment", [Pendulum(), Echo()], ids=["in registers", "in parts"])
def test_individuals_share_vector_instructions(environment):
    floats, whole = numba.float64[::1], numba.int64[::1]
    module = environments.program_module(environment, network().kernel_source(environment), "vectors")
    function, signature = (
        (module.step_lanes, (*[floats] * 7, whole, whole, whole, floats, floats, numba.int64))
        if environment.parts is None
        else (module.move_lanes, (floats,) * 5)
    )
    fresh = numba.njit(**{**module.LOOP, "pipeline_class": separate.SeparateArrays})(function.py_func)
    fresh.compile(signature)
    (code,) = fresh.inspect_llvm().values()
    # Two steps of motion, with the polynomials of sine and cosine in each.
    assert len(re.findall(r"fmul (contract )?<\d+ x double>", code)) > 40


@pytest.mark.parametrize(
    "environment", [Pendulum(), MANY, Echo()], ids=["in registers", "many numbers", "in parts"]
)
def test_a_trajectory_is_the_episode_step_by_step(environment):
    net = network(inputs=environment.observations, outputs=environment.actions)
    genome, start = population(net, 1)[0], starts(environment, 1)[0]
    got = net.trajectory(genome, environment, start, 20)
    for series, expected in zip(got, worlds.rollout(net, genome, environment, start, 20)):
        np.testing.assert_allclose(series, expected, rtol=1e-9, atol=1e-12)
    returns, lengths = net.simulate(genome[None], environment, start[None], 20)
    assert got.rewards.sum() == pytest.approx(returns[0, 0], rel=1e-14)
    assert len(got.states) == lengths[0, 0]


@pytest.mark.parametrize(
    ("dtype", "environment"), [SINGLE, ("float64", Pendulum()), ("float64", Echo())], ids=str
)
def test_bits_depend_only_on_genome_and_start(dtype, environment):
    net = network(dtype=dtype)
    genomes, begins = population(net, 37), starts(environment, 3)
    whole = net.simulate(genomes, environment, begins)
    order = np.random.default_rng(3).permutation(37)
    shuffled = net.simulate(genomes[order], environment, begins[::-1])
    alone = net.simulate(genomes[11:12], environment, begins[1:2])
    for all_, moved, one in zip(whole, shuffled, alone):
        assert all_[order][:, ::-1].tobytes() == moved.tobytes()
        assert all_[11, 1] == one[0, 0]
    before = evorrn.kernels.threads.get_threads()
    try:
        for threads in (1, 2, 5):
            evorrn.set_threads(threads)
            for got, expected in zip(net.simulate(genomes, environment, begins), whole):
                assert got.tobytes() == expected.tobytes()
    finally:
        evorrn.set_threads(before)


def test_a_time_limit_of_one_step():
    net, environment = network(), Pendulum()
    genomes, begins = population(net, 3), starts(environment, 2)
    returns, lengths = net.simulate(genomes, environment, begins, 1)
    assert (lengths == 1).all()
    short = net.trajectory(genomes[2], environment, begins[1], 1)
    assert short.rewards.tolist() == [returns[2, 1]]


def test_starts_are_drawn_one_after_the_other_by_plain_numpy():
    environment = Pendulum()
    rng, expected = np.random.default_rng(2), np.zeros((4, 3))
    for state in expected:
        worlds.release.py_func(state, rng)
    np.testing.assert_allclose(starts(environment, 4), expected, rtol=1e-15)
    assert starts(environment, 2).tobytes() == starts(environment, 4)[:2].tobytes()


def test_work_is_that_of_the_network_in_all_steps():
    net, environment = network(), Pendulum()
    _, lengths = net.simulate(population(net, 3), environment, starts(environment, 2))
    one_step = net.simulation_work(np.array([1]))
    assert net.simulation_work(lengths) == one_step * lengths.sum()
    products = 5 * 2 + 5 * 5 + 2 * 5
    assert products <= one_step <= 4 * products  # the activations of 5 units have their price too


# --- What is not finite, does not fit or does not compile ----------------------------------------------


@numba.njit
def divide(state, action):
    state[2] += 1.0
    return 1.0 / (3.0 - state[2]), False


@numba.njit
def reckless(state, action):
    state[0] = 2.0 * action[1]
    return 1.0, False


@numba.njit
def misspelt(state, action):
    return nothing_of_that_name + state[0], False  # noqa: F821


@numba.njit
def without_end(state, action):
    return state[0]


def plain_step(state, action):
    return 0.0, False


@numba.njit
def judge_all(state):
    return state[0]


@dataclass(frozen=True)
class Broken(Pendulum):
    """A pendulum with another step."""

    name = "broken"
    way = "divide"

    @property
    def step(self):
        return globals()[self.way]


def broken(way):
    return type("Other", (Broken,), {"way": way})()


def test_a_reward_that_is_not_finite_is_an_error_of_the_environment():
    with pytest.raises(
        EvorrnError,  # 1 / (3 - 3), where njit alone would raise
        match=r"^environment broken: expected a finite reward, got inf at time step 3 of the episode "
        r"from state \[0, 0, 0\]$",
    ):
        network().simulate(population(network(), 2), broken("divide"), np.zeros((2, 3)))


def test_an_action_that_is_not_finite_ends_the_episode():
    net = network()
    genomes = population(net, 3)
    genomes[1] = np.inf
    returns, lengths = net.simulate(genomes, broken("reckless"), np.zeros((1, 3)))
    assert np.isnan(returns[:, 0]).tolist() == [False, True, False]
    assert lengths[:, 0].tolist() == [30, 1, 30]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("misspelt", r"environment broken: step does not compile: .*nothing_of_that_name"),
        ("without_end", r"environment broken: step: expected to return \(reward, done\), got float64"),
    ],
)
def test_the_error_for_a_step_that_does_not_compile_quotes_numba(way, message):
    with pytest.raises(EvorrnError, match=message) as error:
        network().simulate(population(network(), 1), broken(way), np.zeros((1, 3)))
    assert len(str(error.value)) < 500


@numba.njit
def release_beyond(state, rng):
    state[3] = rng.random()


@numba.njit
def look_beyond(state, observation):
    observation[2] = state[0]


@numba.njit
def pushed(action):
    return action[2]


@numba.njit
def move_beyond(state, action):
    state[0] += pushed(action)
    return 0.0, False


@numba.njit
def refuse(state, rng):
    if state[0] == 0.0:
        raise ValueError("no such start")


@pytest.mark.parametrize(
    ("name", "function"), [("reset", release_beyond), ("observe", look_beyond), ("step", move_beyond)]
)
def test_an_index_out_of_bounds_raises_an_error_before_the_kernel_runs(name, function):
    beyond = type("Beyond", (Pendulum,), {name: staticmethod(function)})()
    message = rf"environment pendulum: {name}: index \d .*; there are 3 states, 2 observations and 2 actions"
    with pytest.raises(ConfigError, match=message):
        network().simulate(population(network(), 1), beyond, np.zeros((1, 3)))
    with pytest.raises(ConfigError, match=message):
        starts_of(beyond, 0)


def test_the_error_for_a_reset_that_raises_names_reset():
    refusing = type("Refusing", (Pendulum,), {"reset": staticmethod(refuse)})()
    with pytest.raises(EvorrnError, match="environment pendulum: reset raised ValueError: no such start"):
        starts_of(refusing, 0)


def test_wrong_parts_of_a_step_raise_errors():
    net, begins = network(), np.zeros((1, 33))
    step = worlds.Echo.step

    def told(*parts):
        with pytest.raises(EvorrnError) as error:
            net.simulate(population(net, 1), type("Odd", (Echo,), {"parts": parts})(), begins)
        return str(error.value)

    assert "parts: expected (count, move, judge), got (3," in told(3, step)
    assert "parts: expected a count from 1 to 33, got 34" in told(34, step, worlds.judge_echo)
    assert "judge: expected judge(state), got a function of other parameters" in told(3, step, step)
    assert "move: expected a function move(state, action) made with" in told(3, plain_step, judge_all)
    assert "judge: expected to return (reward, done), got float64" in told(3, step, judge_all)


def test_arguments_that_do_not_fit_raise_errors():
    net, environment = network(inputs=3, outputs=1), Pendulum()
    with pytest.raises(ConfigError) as error:
        net.simulate(population(net, 1), environment, np.zeros((1, 3)))
    assert error.value.problems == [
        "environment pendulum: 2 observations, but the network has 3 inputs",
        "environment pendulum: 2 actions, but the network has 1 outputs",
    ]
    net = network()
    with pytest.raises(ConfigError, match=r"step: expected a function .* made with numba\.njit"):
        net.simulate(population(net, 1), broken("plain_step"), np.zeros((1, 3)))
    with pytest.raises(ShapeError, match=r"starts: expected shape \(E, 3\), got \(3,\)"):
        net.simulate(population(net, 1), environment, np.zeros(3))
    with pytest.raises(ConfigError, match="time_limit: expected a whole number of at least 1, got 0"):
        net.simulate(population(net, 1), environment, np.zeros((1, 3)), 0)
    with pytest.raises(ConfigError, match="reward needs an environment"):
        net.fitness(population(net, 1), evorrn.Batch(np.zeros((1, 2, 2)), np.zeros((1, 2, 2))))
    with pytest.raises(ConfigError) as error:
        net.simulate(
            population(net, 1), type("Nothing", (Environment,), {"name": "nothing"})(), np.zeros((1, 3))
        )
    assert [problem.split(":")[1].strip() for problem in error.value.problems] == [
        *("observations", "actions", "states", "time_limit", "reset", "observe", "step")
    ]
    with pytest.raises(ConfigError, match=r"expected an evorrn\.Environment"):
        net.simulate(population(net, 1), Environment, np.zeros((1, 3)))


# --- Other processes -----------------------------------------------------------------------------------

PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:]
import numpy as np
from numba import njit
import evorrn.engine.cache as load
from evorrn.network.network import Network
from evorrn.engine.individuals.environments import environment_starts
from worlds import Pendulum, Tape, move
GAIN = {gain}
@njit
def scaled(state, action):
    reward, done = move(state, action)
    return GAIN * reward, done
class Scaled(Pendulum):
    step = staticmethod(scaled)
for environment in (Scaled(), Tape())[:{worlds}]:
    net = Network(environment.observations, environment.actions, hidden=4, dtype="float64", loss="reward")
    genomes = net.init_many(np.random.default_rng(0), 19)
    begins = environment_starts(environment, 3, np.random.default_rng(0))
    print(float(net.simulate(genomes, environment, begins)[0].sum()))
print(len(list(load.cache_folder().rglob("*.nbc"))))
"""


def run(folder, gain=1.0, worlds=2, **variables):
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(gain=gain, worlds=worlds), str(here)],
        env={**os.environ, "EVORRN_CACHE": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *sums, kept = done.stdout.split()
    return [float(value) for value in sums], int(kept)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return folder, *run(folder)


@pytest.mark.thorough
def test_a_second_process_compiles_nothing_also_for_a_class_in_a_script(compiled):
    folder, sums, kept = compiled
    assert run(folder) == (sums, kept)


@pytest.mark.thorough
def test_a_constant_that_a_step_refers_to_is_part_of_the_kernels_name(compiled):
    folder, sums, kept = compiled
    other, more = run(folder, gain=2.0)
    assert other[0] == pytest.approx(2.0 * sums[0], rel=1e-12)
    assert other[1] == sums[1]
    assert more > kept


@pytest.mark.thorough
@pytest.mark.parametrize("variable,value", [("EVORRN_SIMD", "0"), ("NUMBA_DISABLE_JIT", "1")])
def test_plain_loops_and_plain_python_agree(compiled, variable, value, tmp_path):
    worlds = 1 if variable == "EVORRN_SIMD" else 2  # the two differ in the world, not in the network
    sums, _ = run(tmp_path, worlds=worlds, **{variable: value})
    assert sums == pytest.approx(compiled[1][:worlds], rel=1e-9)
