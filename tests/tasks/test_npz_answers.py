"""NPZ: answers of their own length, which an encoder-decoder writes, to symbols, series and single vectors."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError, EvorrnError
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve
from evorrn.testing import check_task

RNG = np.random.default_rng(0)
ROWS, NUMBERS = RNG.integers(2, 6, (30, 4)), RNG.integers(0, 5, 30)
KINDS = {
    "symbols": RNG.integers(0, 5, (30, 7)),
    "series": RNG.normal(3, 2, (30, 7, 2)),
    "vectors": RNG.normal(3, 2, (30, 3)),
}


def saved(tmp_path, kind, **more):
    path = tmp_path / "data.npz"
    np.savez(path, inputs=KINDS[kind], targets=ROWS, target_lengths=NUMBERS, **more)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_written_from_each_kind_of_inputs(tmp_path, kind):
    task = evorrn.task("npz", path=saved(tmp_path, kind), start=0, stop=1)
    check_task(task)
    assert (task.loss, task.metrics[0], task.outputs) == ("cross-entropy", "token_accuracy", 6)
    splits = task.data(0)
    assert np.array_equal(splits.test.targets, np.where(np.arange(4) < NUMBERS[26:, None], ROWS[26:], 0))
    if kind == "symbols":
        assert np.array_equal(splits.test.inputs, KINDS[kind][26:])
    else:
        assert np.allclose(splits.scaling.restore_inputs(splits.test.inputs), KINDS[kind][26:])
    assert task.baselines(splits)["most common answer"][0].tolist() == []


def test_such_a_file_runs_from_a_spec(tmp_path):
    raw = {"task": {"name": saved(tmp_path, "vectors"), "start": 0, "stop": 1}, "strategy": {"name": "bptt"}}
    run = execute(resolve({**raw, "budget": "1gen"}), tmp_path / "runs")
    assert run.status == "complete" and "token_accuracy" in run.test
    assert run.result.decode(KINDS["vectors"][:2])


def test_marks_that_do_not_fit_are_refused_in_a_sentence(tmp_path):
    path = saved(tmp_path, "symbols")
    for start, stop in ((0, None), (None, 1), (1, 1)):
        with pytest.raises(ConfigError, match="two different symbols, or none"):
            evorrn.task("npz", path=path, start=start, stop=stop)
    with pytest.raises(EvorrnError, match="expected targets without stop, 3"):
        task = evorrn.task("npz", path=path, start=0, stop=3)
        evorrn.Network.for_task(task).check_batch(task.data(0).train)
    np.savez(path, inputs=KINDS["series"], targets=ROWS)
    with pytest.raises(DataError, match="expected an array target_lengths"):
        evorrn.task("npz", path=path, start=0, stop=1).data(0)
