"""Networks that are chosen and judged as generators: free runs as a setting of fits and of tasks made of files."""

import numpy as np
import pytest

import evorrn
from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError, DataError
from evorrn.testing import check_task


def part(start, known, ahead, sequences=1):
    """Return sums of two sines, known for some steps and scored afterwards."""
    time = np.arange(start, start + known + ahead + 1) + 50.0 * np.arange(sequences)[:, None]
    wave = (np.sin(0.3 * time) + np.sin(0.17 * time))[:, :, None]
    mask = np.tile(np.arange(known + ahead) >= known, (sequences, 1))
    return Batch(wave[:, :-1], wave[:, 1:], mask=mask)


def network():
    return Network(1, 1, cell="leaky", hidden=30, direct=True, dtype="float64")


def test_a_fit_with_free_run_chooses_and_scores_by_the_closed_loop():
    data = part(0, 50, 400), part(500, 60, 84, 2), part(900, 60, 84, 3)
    result = EchoState(reservoirs=3).fit(network(), data, seed=0, free_run=True)
    batch, free = data[1], np.full(2, 60)
    closed = result.network.loss(result.genome, batch, free_from=free)
    assert closed == pytest.approx(result.history["valid_loss"].min())
    x, outputs = batch.inputs.copy(), None
    for step in range(60, 144):  # its own last outputs as inputs, one step after the other
        outputs = result.network.predict(result.genome, x)
        if step + 1 < 144:
            x[:, step + 1] = outputs[:, step]
        x[:, step] = outputs[:, step - 1]
    outputs = result.network.predict(result.genome, x)
    assert np.mean((outputs - batch.targets)[:, 60:] ** 2) == pytest.approx(closed, rel=1e-6)
    assert {"valid_time", "nrmse84"} <= set(result.metrics["test"]) and "nrmse84" not in result.metrics[
        "train"
    ]
    taught = EchoState(reservoirs=3).fit(network(), data, seed=0)
    assert "valid_time" not in taught.metrics["test"]
    assert taught.history["valid_loss"].min() < result.history["valid_loss"].min()


def test_a_fit_can_also_refuse_the_free_run_of_its_task():
    task = evorrn.task("sines", waves=2)
    shown = [
        EchoState(reservoirs=1).fit(network(), task, seed=0, free_run=free).metrics["test"]["nrmse_std"]
        for free in (None, True, False)
    ]
    assert shown[0] == shown[1] != shown[2]


def test_a_free_run_of_data_that_do_not_continue_themselves_is_refused():
    rng = np.random.default_rng(0)
    noise = Batch(rng.normal(size=(1, 30, 1)), rng.normal(size=(1, 30, 1)))
    with pytest.raises(ConfigError, match="free_run: expected data whose targets are the first inputs"):
        EchoState(reservoirs=1).fit(network(), noise, free_run=True)
    with pytest.raises(ConfigError, match="free_run: expected sequences"):
        environment = evorrn.task("cart-pole")
        evorrn.RandomSearch().fit(Network.for_task(environment), environment, budget="1gen", free_run=True)


def test_a_table_is_judged_by_free_runs_when_its_setting_says_so(tmp_path):
    wave = np.sin(0.3 * np.arange(400)) + np.sin(0.17 * np.arange(400))
    path = tmp_path / "wave.csv"
    path.write_text("load\n" + "\n".join(f"{value:.8f}" for value in wave))
    task = evorrn.task("csv", path=str(path), free_run=True)
    check_task(task)
    splits = task.data(0)
    assert set(task.baselines(splits)) and task.comparators(splits, []) == {}
    result = EchoState(reservoirs=2).fit(network(), task, seed=0)
    free = result.network.loss(result.genome, splits.valid, free_from=splits.valid.scored.argmax(axis=1))
    assert result.history["valid_loss"].min() == pytest.approx(free)
    assert "free_run" not in evorrn.task("csv", path=str(path)).stored_values()
    with pytest.raises(ConfigError, match="free_run: expected the horizon 1 and a washout, got 2"):
        evorrn.task("csv", path=str(path), free_run=True, horizon=2)


def test_sequences_of_a_file_are_judged_by_free_runs_when_its_setting_says_so(tmp_path):
    batch = part(0, 30, 60, 9)
    path = tmp_path / "waves.npz"
    np.savez(path, inputs=batch.inputs, targets=batch.targets, mask=batch.mask)
    task = evorrn.task("npz", path=str(path), free_run=True)
    check_task(task)
    result = EchoState(reservoirs=2).fit(network(), task, seed=0)
    valid = task.data(0).valid
    free = result.network.loss(result.genome, valid, free_from=valid.scored.argmax(axis=1))
    assert result.history["valid_loss"].min() == pytest.approx(free)
    np.savez(path, inputs=batch.inputs, targets=batch.targets)
    with pytest.raises(DataError, match="free_run: expected targets that are the first inputs"):
        evorrn.task("npz", path=str(path), free_run=True).data(0)


def test_a_result_says_that_a_bidirectional_network_sees_the_inputs_that_it_predicts():
    data, rng = part(0, 50, 40), np.random.default_rng(0)
    both = Network(1, 1, cell="leaky", hidden=5, bidirectional=True)
    result = EchoState(reservoirs=1).fit(both, data, seed=0)
    assert any("sees the later inputs" in note for note in result.notes) and "later inputs" in repr(result)
    other = Batch(data.inputs, rng.normal(size=data.targets.shape))
    for network_, batch in ((both, other), (network(), data)):
        notes = EchoState(reservoirs=1).fit(network_, batch, seed=0).notes
        assert not any("later inputs" in note for note in notes)
