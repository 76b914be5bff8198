"""NPZ: every form of arrays that is allowed, and a clear error for every other."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import DataError
from evorrn.testing import check_task

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (20, 7, 2))
Y = np.cumsum(X, axis=1)
LABELS = RNG.integers(0, 3, (20, 7))


def make(tmp_path, compressed=False, settings=None, **arrays):
    path = tmp_path / "data.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return evorrn.task("npz", path=str(path), **(settings or {}))


def restore(splits, batch):
    return splits.scaling.restore_inputs(batch.inputs), splits.scaling.restore_targets(batch.targets)


@pytest.mark.parametrize("compressed", [False, True])
def test_sequences_are_split_in_their_order(tmp_path, compressed):
    task = make(tmp_path, compressed, inputs=X, targets=Y)
    check_task(task)
    splits = task.data(0)
    assert [batch.size for batch in splits] == [14, 3, 3]
    assert (task.loss, task.metrics[0], task.horizon) == ("mse", "nrmse_std", None)
    for batch, span in zip(splits, (slice(0, 14), slice(14, 17), slice(17, 20))):
        inputs, targets = restore(splits, batch)
        assert np.allclose(inputs, X[span]) and np.allclose(targets, Y[span])
    assert np.allclose(splits.scaling.input_mean, X[:14].mean(axis=(0, 1)))
    assert np.allclose(splits.scaling.target_deviation, Y[:14].std(axis=(0, 1)))


@pytest.mark.parametrize("kind", [int, str, bytes])
def test_the_file_can_split(tmp_path, kind):
    numbers = np.array([2, 0, 1, 0] * 5)
    names = np.array(["train", "valid", "test"])[numbers]
    split = {int: numbers, str: names, bytes: names.astype("S")}[kind]
    splits = make(tmp_path, inputs=X, targets=Y, split=split).data(0)
    for batch, number in zip(splits, (0, 1, 2)):
        assert np.allclose(restore(splits, batch)[0], X[numbers == number])


def test_labels_at_every_step(tmp_path):
    task = make(tmp_path, inputs=X, targets=LABELS)
    check_task(task)
    assert (task.loss, task.metrics, task.outputs) == ("cross-entropy", ("accuracy", "cross_entropy"), 3)
    splits = task.data(0)
    assert np.array_equal(splits.test.targets, LABELS[17:])
    logits = task.baselines(splits)["class frequencies"]
    assert np.allclose(np.exp(logits[0, 0]), np.bincount(LABELS[:14].ravel()) / LABELS[:14].size)


def test_one_label_a_sequence_with_lengths(tmp_path):
    lengths = RNG.integers(1, 8, 20)
    inputs = X.copy()
    inputs[np.arange(7) >= lengths[:, None]] = np.nan  # what lies beyond a length has no effect
    task = make(tmp_path, inputs=inputs, targets=LABELS[:, 0], lengths=lengths)
    check_task(task)
    splits = task.data(0)
    assert np.array_equal(splits.train.lengths, lengths[:14])
    assert (splits.train.scored.sum(axis=1) == 1).all()
    assert np.isfinite(splits.train.inputs).all()
    inside = np.arange(7) < lengths[:14, None]
    assert np.allclose(splits.scaling.input_mean, X[:14][inside].mean(axis=0))


def test_masks_and_unscored_targets(tmp_path):
    mask = np.zeros((20, 7), dtype=bool)
    mask[:, -1] = True
    targets = np.where(mask[:, :, None], Y, np.nan)
    splits = make(tmp_path, inputs=X, targets=targets, mask=mask).data(0)
    assert np.array_equal(splits.train.scored, mask[:14])
    assert np.allclose(splits.scaling.target_mean, Y[:14, -1].mean(axis=0))
    assert (splits.train.targets[:, :-1] == 0).all()


def test_one_long_sequence_is_split_in_time(tmp_path):
    x, y = RNG.normal(size=(200, 3)), RNG.normal(size=(200, 1))
    for arrays in ({"inputs": x, "targets": y}, {"inputs": x[None], "targets": y[None]}):
        splits = make(tmp_path, settings={"washout": 5}, **arrays).data(0)
        assert [int(batch.scored.sum()) for batch in splits] == [135, 30, 30]
        inputs, targets = restore(splits, splits.test)
        assert np.allclose(inputs[0], x[165:]) and np.allclose(targets[0], y[165:])
        assert np.allclose(splits.scaling.input_mean, x[:140].mean(axis=0))
    labels = RNG.integers(0, 2, 200)
    check_task(make(tmp_path, inputs=x, targets=labels, lengths=np.array([190]), mask=np.ones(200)))


def test_a_series_that_forecasts_itself_can_run_free(tmp_path):
    series = np.sin(0.3 * np.arange(301))[:, None]
    drive = RNG.normal(size=(300, 1))
    task = make(tmp_path, inputs=np.concatenate([series[:-1], drive], axis=1), targets=series[1:])
    check_task(task)
    assert task.horizon == 1
    model = "linear model of the last steps"
    assert set(task.baselines(task.data(0))) == {"mean", "persistence", model, f"{model}, AIC"}


def test_columns_of_0_and_1_stay_as_they_are(tmp_path):
    onehot = np.eye(4)[RNG.integers(0, 4, (20, 7))]
    splits = make(tmp_path, inputs=np.concatenate([onehot, X], axis=2), targets=LABELS).data(0)
    assert np.array_equal(splits.train.inputs[:, :, :4], onehot[:14])
    assert np.allclose(splits.train.inputs[:, :, 4:].std(axis=(0, 1)), 1)


def test_labelled_sequences_are_learned(tmp_path):
    inputs = RNG.normal(size=(90, 6, 1))
    labels = (inputs.sum(axis=(1, 2)) > 0).astype(int)
    task = make(tmp_path, inputs=inputs, targets=labels)
    net = evorrn.Network.for_task(task, cell="elman", hidden=8)
    result = evorrn.BPTT().fit(net, task, seed=0, budget="100gen")
    assert result.metrics["test"]["accuracy"] > 0.8  # the larger class alone gives about a half


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": X, "y": Y}, "expected arrays named inputs and targets, got x, y"),
        ({"inputs": X}, "expected arrays named inputs and targets, got inputs"),
        ({"inputs": X, "targets": Y, "masks": LABELS}, "unknown array 'masks'; did you mean 'mask'"),
        ({"inputs": X, "targets": Y, "length": LABELS}, "unknown array 'length'; did you mean 'lengths'"),
        ({"inputs": X[0, :, 0], "targets": Y}, "inputs: expected shape (B, T, I), or (T, I)"),
        ({"inputs": X, "targets": Y[:, :5]}, "targets: expected shape (20, 7, O)"),
        ({"inputs": X, "targets": Y[:, :, 0]}, "targets: expected shape (20, 7, O)"),
        ({"inputs": X, "targets": -LABELS - 1}, "expected labels from 0 on"),
        ({"inputs": X.astype(str), "targets": Y}, "inputs: expected numbers, got dtype <U"),
        ({"inputs": np.where(X > 5, np.nan, X), "targets": Y}, "inputs: expected finite numbers, got nan"),
        ({"inputs": X, "targets": np.where(X > 5, np.inf, Y)}, "targets: expected finite numbers"),
        ({"inputs": X, "targets": Y, "mask": np.zeros((20, 7))}, "expected at least one scored step"),
        ({"inputs": X, "targets": Y, "mask": np.full((20, 7), 2)}, "mask: expected booleans"),
        ({"inputs": X, "targets": Y, "lengths": np.full(20, 8)}, "lengths: expected values from 1 to 7"),
        ({"inputs": X, "targets": Y, "lengths": np.full(20, 7.0)}, "lengths: expected 20 integers"),
        ({"inputs": X, "targets": Y, "split": np.zeros(19)}, "split: expected shape (20,)"),
        (
            {"inputs": X, "targets": Y, "split": np.full(20, 3)},
            "split: expected 0, 1, 2 or train, valid, test",
        ),
        ({"inputs": X, "targets": Y, "split": np.arange(20) % 2}, "got none in test"),
        ({"inputs": X[:2], "targets": Y[:2]}, "expected at least three sequences to split"),
        (
            {"inputs": X[:1], "targets": Y[:1], "split": np.zeros(1)},
            "split: expected at least three sequences",
        ),
        ({"inputs": X[:1, :4], "targets": Y[:1, :4]}, "expected more time steps"),
        ({"inputs": X, "targets": np.ones((20, 7, 1))}, "target 1 of 1 is constant (1)"),
        ({"inputs": X, "targets": np.zeros((20, 7), dtype=int)}, "expected at least two classes in training"),
        ({"inputs": X, "targets": np.arange(20)}, "label 14 is in valid but not in training"),
        ({"inputs": X[:, :0], "targets": Y[:, :0]}, "expected at least one sequence and step"),
        ({"inputs": np.array([[1], [2, 3]], dtype=object), "targets": Y}, "it is none, or holds objects"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, sentence):
    task = make(tmp_path, **arrays)
    with pytest.raises(DataError) as error:
        task.data(0)
    assert sentence in str(error.value) and "data.npz" in str(error.value)


def test_a_note_says_what_arrays_were_read_as(tmp_path):
    assert make(tmp_path, inputs=X, targets=Y).data_notes == (
        "data.npz: 20 sequences, 2 inputs and 2 targets",
    )
    said = make(tmp_path, inputs=np.ones((40, 9), int), targets=np.ones((40, 2), int), names=X).data_notes
    assert said == (
        "data.npz: one sequence of 40 time steps, 9 inputs and 2 targets; of several sequences inputs are (B, T, I), "
        "or (B, T) of whole numbers with task.symbols=true",
        "data.npz: left out names",
    )


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PK\x03\x04broken", bytes(1000)])
def test_files_that_are_no_archives(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected an .npz archive"):
        evorrn.task("npz", path=str(path)).data(0)


def test_truncated_archives_single_arrays_missing_files(tmp_path):
    task = make(tmp_path, compressed=True, inputs=X, targets=Y)
    path = tmp_path / "data.npz"
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:300] + bytes(200) + whole[500:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"expected an .npz archive"):
            evorrn.task("npz", path=str(path)).data(0)
    with path.open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match="got a single array"):
        evorrn.task("npz", path=str(path)).data(0)
    path.unlink()
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        task.data(0)


def test_labels_of_whole_sequences_whose_times_are_not_known(tmp_path):
    """The array target_lengths says how many labels each sequence has; the loss is then ctc."""
    rng = np.random.default_rng(0)
    inputs, targets, numbers = rng.normal(size=(12, 9, 2)), rng.integers(1, 4, (12, 3)), np.arange(12) % 4
    targets[0] = [1, 2, 3]
    numbers[0] = 3
    task = make(tmp_path, inputs=inputs, targets=targets, target_lengths=numbers, lengths=np.full(12, 8))
    assert (task.loss, task.outputs, task.metrics[0]) == ("ctc", 4, "label_error_rate")
    train, valid, test = task.data(0)
    rows = [row.tolist() for part in (train, valid, test) for row in part.rows]
    assert rows == [row[:number].tolist() for row, number in zip(targets, numbers)]
    assert (train.lengths == 8).all()
    assert list(task.baselines(task.data(0))) == ["no labels"]
    with pytest.raises(DataError, match="target_lengths: expected values from 0 to 3"):
        make(tmp_path, inputs=inputs, targets=targets, target_lengths=np.full(12, 4)).data(0)
