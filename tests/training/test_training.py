"""The training loop: limits, stopping and resuming, callbacks, and the result."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from stand_in import TRUTH, LinearNetwork, batch, problem

from evorrn.base.errors import ConfigError, ShapeError, StopTraining
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.base.settings import setting
from evorrn.data.ahead import detect_horizon
from evorrn.data.batch import Batch
from evorrn.data.task import Splits
from evorrn.losses.find import find_loss
from evorrn.network.network import Network
from evorrn.strategies.base import Strategy, generator, generator_state
from evorrn.strategies.reservoir.echo_state import EchoState
from evorrn.training.assess import as_splits
from evorrn.training.assessment import score
from evorrn.training.budget import Budget
from evorrn.training.loop import fit, train
from evorrn.training.problem import Problem
from evorrn.training.result import NOTHING_LEARNED
from evorrn.training.trainer import Trainer


@dataclass(frozen=True)
class Walk(Strategy):
    """A random walk that keeps its best point: the smallest strategy there is."""

    name = "walk"
    requires = frozenset({"fitness"})

    size: float = setting(0.3, "length of a stride", above=0)
    ends_after: int = setting(0, "steps after which nothing is left to do; 0 for never", minimum=0)
    hides: int = setting(0, "steps without a candidate", minimum=0)

    def start(self, problem, rng):
        return {
            "rng": generator_state(rng),
            "steps": 0,
            "best": np.zeros(problem.size),
            "fitness": -np.inf,
            "candidate": None,
            "train_loss": np.inf,
            "finished": "",
            "record": {},
        }

    def step(self, problem, state):
        rng = generator(state)
        genome = state["best"] + self.size * rng.standard_normal(problem.size)
        fitness = float(problem.fitness(genome[None])[0])
        better = fitness > state["fitness"]
        best = genome if better else state["best"]
        steps = state["steps"] + 1
        return {
            "rng": generator_state(rng),
            "steps": steps,
            "best": best,
            "fitness": max(fitness, state["fitness"]),
            "candidate": None if steps <= self.hides else best,
            "train_loss": -max(fitness, state["fitness"]),
            "finished": "tired" if steps == self.ends_after else "",
            "record": {"stride": self.size},
        }


def trained(budget, strategy=None, seed=0, state=None, callbacks=()):
    trainer = Trainer(strategy or Walk(), problem(), seed=seed, budget=budget, state=state)
    train(trainer, callbacks)
    return trainer


PER_EVALUATION = 3 * 20  # genes times moved steps, the stand-in's forward work


@pytest.mark.parametrize(
    ("budget", "by"),
    [
        (Budget(generations=7), "generations"),
        (Budget(evaluations=7), "evaluations"),
        (Budget(work=7 * PER_EVALUATION), "work"),
        (Budget(steps=140), "steps"),
        (Budget(seconds=1e-9), "seconds"),
        (Budget(loss=0.5), "loss"),
        (Budget(learned=0.5, tolerance=0.5), "learned"),
        (Budget(generations=3, evaluations=7), "generations"),
    ],
)
def test_the_first_limit_reached_stops_the_run_and_is_recorded(budget, by):
    trainer = trained(budget)
    assert trainer.stopped_by == by
    meter, history = trainer.problem.meter, trainer.history
    if by in ("generations", "evaluations"):
        assert trainer.step_count == len(history["work"]) == min(budget.values().values())
    if by == "work":
        assert history["work"][-2] < budget.work <= meter.work
    if by == "steps":
        assert history["steps"][-2] < budget.steps <= meter.steps
    if by == "loss":
        assert history["train_loss"][-2] > 0.5 >= history["train_loss"][-1]


def test_work_is_counted_for_training_and_once_for_validating_a_candidate():
    trainer = trained(Budget(generations=30))
    losses = trainer.history["train_loss"]
    candidates = len(set(losses))  # a new best is a new candidate
    assert 1 < candidates < 30
    assert trainer.problem.meter.work == (30 + candidates) * PER_EVALUATION
    assert trainer.problem.meter.evaluations == 30


def test_learned_is_the_share_of_sequences_within_tolerance():
    network, x = LinearNetwork(), np.random.default_rng(0).standard_normal((4, 5, 2))
    targets = network.predict(TRUTH, x)
    targets[0, 2] += 1.0  # one step of one sequence is out of reach
    targets[1, 3] += 0.03
    mask = np.ones((4, 5), dtype=bool)
    asked = Problem(network, Batch(x, targets, mask=mask))
    assert asked.learned(TRUTH, 0.04) == 0.75
    assert asked.learned(TRUTH, 0.02) == 0.5
    mask[0, 2] = mask[3] = False  # a sequence without a scored step does not count
    assert Problem(network, Batch(x, targets, mask=mask)).learned(TRUTH, 0.04) == 1.0


def test_a_finished_strategy_ends_the_run_with_its_reason():
    trainer = trained(Budget(generations=50), Walk(ends_after=4))
    assert (trainer.stopped_by, trainer.step_count) == ("tired", 4)


@pytest.mark.parametrize(
    "budget", [Budget(generations=20), Budget(generations=20, learned=1.0, tolerance=0.0)]
)
def test_a_resumed_run_equals_one_that_was_not_stopped_in_every_bit(tmp_path, budget):
    whole = trained(budget)
    path = tmp_path / "checkpoint.npz"
    parts = Trainer(Walk(), problem(), seed=0, budget=budget)
    while not parts.check():
        parts.step()
        parts.check()
        save_tree(path, parts.state())
        parts = Trainer(Walk(), problem(), seed=99, budget=budget, state=load_tree(path))
    wanted, got = whole.state(), parts.state()
    for timing in ("seconds", "meter"):
        wanted.pop(timing), got.pop(timing)
    assert tree_bytes(got) == tree_bytes(wanted)
    for name in ("work", "steps_forward", "steps_backward", "evaluations"):
        assert getattr(parts.problem.meter, name) == getattr(whole.problem.meter, name)


def test_a_finished_run_continues_with_a_larger_budget(tmp_path):
    first = trained(Budget(generations=5))
    save_tree(tmp_path / "checkpoint.npz", first.state())
    longer = trained(Budget(generations=12), state=load_tree(tmp_path / "checkpoint.npz"))
    assert longer.history == trained(Budget(generations=12)).history


def test_same_seed_same_history_other_seed_another():
    histories = [trained(Budget(generations=5), seed=seed).history for seed in (3, 3, 4)]
    assert histories[0] == histories[1] != histories[2]


def test_callbacks_see_every_step():
    seen = []
    trainer = trained(Budget(generations=6), Walk(hides=2), callbacks=[seen.append])
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5, 6]
    assert [progress.work for progress in seen] == trainer.history["work"]
    assert [progress.extra for progress in seen] == [{"stride": 0.3}] * 6
    assert [math.isinf(progress.valid_loss) for progress in seen] == [True, True] + [False] * 4
    assert seen[-1].best_loss == min(progress.valid_loss for progress in seen) == trainer.best_valid


@pytest.mark.parametrize(("reason", "by"), [((), "callback"), (("enough",), "enough")])
def test_a_callback_may_stop_the_run(reason, by):
    def stop(progress):
        if progress.step == 3:
            raise StopTraining(*reason)

    trainer = trained(Budget(generations=10), callbacks=[stop])
    assert (trainer.stopped_by, trainer.step_count) == (by, 3)


@pytest.mark.parametrize("network", [{"cell": "ng-rc"}, "gru", None, Network])
def test_what_is_no_network_is_refused_by_its_type(network):
    with pytest.raises(ConfigError, match=r"network: expected an evorrn\.Network"):
        fit(Walk(), network, batch(), budget="2gen")


@pytest.mark.parametrize("callbacks", [3, [3], print])
def test_callbacks_that_are_none_are_refused_before_anything_runs(callbacks):
    with pytest.raises(ConfigError, match="callbacks: expected a list of functions"):
        fit(Walk(), LinearNetwork(), batch(), budget="2gen", callbacks=callbacks)


def test_other_errors_of_a_callback_are_raised():
    with pytest.raises(ZeroDivisionError):
        trained(Budget(generations=3), callbacks=[lambda progress: 1 / 0])


def test_validation_chooses_the_genome_not_the_last_step():
    class Overfit(Walk):
        """Offers the truth, then something worse that claims a better training loss."""

        def step(self, problem, state):
            steps = state["steps"] + 1
            genome = TRUTH if steps == 2 else TRUTH + steps
            return {**state, "steps": steps, "candidate": genome, "train_loss": 1.0 / steps}

    trainer = trained(Budget(generations=5), Overfit())
    np.testing.assert_array_equal(trainer.best_genome, TRUTH)
    assert trainer.best_valid == 0.0
    assert trainer.best_train == 0.2


def test_divergence_is_recorded_and_raises_nothing():
    class Diverging(Walk):
        def step(self, problem, state):
            steps = state["steps"] + 1
            genome = np.full(3, np.nan) if steps != 3 else TRUTH
            return {**state, "steps": steps, "candidate": genome, "train_loss": math.nan}

    first = trained(Budget(generations=2), Diverging())
    assert np.isnan(first.best_genome).all() and first.best_valid == math.inf == first.best_train
    later = trained(Budget(generations=5), Diverging())
    np.testing.assert_array_equal(later.best_genome, TRUTH)


def test_of_candidates_that_all_diverge_on_validation_the_one_of_least_training_loss_is_kept(tmp_path):
    class Diverging(Walk):
        def step(self, problem, state):
            steps = state["steps"] + 1
            genome = np.array([np.nan, steps, 0.0])
            return {
                **state,
                "steps": steps,
                "candidate": genome,
                "train_loss": [3.0, math.nan, 1.0, 2.0][steps - 1],
            }

    assert trained(Budget(generations=4), Diverging()).best_genome[1] == 3
    part = trained(Budget(generations=2), Diverging())
    assert part.best_genome[1] == 1
    save_tree(tmp_path / "checkpoint.npz", part.state())
    again = trained(Budget(generations=4), Diverging(), state=load_tree(tmp_path / "checkpoint.npz"))
    assert again.best_genome[1] == 3 and again.best_valid == math.inf


def test_without_a_candidate_there_are_no_scores_and_a_note_says_why():
    """Units that double what they hold diverge; the untrained network that stood in for them was scored as their result."""
    network = Network(1, 1, cell="leaky", cell_options={"activation": "identity"}, hidden=5, dtype="float64")
    ones = Batch(np.ones((1, 2000, 1)), np.ones((1, 2000, 1)))
    result = EchoState(reservoirs=2, spectral_radius=2.0, leak=1.0).fit(network, (ones, ones, ones))
    assert np.isinf(result.history["train_loss"]).all()
    assert all(np.isnan(list(values.values())).all() for values in result.metrics.values())
    assert "nothing was learned" in str(result)
    sound = EchoState(reservoirs=1, spectral_radius=0.5).fit(network, (ones, ones, ones))
    assert NOTHING_LEARNED not in sound.notes and sound.metrics["test"]["rmse"] < 0.1


def test_the_result_has_the_numeric_cell_options_of_its_genome(tmp_path):
    class Tuned(Walk):
        """The truth belongs to a network of gain 2."""

        def step(self, problem, state):
            steps = state["steps"] + 1
            return {
                **state,
                "steps": steps,
                "candidate": TRUTH / 2,
                "train_loss": 0.0,
                "cell_options": {"gain": float(steps)},
            }

    trainer = trained(Budget(generations=4), Tuned())
    assert trainer.best_valid == 0.0 and trainer.best_options == {"gain": 2.0}
    assert trainer.best_network().gain == 2.0
    save_tree(tmp_path / "checkpoint.npz", trainer.state())
    again = trained(Budget(generations=4), Tuned(), state=load_tree(tmp_path / "checkpoint.npz"))
    assert again.best_network().gain == 2.0


def test_a_problem_must_provide_what_the_strategy_needs():
    blind = problem()
    blind.provides = frozenset({"fitness"})
    needy = Walk()
    object.__setattr__(needy, "requires", frozenset({"fitness", "gradient", "targets"}))
    with pytest.raises(ConfigError, match="strategy walk: needs a problem that provides gradient, targets"):
        Trainer(needy, blind, seed=0, budget=Budget(generations=1))


def test_fit_scores_all_splits_that_exist():
    network = LinearNetwork()
    result = fit(Walk(), network, (batch(0), batch(1), batch(2)), budget="400gen")
    assert set(result.metrics) == {"train", "valid", "test"}
    truth = batch(2).targets[:, :, 0]
    error = network.predict(result.genome, batch(2).inputs)[:, :, 0] - truth
    assert result.metrics["test"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert result.metrics["test"]["nrmse_std"] == pytest.approx(np.sqrt(np.mean(error**2)) / truth.std())
    assert result.metrics["test"]["nrmse_std"] < 0.2
    lengths = {len(column) for column in result.history.values()}
    assert lengths == {400} and len(result.seconds) == 400
    assert set(fit(Walk(), network, batch(0), budget="1gen").metrics) == {"train"}


def test_a_result_is_printed_in_a_few_lines():
    result = fit(Walk(), LinearNetwork(), (batch(0), batch(1), batch(2)), budget="12gen")
    lines = repr(result).splitlines()
    assert lines[0] == f"Result of {result.network}" and "12 steps" in lines[1] and len(lines) == 5
    assert all(len(line) < 120 for line in lines) and lines[4].startswith("  test: ")


def test_fit_needs_a_budget_if_the_strategy_does_not_end():
    with pytest.raises(ConfigError, match="has no end of its own"):
        fit(Walk(), LinearNetwork(), batch(0))
    with pytest.raises(ConfigError, match="has no end of its own"):
        fit(Walk(), LinearNetwork(), batch(0), budget=Budget())


def test_fit_takes_batches():
    one = batch(0)
    assert as_splits(one) == Splits(one, None, None)
    assert as_splits([one, one]) == Splits(one, one, None)
    for junk in ([], [one] * 4, [one, "test"]):
        with pytest.raises(ConfigError, match="one to three Batch"):
            as_splits(junk)


def test_a_horizon_of_one_is_detected_from_the_data():
    series = np.random.default_rng(0).standard_normal((2, 6, 2))
    ahead = Batch(series[:, :-1], series[:, 1:, :1])
    assert detect_horizon(ahead) == 1
    assert detect_horizon(Batch(series[:, :-2], series[:, 2:, :1])) is None
    assert detect_horizon(Batch(series, np.zeros((2, 6), dtype=int))) is None


def test_scores_are_taken_over_scored_steps():
    x = np.zeros((1, 3, 2))
    data = Batch(x, np.array([[[1.0], [2.0], [5.0]]]), mask=[[False, True, True]])
    got = score(np.array([[[9.0], [2.5], [5.5]]]), data, ("rmse", "nrmse_range"), None)
    assert got == {"rmse": 0.5, "nrmse_range": pytest.approx(0.5 / 3)}
    labels = Batch(x, np.array([[0, 1, 1]]))
    logits = np.array([[[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]])
    assert score(logits, labels, ("accuracy",), None)["accuracy"] == pytest.approx(2 / 3)


def test_test_data_that_do_not_fit_raise_an_error_before_training():
    wrong = Batch(np.zeros((1, 2, 3)), np.zeros((1, 2, 1)))
    steps = []
    with pytest.raises(ShapeError):
        fit(Walk(), Network(2, 1), (batch(0), batch(0), wrong), budget="3gen", callbacks=[steps.append])
    assert not steps


@pytest.mark.parametrize("seed", [-1, "a"])
def test_wrong_seeds_raise_errors(seed):
    with pytest.raises(ConfigError, match="seed: expected"):
        fit(Walk(), LinearNetwork(), batch(0), seed=seed, budget="1gen")


def test_binary_classes_are_learned_when_logits_have_their_sign():
    network = LinearNetwork()
    network.loss_function = find_loss("binary-cross-entropy")
    classes = (network.predict(TRUTH, batch(0).inputs) > 0).astype(float)
    classes[0, 0] = 1 - classes[0, 0]
    assert Problem(network, Batch(batch(0).inputs, classes)).learned(TRUTH, 0.04) == 0.75


@pytest.mark.parametrize("loss", ["cross-entropy", "binary-cross-entropy", "mse"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_network_has_learned_nothing(loss, bad):
    """Outputs that are all NaN look like class 0; a run must not stop because it has learned that."""
    network = Network(1, 2, hidden=2, loss=loss)
    targets = np.zeros((4, 3), int) if loss == "cross-entropy" else np.zeros((4, 3, 2))
    genome = np.zeros(network.size)
    genome[-2:] = [1e-3, -1e-3] if loss == "cross-entropy" else -1e-3
    data = Batch(np.zeros((4, 3, 1)), targets)
    assert Problem(network, data).learned(genome, 0.04) == 1.0
    genome[-1] = bad
    assert Problem(network, data).learned(genome, 0.04) == 0.0
