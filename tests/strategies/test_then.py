"""Then: when the second strategy begins, from what, and that a run stops and resumes."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from stand_in import problem
from tiny import WALK, WAVE

from evorrn import (
    BPTT,
    ESP,
    SNES,
    Batch,
    Budget,
    EchoState,
    GeneticAlgorithm,
    Network,
    RandomSearch,
    Then,
)
from evorrn.base.errors import ConfigError
from evorrn.base.settings import build
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.typed import override
from evorrn.strategies.base import Strategy
from evorrn.strategies.find import make_strategy
from evorrn.testing import check_strategy
from evorrn.training.loop import train
from evorrn.training.trainer import Trainer


def stages(strategy, budget, made=problem):
    """Run to the end of a budget; return the trainer and the stage of every step."""
    trainer = Trainer(strategy, made(), seed=0, budget=Budget.parse(budget))
    train(trainer)
    return trainer, trainer.history["stage"]


# ------------------------------------------------------------------------------------------- when


def test_the_second_takes_over_after_a_share_of_the_budget():
    strategy = Then(RandomSearch(count=5), GeneticAlgorithm(population=6), share=0.3)
    assert stages(strategy, "10gen")[1] == [1] * 3 + [2] * 7
    _, evaluations = stages(strategy, "100eval")
    assert evaluations.count(1) == 6  # 30 of 100
    trainer, by_work = stages(strategy, "4k")
    first = by_work.index(2)
    work = [0, *trainer.history["work"]]
    assert work[first - 1] < 0.3 * 4000 <= work[first]


def test_or_after_a_number_of_steps():
    strategy = Then(RandomSearch(count=5), GeneticAlgorithm(population=6), steps=4)
    assert stages(strategy, "20gen")[1] == [1] * 4 + [2] * 16
    assert stages(Then(RandomSearch(), SNES(), steps=4, share=None), "6gen")[1] == [1] * 4 + [2] * 2
    made = problem()  # a problem without a budget
    state = strategy.start(made, np.random.default_rng(0))
    for _ in range(6):
        state = strategy.step(made, state)
    assert state["stage"] == 2 and state["stage_steps"] == 2


def test_or_when_the_first_has_nothing_left_to_do():
    series = np.sin(np.arange(41) / 3).reshape(1, -1, 1)
    data = Batch(series[:, :-1], series[:, 1:])
    network = Network(1, 1, cell="leaky", hidden=4, direct=True, dtype="float64")
    strategy = Then(EchoState(reservoirs=2, links=2), BPTT(patience=2, restarts=0), share=None)
    assert strategy.ends_by_itself
    result = strategy.fit(network, data, seed=0)
    assert result.history["stage"].tolist()[:3] == [1, 1, 2]
    assert result.stopped_by == "early stopping"


# -------------------------------------------------------------------------------------- from what


class Listening(SNES):
    """Records where it started."""

    heard: list = []  # noqa: RUF012

    def begin(self, start, rng):
        self.heard.append(start.point)
        return super().begin(start, rng)


def test_the_second_starts_from_what_was_best_on_validation():
    Listening.heard.clear()
    trainer = Trainer(
        Then(GeneticAlgorithm(population=10), Listening(), steps=5, share=None),
        problem(),
        seed=1,
        budget=Budget(generations=5),
    )
    train(trainer)
    best = trainer.best_genome
    trainer.budget = Budget(generations=6)
    train(trainer)
    np.testing.assert_array_equal(Listening.heard, [best])


def test_a_population_contains_it_and_other_individuals():
    made = problem().starting_from(np.arange(3.0))
    genomes = made.init(np.random.default_rng(0), 4)
    np.testing.assert_array_equal(genomes[0], np.arange(3.0))
    np.testing.assert_array_equal(genomes[1:], problem().init(np.random.default_rng(0), 4)[1:])


def test_what_the_first_drew_for_the_cell_is_kept():
    series = np.sin(np.arange(81) / 3).reshape(1, -1, 1)
    data = Batch(series[:, :-1], series[:, 1:])
    network = Network(1, 1, cell="leaky", hidden=4, direct=True, dtype="float64")
    strategy = Then(EchoState(leak=0.77, links=2), BPTT(rate=1e-9, optimiser="sgd"), steps=1)
    result = strategy.fit(network, data, seed=0, budget="3gen")
    assert result.network.cell_options["leak"] == 0.77
    losses = result.history["valid_loss"]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-3)  # steps of rate near 0 stay at the best network


def test_a_population_is_recorded_while_there_is_one():
    strategy = Then(GeneticAlgorithm(population=6), RandomSearch(), steps=3, share=None)
    made = problem()
    trainer = Trainer(strategy, made, seed=0, budget=Budget(generations=3))
    train(trainer)
    record = trainer.history
    assert {f"step_size.{block}" for block in made.network.blocks} <= set(record)
    assert np.isfinite([record[name] for name in ("fitness_best", "fitness_low", "diversity")]).all()
    mixed, stage = stages(Then(RandomSearch(), SNES(), steps=2), "5gen")
    assert stage == [1, 1, 2, 2, 2]
    assert np.isfinite(mixed.history["diversity"]).tolist() == [False, False, True, True, True]
    assert "diversity" not in stages(Then(RandomSearch(), RandomSearch(), steps=1), "2gen")[0].history


def test_gradients_after_evolution_improve_on_it():
    time = np.arange(121)
    series = ((np.sin(0.3 * time) + np.sin(0.53 * time)) / 2).reshape(1, -1, 1)
    data = Batch(series[:, :-1], series[:, 1:])
    network = Network(1, 1, cell="elman", hidden=4)
    strategy = Then(GeneticAlgorithm(), BPTT(), steps=20)
    result = strategy.fit(network, data, seed=0, budget="60gen")
    losses, at = result.history["valid_loss"], result.history["stage"].tolist().index(2)
    assert losses[at] < 2 * losses[at - 1]  # it begins where the first one ended
    assert losses[at:].min() < 0.5 * losses[:at].min()


# ----------------------------------------------------------------------------------------- promises


@pytest.mark.parametrize(
    "strategy",
    [
        Then(),
        Then(SNES(), ESP(population=4, trials=2), steps=2),
        Then("bptt", Then("random", "ga", steps=1), steps=1),
    ],
    ids=["ga then bptt", "snes then esp", "three"],
)
def test_the_contract_is_kept(strategy):
    check_strategy(strategy)


def test_validation_is_charged_once():
    """The validation of a candidate is charged once, in the strategy or the training loop."""
    made, strategy, judged = problem(), Then(RandomSearch(count=5), BPTT(), share=None, steps=99), []
    whole = made._validation_loss
    made._validation_loss = lambda genome: judged.append(genome.tobytes()) or whole(genome)
    train(Trainer(strategy, made, seed=0, budget=Budget(generations=20)))
    assert 1 < len(judged) == len(set(judged))


def test_it_comes_from_a_spec_and_goes_back(tmp_path):
    raw = {
        "budget": "9gen",
        "task": {"name": WAVE},
        "strategy": {
            "name": "then",
            "first": {"name": "ga", "population": 4},
            "second": {"name": "bptt", "rate": 0.1},
            "steps": 3,
        },
    }
    spec = resolve(raw)
    assert spec.strategy == Then(GeneticAlgorithm(population=4), BPTT(rate=0.1), steps=3)
    (tmp_path / "spec.toml").write_text(spec.toml())
    from evorrn.lab.runs.typed import read

    again = resolve(read(tmp_path / "spec.toml"))
    assert again.id == spec.id and again.strategy == spec.strategy
    typed = override(
        {**raw, "strategy": {"name": "then"}}, ["strategy.first.population=4", "strategy.second=esn"]
    )
    assert resolve(typed).strategy == Then(GeneticAlgorithm(population=4), "esn")


def test_what_it_needs_is_what_both_need():
    assert Then().requires == {"fitness", "gradient"}
    assert Then("esn", "ga").requires == {"states", "targets", "fitness"}
    assert Then("ga", "esn").network_defaults == EchoState.network_defaults
    assert build(Then, Then("esn", "ga").values(), "strategy") == Then("esn", "ga")
    assert isinstance(make_strategy("then", {}), Strategy)


def test_every_mistake_is_named_with_its_place():
    with pytest.raises(ConfigError) as error:
        make_strategy(
            "then", {"first": {"name": "ga", "populatoin": 3}, "second": "bptr", "share": 1.5, "step": 3}
        )
    text = str(error.value)
    assert "strategy.first.populatoin: unknown setting 'populatoin'; did you mean 'population'" in text
    assert "strategy.second.name: unknown strategy 'bptr'; did you mean 'bptt'" in text
    assert "strategy.share: expected a value < 1, got 1.5" in text
    assert "strategy.step: unknown setting 'step'; did you mean 'steps'" in text
    with pytest.raises(ConfigError, match="first: expected"):
        Then(3, BPTT())


def test_a_strategy_of_a_file_inside_then_is_stored_so_that_it_is_found_again(tmp_path):
    """As a table and as an object; its file is part of the spec's hash, as one outside of `then` is."""
    given = {"name": "then", "first": {"name": WALK, "size": 0.1}, "second": {"name": "ga", "population": 8}}
    spec = resolve({"budget": "4gen", "task": {"name": WAVE}, "strategy": given})
    assert (
        spec.content["strategy"]["first"]["name"] == WALK and "strategy.first.name" in spec.content["files"]
    )
    again = resolve(tomllib.loads(spec.toml()))
    assert again.id == spec.id and again.strategy == spec.strategy
    assert type(spec.strategy.first).name == "walk" and spec.strategy.first.size == 0.1
    copy = tmp_path / "moved.py"
    copy.write_text(Path(WALK.rpartition(":")[0]).read_text())
    given["first"] = {
        **given["first"],
        "name": "moved.py:Walk",
    }  # the same content at another, relative place
    moved = resolve({"budget": "4gen", "task": {"name": WAVE}, "strategy": given}, tmp_path)
    assert moved.id == spec.id and moved.content["strategy"]["first"]["name"] == f"{copy}:Walk"
    copy.write_text(copy.read_text() + "\n# another\n")
    assert resolve({"budget": "4gen", "task": {"name": WAVE}, "strategy": given}, tmp_path).id != spec.id
