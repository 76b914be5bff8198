"""Runs of encoder-decoders: scores of their answers, files, strategies, and specs."""

import echoing
import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.data.label_metrics import evaluate_sequences
from evorrn.kernels.threads import get_threads
from evorrn.lab.automaton import automaton_of
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve, resolve_stored
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.study.diagnosis import diagnose
from evorrn.lab.sweep.known import known_settings
from evorrn.testing import check_task
from evorrn.training.trainer import Trainer

TASK = echoing.Backwards()


def network(**changed):
    return evorrn.Network.for_task(TASK, **{**echoing.NETWORK, **changed})


def test_metrics_and_predictions_are_those_of_the_decoded_answers():
    result = evorrn.BPTT(rate=0.02).fit(network(), TASK, budget="12gen")
    test = TASK.data(0).test
    answers = result.network.decode(result.genome, test.inputs, test.lengths, steps=4)
    true = evaluate_sequences(["exact_match", "token_accuracy", "edit_distance"], answers, test.rows)
    true["cross_entropy"] = result.network.loss(result.genome, test)
    assert result.metrics["test"] == pytest.approx(true)
    assert result.history["train_loss"][-1] < result.history["train_loss"][0]
    kept = result.predictions
    rows = [row[:count].tolist() for row, count in zip(kept["tokens"], kept["token_lengths"])]
    assert rows == [row.tolist() for row in answers]


def test_work_and_steps_count_encoder_and_decoder():
    batch = evorrn.Batch(np.zeros((2, 3), int), [[2, 2], [3, 0]], lengths=[3, 1], target_lengths=[2, 1])
    problem = evorrn.Problem(network(), batch)
    problem.loss_and_gradient(problem.init(np.random.default_rng(0), 1)[0])
    assert problem.meter.steps_forward == problem.meter.steps_backward == 4 + 3 + 2
    assert problem.meter.work > 9 * 12 * 12 * 3


@pytest.mark.parametrize(
    "strategy", [evorrn.GeneticAlgorithm(population=8), evorrn.CMAES(), evorrn.BPTT()], ids=lambda s: s.name
)
def test_every_strategy_of_losses_and_gradients_trains_it_with_the_same_bytes(strategy, tmp_path):
    made = network(encoder={"hidden": 3}, decoder={"hidden": 3})
    whole = strategy.fit(made, TASK, budget="4gen")
    assert np.isfinite(whole.history["valid_loss"]).all()
    again = strategy.fit(made, TASK, budget="4gen")
    assert whole.genome.tobytes() == again.genome.tobytes()
    whole.save(tmp_path)
    loaded = evorrn.load(tmp_path)
    assert loaded.network.settings() == made.settings()
    assert (loaded.genome == whole.genome).all()
    whole.save_model(tmp_path / "model")
    assert evorrn.load_model(tmp_path / "model").network.settings() == made.settings()


@pytest.mark.parametrize(
    "strategy",
    [
        evorrn.EchoState(),
        evorrn.RTRL(),
        evorrn.EKF(),
        evorrn.HessianFree(),
        evorrn.BPTT(window=2),
        evorrn.Evolino(),
        evorrn.NGRC(),
        evorrn.FORCE(),
        evorrn.Chunker(),
    ],
    ids=lambda s: s.name,
)
def test_other_strategies_say_what_serves(strategy):
    with pytest.raises(ConfigError, match=r"bptt|leave out window"):
        strategy.fit(network(), TASK, budget="2gen")


def test_a_spec_of_an_encoder_decoder_runs_and_is_read_again(tmp_path):
    table = {
        "kind": "encoder-decoder",
        "embedding": 3,
        "start": 0,
        "stop": 1,
        "encoder": {"cell": "lstm", "hidden": 2, "bidirectional": True},
        "decoder": {"cell": "lstm", "hidden": 4},
    }
    raw = {
        "task": {"name": echoing.BACKWARDS},
        "network": table,
        "strategy": {"name": "bptt"},
        "budget": "2gen",
    }
    spec = resolve(raw)
    assert spec.content["network"]["encoder"]["hidden"] == 2
    assert resolve(spec.content).id == spec.id
    run = execute(spec, tmp_path)
    assert run.status == "complete" and run.result.network.decoder.hidden == (4,)
    arrays = np.load(tmp_path / spec.folder / "predictions.npz")
    assert len(arrays["tokens"]) == len(arrays["token_lengths"]) == 10
    assert evorrn.load(tmp_path / spec.folder).network.settings() == spec.network.settings()
    assert resolve_stored(tmp_path / spec.folder).id == spec.id


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"kind": "encoder"}, "network.kind: expected encoder-decoder"),
        ({"encoder": 3}, "network.encoder: expected a table"),
        ({"hidden": 3}, "network.hidden: an encoder-decoder has two parts; give network.encoder.hidden or"),
        ({"stop": 5}, "network.stop: .* from 0 to 4, got 5"),
        (
            {"decoder": {"hidden": 3, "kell": "gru"}},
            "network.decoder.kell: unknown setting 'kell'; did you mean 'cell'",
        ),
    ],
)
def test_mistakes_in_the_tables_of_a_spec_are_sentences(changed, reason):
    table = {**echoing.NETWORK, **changed}
    with pytest.raises(EvorrnError, match=reason):
        resolve({"task": {"name": echoing.BACKWARDS}, "network": table})


def test_an_encoder_without_its_kind_is_told_what_is_missing():
    with pytest.raises(EvorrnError, match=r'network\.encoder: expected kind = "encoder-decoder" beside it'):
        resolve({"task": {"name": "sunspots"}, "network": {"encoder": {"hidden": 3}}})


def test_mixed_symbols_are_drawn_by_the_decoder_with_the_given_probability():
    rng = np.random.default_rng(0)
    made = network(decoder={"cell": "gru", "hidden": 12}, dtype="float64")
    genome, batch = 3 * made.init(seed=0), TASK.data(0).train
    assert (made.mixed(genome, batch, 0.0, rng) == batch.targets).all()
    many = batch.take(np.repeat(np.arange(40), 50))
    half, all_own = made.mixed(genome, many, 0.5, rng), made.mixed(genome, many, 1.0, rng)
    inside = np.arange(3) < many.target_lengths[:, None]
    assert not np.isin(all_own[inside], (made.start, made.stop)).any()
    assert (half[~inside] == made.start).all()
    logits = made.predict(genome, many.inputs, lengths=many.lengths, teacher=all_own)[:, :, 2:]
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    expected = [shares[:, place][inside[:, place]].mean(axis=0) for place in range(3)]
    drawn = [np.bincount(all_own[inside[:, place], place] - 2, minlength=3) for place in range(3)]
    for mean, counts in zip(expected, drawn):
        np.testing.assert_allclose(counts / counts.sum(), mean, atol=0.05)
    changed, whole = (float((rows != many.targets)[inside].mean()) for rows in (half, all_own))
    assert changed == pytest.approx(whole / 2, abs=0.05)


def test_the_gradient_with_own_symbols_takes_them_as_given():
    made = network(dtype="float64")
    rng, batch = np.random.default_rng(1), TASK.data(0).train
    genome = made.init(seed=0)
    seen = made.mixed(genome, batch, 0.7, np.random.default_rng(5))
    loss, gradient = evorrn.Problem(made, batch).sampled_gradient(genome, None, 0.7, np.random.default_rng(5))
    assert loss == made.loss_and_gradient(genome, batch, teacher=seen)[0]
    way = rng.standard_normal(made.size)
    ends = [made.loss_and_gradient(genome + sign * 1e-6 * way, batch, teacher=seen)[0] for sign in (1, -1)]
    assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_scheduled_sampling_grows_as_its_schedule_says_and_repeats_its_bytes():
    made = network()
    shares = {}
    for schedule in ("constant", "linear", "exponential", "inverse-sigmoid"):
        strategy = evorrn.BPTT(sampling=0.5, sampling_schedule=schedule, sampling_epochs=2)
        result = strategy.fit(made, TASK, budget="4gen")
        shares[schedule] = result.history["own_symbols"].tolist()
    assert shares["constant"] == [0.5] * 4
    assert shares["linear"] == [0.0, 0.25, 0.5, 0.5]
    assert shares["exponential"] == pytest.approx([0, 0.5 * (1 - 0.5**0.5), 0.25, 0.5 * (1 - 0.5**1.5)])
    assert shares["inverse-sigmoid"] == pytest.approx([0.5 / (1 + 2 * np.exp(-k / 2)) for k in range(4)])
    assert strategy.fit(made, TASK, budget="4gen").genome.tobytes() == result.genome.tobytes()


def test_sampling_needs_an_encoder_decoder_and_leaves_old_specs_as_they_are():
    batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
    with pytest.raises(ConfigError, match=r"strategy\.sampling: expected 0, .* needs an encoder-decoder"):
        evorrn.BPTT(sampling=0.5).fit(evorrn.Network(1, 1, hidden=2), batch, budget="1gen")
    assert "sampling" not in str(evorrn.BPTT().stored_table())


@pytest.mark.parametrize("strategy", [evorrn.GeneticAlgorithm(population=8), evorrn.BPTT(sampling=0.4)])
def test_a_run_that_was_stopped_goes_on_with_the_same_bytes(strategy):
    def trainer(state=None):
        splits = TASK.data(0)
        problem = evorrn.Problem(network(), splits.train, splits.valid)
        budget = evorrn.Budget(generations=4)
        return Trainer(strategy, problem, seed=3, budget=budget, state=state)

    whole, first = trainer(), trainer()
    for _ in range(4):
        whole.step()
    first.step()
    first.step()
    second = trainer(first.state())
    second.step()
    second.step()
    assert second.best_genome.tobytes() == whole.best_genome.tobytes()
    assert second.history["work"] == whole.history["work"]
    assert second.history["train_loss"] == whole.history["train_loss"]


def test_bytes_do_not_depend_on_threads():
    made = network(
        encoder={"cell": "lstm", "hidden": 5, "bidirectional": True}, decoder={"cell": "lstm", "hidden": 10}
    )
    rng = np.random.default_rng(0)
    x, lengths = rng.standard_normal((97, 8, 3)), rng.integers(1, 9, 97)
    batch = evorrn.Batch(
        x, rng.integers(2, 5, (97, 6)), lengths=lengths, target_lengths=rng.integers(0, 7, 97)
    )
    genomes = made.init_many(rng, 7)
    found = []
    before = get_threads()
    try:
        for count in (1, 2):
            evorrn.set_threads(count)
            _, gradient = made.loss_and_gradient(genomes[0], batch)
            fitness = made.fitness(genomes, batch)
            logits = made.predict(genomes[0], x, lengths=lengths, steps=4)
            found.append((gradient.tobytes(), fitness.tobytes(), logits.tobytes()))
    finally:
        evorrn.set_threads(before)
    assert found[0] == found[1]


def test_genomes_that_are_not_finite_have_no_fitness_and_still_answer():
    made, batch = network(), TASK.data(0).test
    genomes = np.stack([made.init(seed=0), np.full(made.size, np.nan), np.full(made.size, 1e38)])
    fitness = made.fitness(genomes, batch)
    assert np.isfinite(fitness[0]) and fitness[1] == -np.inf
    for genome in genomes[1:]:
        for beam in (1, 3):
            rows = made.decode(genome, batch.inputs, batch.lengths, steps=3, beam=beam)
            assert all(len(row) <= 3 and made.start not in row for row in rows)
    result = evorrn.RandomSearch().fit(made, TASK, budget="1gen")
    assert np.isfinite(result.metrics["test"]["cross_entropy"])


def test_a_forecast_diagnosis_and_automaton_need_a_network_of_one_time_step(tmp_path):
    raw = {"task": {"name": echoing.BACKWARDS}, "budget": "1gen", "strategy": {"name": "bptt"}}
    run = execute(resolve({**raw, "network": echoing.NETWORK}), tmp_path)
    folder = RunFolder(tmp_path / run.spec.folder)
    with pytest.raises(EvorrnError, match="what is measured is of one time step"):
        diagnose(folder, run.result)
    with pytest.raises(EvorrnError, match="expected a network with one time step"):
        automaton_of(folder)
    with pytest.raises(EvorrnError, match="forecast: this network needs"):
        run.result.forecast(np.ones((4, 3)), 2)


@pytest.mark.parametrize("setting", ["input_noise", "input_dropout"])
def test_symbols_take_neither_noise_nor_dropout(setting):
    with pytest.raises(ConfigError, match="the inputs are symbols"):
        evorrn.BPTT(**{setting: 0.1}).fit(network(), TASK, budget="1gen")


def test_a_task_of_answers_keeps_the_contract_of_tasks():
    check_task(TASK)


def test_a_sweep_has_axes_in_the_parts_of_an_encoder_decoder(tmp_path):
    found = []
    base = {"task.name": echoing.BACKWARDS, "strategy.name": "bptt"}
    known = known_settings(base, {"network.encoder.hidden": [3, 4]}, tmp_path, found)
    names = ("kind", "start", "stop", "encoder.hidden", "encoder.bidirectional", "decoder.cell")
    assert not found and {f"network.{name}" for name in names} <= set(known)
    assert "network.decoder.bidirectional" not in known


def test_what_is_learned_is_the_share_of_answers_without_a_mistake():
    result = evorrn.BPTT(rate=0.02).fit(network(), TASK, budget=evorrn.Budget(learned=0.3, generations=60))
    assert result.stopped_by == "learned"
    train = TASK.data(0).train
    problem = evorrn.Problem(result.network, train)
    rows = result.network.decode(result.genome, train.inputs, train.lengths, steps=4)
    right = np.mean([np.array_equal(*pair) for pair in zip(rows, train.rows)])
    assert problem.learned(result.genome, 0.1) == pytest.approx(right)


def test_an_unknown_kind_of_network_is_told():
    with pytest.raises(EvorrnError, match=r"network\.kind: expected encoder-decoder"):
        resolve({"task": {"name": "sunspots"}, "network": {"kind": "transformer"}})


@pytest.mark.parametrize("kind", ["ctc", "answers"])
def test_a_result_on_whole_sequences_is_drawn(kind):
    pytest.importorskip("matplotlib").use("agg")
    rng = np.random.default_rng(0)
    part = {"cell": "elman", "hidden": 3}
    network = (
        evorrn.Network(2, 3, cell="elman", hidden=3, loss="ctc")
        if kind == "ctc"
        else evorrn.Network.encoder_decoder(2, 5, encoder=part, decoder=part, start=0, stop=1)
    )
    inputs, targets = rng.normal(size=(4, 6, 2)), rng.integers(2 if kind == "answers" else 1, 3, (4, 2))
    batch = evorrn.Batch(inputs, targets, target_lengths=[2, 0, 1, 2])
    result = evorrn.GeneticAlgorithm(population=3).fit(network, (batch, batch, batch), budget="1gen")
    axes = result.plot()
    assert [line.get_label() for line in axes.lines] == ["truth", "prediction"]
    assert np.isfinite(axes.lines[0].get_ydata()).sum() == 5
