"""What runs take in time and memory is estimated before they start; what does not fit into memory is refused then."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.lab.runs.estimate import by_seed, estimated
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve
from evorrn.lab.sweep.many import run_all
from evorrn.strategies.find import find_strategy


def spec(strategy="ga", seed=0, budget="100k", hidden=3, **settings):
    return resolve(
        {
            "seed": seed,
            "budget": budget,
            "task": {"name": "sunspots"},
            "network": {"cell": "elman", "hidden": hidden},
            "strategy": {"name": strategy, **settings},
        }
    )


def test_runs_that_differ_in_their_seed_are_estimated_once(tmp_path):
    runs = [spec(seed=seed) for seed in range(3)] + [spec("random", seed=seed) for seed in range(2)]
    found = estimated(by_seed(runs), tmp_path)
    assert found.runs == 5 and found.work == 5 * 100_000 and not found.measured
    steps = 1e5 / runs[0].network.step_work[0]  # of the one sequence
    assert found.seconds == pytest.approx(5 * (1e5 / 5.5e9 + steps * 1.6e-7))
    said = found.sentence(2)
    assert said.startswith("ahead: 5 runs; about 500k multiply-adds in all; about 1 second by 2 processes")
    assert "of memory each" in said


def test_small_networks_on_few_sequences_take_longer_for_equal_work(tmp_path):
    small, large = (estimated([(spec("bptt", hidden=h), 1)], tmp_path).seconds for h in (3, 60))
    four = estimated([(spec("bptt", hidden=60, batch_size=4), 1)], tmp_path).seconds
    assert small > 5 * large and four == large  # the sunspots are one sequence
    forward, backward = spec("bptt").network.step_work
    assert small == pytest.approx(1e5 / 3e9 + 1e5 / (forward + backward) * 4e-6)


def test_time_follows_from_runs_that_are_complete(tmp_path):
    ended = execute(spec(budget="300k"), tmp_path)
    meter = ended.result.meter
    found = estimated([(spec(seed=1, budget="900k"), 4)], tmp_path)
    assert found.measured and found.seconds == pytest.approx(4 * 900_000 / (meter.work / meter.seconds))


def test_work_of_a_number_of_generations_is_that_which_the_meter_counts(tmp_path):
    for strategy, settings in (("ga", {"population": 8, "elite": 0}), ("bptt", {"restarts": 0})):
        planned = spec(strategy, budget="5gen", **settings)
        estimate = estimated([(planned, 1)], tmp_path).work
        measured = execute(planned, tmp_path).result.meter.work
        assert 0.5 * measured < estimate <= 1.5 * measured, strategy
    assert estimated([(spec("esn", budget="5gen", hidden=5), 1)], tmp_path).work is None


def test_a_budget_of_seconds_is_the_time(tmp_path):
    found = estimated([(spec(budget="7s"), 3)], tmp_path)
    assert found.seconds == 21 and found.work is None


@pytest.mark.parametrize("strategy", ["cma-es", "xnes", "ekf", "levenberg-marquardt"])
def test_nothing_starts_where_a_run_does_not_fit_into_memory(tmp_path, strategy, monkeypatch):
    """The sentence says how much is needed and how much there is; runs that would fit do not start either."""
    monkeypatch.setattr("evorrn.lab.runs.estimate.installed", lambda: 2**31)
    small, large = spec(budget="50k"), spec(strategy, hidden=150)
    with pytest.raises(ConfigError, match=rf"{strategy}: .* needs about .* GiB of memory, .* has 2 GiB"):
        run_all([small, large], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_strategy_that_cannot_train_the_network_is_told_of_before_others_run(tmp_path):
    labelled = {"budget": "50k", "task": {"name": "even-pairs"}, "network": {"cell": "lstm", "hidden": 2}}
    runs = [resolve({**labelled, "seed": 0, "strategy": {"name": name}}) for name in ("ga", "rtrl")]
    runs = [
        runs[0],
        resolve(
            {
                **labelled,
                "network": {"cell": "lstm", "hidden": 2, "bidirectional": True},
                "strategy": {"name": "rtrl"},
            }
        ),
    ]
    with pytest.raises(ConfigError, match="rtrl carries derivatives forward"):
        run_all(runs, tmp_path)
    assert not list(tmp_path.iterdir())


def test_memory_of_a_strategy_is_at_least_that_of_its_state():
    """The arrays in the state of a strategy after some steps, counted, are no more than its formula says."""
    task = evorrn.task("sunspots")
    for name in ("ga", "cma-es", "xnes", "snes", "bptt", "ekf", "esn"):
        strategy = find_strategy(name)()
        network = evorrn.Network.for_task(task, cell="leaky", hidden=20)
        data = task.data(0)
        problem = evorrn.Problem(network, data.train, data.valid)
        state = strategy.start(problem, np.random.default_rng(0))
        for _ in range(2):
            state = strategy.step(problem, state)
        held = sum(value.nbytes for value in leaves(state) if isinstance(value, np.ndarray))
        assert held <= strategy.bytes_held(network, problem.train.size, problem.train.steps), name


def leaves(value):
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)
    else:
        yield value
