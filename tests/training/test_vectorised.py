"""Environments stepped in Python: the population's step against the kernel's, and gymnasium's environments by hand."""

import gymnasium
import naive
import numpy as np
import pytest

import evorrn
from evorrn import REINFORCE, Budget, GeneticAlgorithm, Network
from evorrn.base.errors import EvorrnError
from evorrn.lab.runs.spec import resolve
from evorrn.network.stepping import Stepper
from evorrn.training import playing
from evorrn.training.assess import assess
from evorrn.training.exploring import explore
from evorrn.training.playing import starts_of
from evorrn_tasks.gym import Gym


class Count(gymnasium.Env):
    """Counts up to a length drawn by the seed; the reward is the action, the observation a number of six."""

    observation_space = gymnasium.spaces.Discrete(6, start=1)
    action_space = gymnasium.spaces.Box(
        np.array([[-2.0, 0.0]], np.float32), np.array([[4.0, 1.0]], np.float32)
    )

    def __init__(self, fails_at=-1, worth=1.0):
        self.fails_at, self.worth = fails_at, worth

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.length = 0, int(self.np_random.integers(3, 9))
        return 1, {}

    def step(self, action):
        assert action.shape == (1, 2) and self.action_space.contains(action)
        assert self.count < self.length  # nobody steps an episode that is over
        self.count += 1
        if self.count == self.fails_at:
            raise RuntimeError("the world broke")
        return 1 + self.count % 6, self.worth * float(action[0, 0]), self.count == self.length, False, {}


class Odd(Count):
    action_space = gymnasium.spaces.Text(3)


class Blind(Count):
    observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(2))


for kind in (Count, Odd, Blind):
    gymnasium.register(
        f"evorrn-tests/{kind.__name__}-v0", kind, max_episode_steps=7, disable_env_checker=True
    )

COUNT = Gym(id="evorrn-tests/Count-v0", train=3, valid=4, test=5)


@pytest.mark.parametrize(
    "settings", [{"cell": "elman"}, {"cell": "lstm", "direct": True}, {"cell": "jordan"}]
)
def test_the_step_of_a_population_is_the_networks_own(settings):
    network = Network(3, 2, hidden=(3, 2), dtype="float64", **settings)
    rng = np.random.default_rng(0)
    genomes, x = rng.normal(size=(5, network.size)), rng.normal(size=(5, 7, 3))
    stepper = Stepper(network, 5)
    stepper.begin(np.array([4, 1, 0, 3, 2]), genomes[[4, 1, 0, 3, 2]])
    outputs = np.stack([stepper.step(x[:, step]) for step in range(7)], axis=1)
    for genome, inputs, output in zip(genomes, x, outputs):
        wanted, _ = naive.run(
            network.unpack(genome),
            network.cell.name,
            network.hidden,
            network.cell_options,
            inputs[None],
            [7],
            direct=network.direct,
            outputs=2,
        )
        np.testing.assert_allclose(output, wanted[0], rtol=1e-11, atol=1e-12)
    stepper.begin(np.array([2]), genomes[:1])  # another individual, from a state of zero
    np.testing.assert_array_equal(stepper.step(x[[0] * 5, 0])[2], outputs[0, 0])


def by_hand(environment, network, genome, seed, make):
    """Return the return and length of an episode in plain gymnasium, the Elman network written out."""
    world, weights = gymnasium.make(environment.id), network.unpack(genome)
    cell = {name.removeprefix("layer0."): block for name, block in weights.items()}
    seen, _ = world.reset(seed=int(seed))
    state, total, length, over = {"h": np.zeros(3)}, 0.0, 0, False
    while not over:
        flat = gymnasium.spaces.flatten(world.observation_space, seen)
        state = naive.elman(cell, flat.astype(np.float64), state, None, {"activation": "tanh"})
        y = weights["readout.W"] @ state["h"] + weights["readout.b"]
        seen, reward, ended, cut, _ = world.step(make(y))
        total, length, over = total + reward, length + 1, ended or cut
    return total, length


def box(y):
    low, high = np.array([[-2.0, 0.0]]), np.array([[4.0, 1.0]])
    return (low + (np.tanh(y.astype(np.float64)) + 1) / 2 * (high - low)).astype(np.float32)


@pytest.mark.parametrize(
    ("environment", "make"),
    [(COUNT, box), (Gym(id="CartPole-v1", train=9), lambda y: int(np.argmax(y)))],
    ids=["box", "discrete"],
)
def test_episodes_are_those_of_plain_gymnasium(environment, make):
    network = Network.for_task(environment, hidden=3, dtype="float64")
    genomes = 3 * network.init_many(np.random.default_rng(0), 8)
    starts = starts_of(environment, 0).train
    returns, lengths = playing.episodes(environment, network, genomes, starts)
    wanted = [[by_hand(environment, network, g, s[0], make) for s in starts] for g in genomes]
    np.testing.assert_allclose(returns, np.array(wanted)[:, :, 0], rtol=1e-6)
    np.testing.assert_array_equal(lengths, np.array(wanted)[:, :, 1])
    assert len(np.unique(lengths)) > 2
    alone, _ = playing.episodes(environment, network, genomes[5:6], starts[::-1])
    np.testing.assert_array_equal(alone[0, ::-1], returns[5])  # whoever else is under way changes nothing
    observations, actions, rewards, _ = playing.trajectory(environment, network, genomes[5], starts[1], 100)
    assert rewards.sum() == pytest.approx(returns[5, 1]) and len(observations) == lengths[5, 1] == len(
        actions
    )


@pytest.mark.parametrize(
    ("environment", "make"),
    [(COUNT, box), *((Gym(id=name), np.argmax) for name in ("CartPole-v1", "FrozenLake-v1"))],
    ids=["box", "discrete", "one-hot"],
)
def test_episodes_with_random_actions_are_those_of_plain_gymnasium(environment, make):
    """An episode that had ended was stepped on, which gymnasium refuses."""
    network = Network.for_task(environment, hidden=3, dtype="float64")
    genome, starts = 2 * network.init(seed=2), np.array([[3.0], [77.0], [5.0], [12345.0], [3.0]])
    found = explore(environment, network, genome, starts, 0.5, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    drawn = np.stack([rng.standard_normal((5, network.outputs)) for _ in range(max(found.lengths))], axis=1)
    outputs = network.predict(genome, found.observations)
    for row, length in enumerate(found.lengths):
        world = gymnasium.make(environment.id)
        seen, _ = world.reset(seed=int(starts[row, 0]))
        over = [False] * length
        for t in range(length):
            flat = gymnasium.spaces.flatten(world.observation_space, seen)
            np.testing.assert_array_equal(found.observations[row, t], flat)
            np.testing.assert_array_equal(found.noise[row, t], drawn[row, t])
            seen, reward, ended, cut, _ = world.step(make(outputs[row, t] + 0.5 * drawn[row, t]))
            assert found.rewards[row, t] == pytest.approx(reward, rel=1e-6)
            over[t] = ended or cut
        assert over == [False] * (length - 1) + [True]
        assert not any(np.any(part[row, length:]) for part in found[:3])
    assert len(np.unique(found.lengths)) > 1


def test_reinforce_trains_in_gymnasium():
    environment = Gym(id="CartPole-v1", train=3, valid=2, test=2)
    strategy = REINFORCE(episodes=6, updates=2)
    result = strategy.fit(Network.for_task(environment, hidden=2), environment, seed=0, budget="2gen")
    assert len(result.history["train_loss"]) == 2 and np.isfinite(result.history["train_loss"]).all()


def test_sizes_and_limits_come_from_the_environment():
    assert (COUNT.observations, COUNT.actions, COUNT.time_limit) == (6, 2, 7)
    assert Gym(id="CartPole-v1").time_limit == 500 and Gym(id="CartPole-v1", limit=20).time_limit == 20
    network = Network.for_task(COUNT, hidden=2)
    _, lengths = playing.episodes(
        Gym(id="evorrn-tests/Count-v0", limit=2), network, network.init(seed=0)[None], np.zeros((1, 1))
    )
    assert lengths.tolist() == [[2]]


def test_clipped_outputs_stay_in_the_box():
    environment = Gym(id="evorrn-tests/Count-v0", squash="clip")
    network = Network.for_task(environment, hidden=1)
    genome = 0 * network.init(seed=0)
    network.unpack(genome)["readout.b"][:] = [1.5, 9.0]
    returns, lengths = playing.episodes(environment, network, genome[None], starts_of(environment, 0).train)
    np.testing.assert_allclose(returns, 1.5 * lengths)


def test_starts_are_seeds_and_differ_between_splits():
    starts = starts_of(COUNT, 4)
    seeds = np.concatenate([starts.train, starts.valid, starts.test]).ravel()
    assert len(np.unique(seeds)) == 12 and (seeds == np.floor(seeds)).all()
    np.testing.assert_array_equal(starts_of(COUNT, 4).train, starts.train)


def test_options_reach_the_environment():
    network = Network.for_task(COUNT, hidden=1)
    genome = network.init(seed=1)[None]
    start = starts_of(COUNT, 0).train
    double = playing.episodes(
        Gym(id="evorrn-tests/Count-v0", options={"worth": 2.0}), network, genome, start
    )[0]
    np.testing.assert_allclose(double, 2 * playing.episodes(COUNT, network, genome, start)[0])


def test_evolution_learns_cart_pole_of_gymnasium():
    """Neither doing nothing nor chance balances 40 steps; three times as many are asked."""
    environment = Gym(id="CartPole-v1", train=2, valid=3, test=5, limit=150)
    network = Network.for_task(environment, hidden=2)
    budget = Budget(generations=15, loss=-149)
    result = GeneticAlgorithm(population=16, mutation_size=0.5).fit(
        network, environment, seed=0, budget=budget
    )
    baselines = assess(environment, 0).baselines("return")
    assert max(baselines.values()) < 40 and result.metrics["test"]["return"] > 120
    assert result.meter.steps_forward > 1000 and result.meter.work > 1000 * network.size


def test_the_short_name_is_a_task_and_a_spec():
    assert evorrn.task("gym:CartPole-v1", train=2) == Gym(id="CartPole-v1", train=2)
    spec = resolve({"task": {"name": "gym:CartPole-v1", "limit": 30}, "budget": "1gen"})
    assert spec.content["task"]["name"] == "gym" and spec.content["task"]["id"] == "CartPole-v1"
    assert spec.network.inputs == 4 and resolve(spec.content).id == spec.id


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"id": "CartPol-v1"}, "gym CartPol-v1: cannot be made: .*CartPole"),
        ({"id": "CartPole-v1", "options": {"gravty": 1}}, "gym CartPole-v1: cannot be made: .*gravty"),
        (
            {"id": "CartPole-v1", "options": {"max_episode_steps": -3}},
            "gym CartPole-v1: cannot be made: .*max_episode_steps",
        ),
        ({"id": "evorrn-tests/Odd-v0"}, "expected discrete actions or a box, got Text"),
        ({"id": "evorrn-tests/Blind-v0"}, "expected observations that can be flattened, got Sequence"),
    ],
)
def test_settings_that_cannot_run_raise_errors(settings, sentence):
    with pytest.raises(EvorrnError, match=sentence):
        Network.for_task(evorrn.task("gym", **settings))


def test_functions_for_a_kernel_are_not_available():
    with pytest.raises(EvorrnError, match="gym: runs in Python"):
        network = Network.for_task(COUNT)
        network.simulate(network.init(seed=0)[None], COUNT, np.zeros((1, 1)))


def test_an_error_of_the_environment_is_raised_unchanged():
    environment = Gym(id="evorrn-tests/Count-v0", options={"fails_at": 2})
    network = Network.for_task(environment, hidden=1)
    with pytest.raises(RuntimeError, match="the world broke"):
        GeneticAlgorithm(population=4).fit(network, environment, budget="1gen")
