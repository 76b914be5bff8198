"""Runs, comparisons and pages of environments: what is in a folder, what a failure leaves, what a report shows."""

import json
import os
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.cli.outcome import draw
from evorrn.lab import catalogue
from evorrn.lab.compare import Choice, compare
from evorrn.lab.planning import STRATEGIES, usual_strategies
from evorrn.lab.report import plots
from evorrn.lab.runs.apply import forecast
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.outputs import Trajectory, read_outputs
from evorrn.lab.runs.source import source_of
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder


class Fragile(gymnasium.Env):
    """Pays for outputs near one half; breaks at a step that is counted over all episodes."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Box(0, 1, (1,))
    taken, breaks_at = 0, -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.value = self.np_random.uniform(-1, 1)
        return np.array([self.value], np.float32), {}

    def step(self, action):
        Fragile.taken += 1
        if Fragile.taken == Fragile.breaks_at:
            raise RuntimeError("the world broke")
        return np.array([self.value], np.float32), -float(abs(action[0] - 0.5)), False, False, {}


gymnasium.register("evorrn-tests/Fragile-v0", Fragile, max_episode_steps=3, disable_env_checker=True)

MAZE = {"name": "t-maze", "length": 2, "time_limit": 6}
FRAGILE = {"name": "gym:evorrn-tests/Fragile-v0", "train": 2, "valid": 2, "test": 3}


def raw(task, budget="6gen", **strategy):
    network = {"cell": "elman", "hidden": 2}
    return {
        "task": task,
        "budget": budget,
        "network": network,
        "strategy": {"name": "ga", "population": 6, **strategy},
    }


def test_a_run_keeps_a_trajectory_and_draws_it(tmp_path):
    outcome = execute(resolve(raw(MAZE)), tmp_path)
    assert outcome.status == "complete" and not outcome.diverged
    names = {path.name for path in outcome.path.iterdir()}
    assert {"result.json", "genome.npz", "trajectory.npz", "history.jsonl"} <= names
    assert "predictions.npz" not in names
    draw(outcome, pytest.fail)
    assert {path.name for path in (outcome.path / "plots").iterdir()} == {"learning.png", "trajectory.png"}
    kept, result = read_outputs(outcome.path), evorrn.load(outcome.path)
    assert result.metrics == outcome.result.metrics and set(result.metrics["test"]) == {
        "return",
        "success",
        "steps",
    }
    assert kept.returns.mean() == result.metrics["test"]["return"] and kept.lengths.shape == (2,)
    assert [label for label, _ in kept.panels()] == ["steps", "north 1, south -1", "output"]
    np.testing.assert_allclose(result.predict(kept.observations), kept.actions, rtol=1e-5, atol=1e-6)
    again = execute(resolve(raw(MAZE)), tmp_path)
    assert again.reused and again.result.metrics == result.metrics


def test_what_is_for_sequences_alone_is_told(tmp_path):
    run = RunFolder(execute(resolve(raw(MAZE)), tmp_path).path)
    with pytest.raises(EvorrnError, match="this one acts in an environment"):
        forecast(source_of(run), 5)


@pytest.mark.parametrize("steps", [1, 40, 1500])
def test_a_trajectory_is_drawn_in_panels_by_unit(steps, tmp_path):
    rng = np.random.default_rng(0)
    shown = Trajectory(
        observations=rng.normal(size=(steps, 2)),
        actions=np.where(rng.random((steps, 2)) < 0.1, np.nan, 1.0),
        rewards=np.ones(steps),
        states=rng.normal(size=(steps, 4)),
        state_names=np.array(["x (m)", "a (rad)", "b (rad)"]),
        action_names=np.array(["left", "right"]),
        start=np.array(1),
        returns=np.array([3.0, 2.5]),
        lengths=np.array([9, steps]),
    )
    panels = shown.panels()
    assert [(label, list(series)) for label, series in panels] == [
        ("m", ["x"]),
        ("rad", ["a", "b"]),
        ("output", ["left", "right"]),
    ]
    np.testing.assert_array_equal(panels[1][1]["b"], shown.states[:, 2])
    plots.run_outputs_plot(shown, tmp_path / "t.svg")
    text = (tmp_path / "t.svg").read_text()
    words = ["return 2.5", "time steps of test start 2", "left", "rad"]
    assert all(word in text for word in words)
    assert ("the first 1000 of 1500" in text) == (steps == 1500)


def test_a_world_that_breaks_leaves_its_traceback_and_the_state_before(tmp_path):
    spec, Fragile.taken, Fragile.breaks_at = resolve(raw(FRAGILE)), 0, -1
    whole = execute(spec, tmp_path / "whole")
    assert whole.status == "complete"
    Fragile.taken, Fragile.breaks_at = 0, 130  # in the third generation or later
    broken = execute(spec, tmp_path / "parts")
    assert broken.status == "failed" and broken.error == "RuntimeError: the world broke"
    status = json.loads((broken.path / "status.json").read_text())
    assert "in step" in status["traceback"] and "the world broke" in status["traceback"]
    notes = []
    Fragile.breaks_at = -1
    mended = execute(spec, tmp_path / "parts", hooks=Hooks(note=notes.append))
    assert mended.status == "complete" and "going on from step" in notes[0]
    for name in ("history.jsonl", "genome.npz", "trajectory.npz"):
        assert (mended.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert mended.result.meter.work == whole.result.meter.work


def test_a_comparison_ranks_by_return_and_shows_episodes(tmp_path):
    given = {"task": MAZE, "network": {"cell": "elman", "hidden": 2}, "budget": "100k"}
    found = compare(given, root=tmp_path, choice=Choice(seeds=2, strategies=["ga"]))
    assert found.metric == "return" and found.higher_is_better and found.of_episodes
    assert {row.strategy for row in found.rows} == {"ga", "random"}
    assert found.rows[0].median >= found.rows[1].median
    assert {baseline.name for baseline in found.baselines} == {"no action", "random action"}
    page = (tmp_path / "comparisons").glob("*/report.html").__next__().read_text()
    for words in (
        "which way of training acts best?",
        "<h2>Episodes</h2>",
        "best validation return so far",
        "test starts",
    ):
        assert words in page
    assert "Predictions over the truth" not in page


def test_what_needs_a_teacher_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="bptt needs gradient, which t-maze does not have") as caught:
        compare({"task": MAZE}, root=tmp_path, choice=Choice(seeds=1, strategies=["bptt", "esn", "ga"]))
    assert len(caught.value.problems) == 2 and not any(tmp_path.iterdir())
    assert "reinforce, cma-es and ga train on episodes" in caught.value.problems[0]
    with pytest.raises(
        ConfigError, match=r"esn needs states, targets, which dates .*; bptt, cma-es and ga train on"
    ):
        compare({"task": {"name": "dates"}}, root=tmp_path, choice=Choice(seeds=1, strategies=["esn"]))
    with pytest.raises(
        ConfigError, match="needs exploration, which copy does not have; bptt follows the gradient"
    ):
        compare({"task": {"name": "copy"}}, root=tmp_path, choice=Choice(seeds=1, strategies=["reinforce"]))
    assert usual_strategies({"task": MAZE}) == ("ga", "random")
    assert usual_strategies({"task": {"name": "sines"}}) == STRATEGIES
    assert usual_strategies({"task": {"name": "my.csv"}}) == STRATEGIES


OWN = '''"""A user's world."""
from dataclasses import dataclass
import numba
from evorrn.lab.runs.hooks import Hooks
from evorrn.data.environment import Environment

@numba.njit
def reset(state, rng):
    state[0] = rng.uniform(-1, 1)

@numba.njit
def observe(state, observation):
    observation[0] = state[0]

@numba.njit
def step(state, action):
    return -abs(state[0]), False

@dataclass(frozen=True)
class World(Environment):
    """Stand still."""
    name = "world"
    observations = actions = states = 1
    time_limit = 5
    reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)
'''


@pytest.mark.thorough
def test_a_users_world_is_cached_whatever_its_file_is_called(tmp_path):
    seen = []
    for name in ("first.py", "second.py"):
        (tmp_path / name).write_text(OWN)
        program = (
            "import evorrn; from evorrn.training.playing import starts_of; "
            f"print(starts_of(evorrn.task({str(tmp_path / name) + ':World'!r}), 0).test.sum())"
        )
        environ = {**os.environ, "EVORRN_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        (tmp_path / name).unlink()
        seen.append(done.stdout)
    assert seen[0] == seen[1] and float(seen[0]) != 0


def test_starts_of_none_and_unknown_settings_are_told_together():
    with pytest.raises(ConfigError) as caught:
        resolve({"task": {"name": "cart-pole", "train": 0, "pole": 2}, "strategy": {"name": "ga"}})
    told = "\n".join(caught.value.problems)
    assert "task.train: expected a value >= 1, got 0" in told
    assert "task.pole: unknown setting 'pole'; did you mean 'poles'?" in told


@pytest.mark.parametrize("name", ["t-maze", "cart-pole", "bandit", "gym", "gym:Pendulum-v1"])
def test_pages_show_what_is_seen_and_done(name, tmp_path):
    page = catalogue.page(name, tmp_path)
    facts = dict(entry.cells for entry in page.tables[0].entries)
    assert page.title.endswith("(environment)") and "return" in facts["metrics"]
    if name == "t-maze":
        assert facts["actions"] == "north, east, south, west"
    if name == "gym:Pendulum-v1":
        assert facts["observations"].count("observation") == 3 and facts["actions"] == "action1"
