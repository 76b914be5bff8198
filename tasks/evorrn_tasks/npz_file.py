"""NPZ: sequences from arrays in a file of the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import DataError, EvorrnError
from evorrn.base.settings import setting
from evorrn.base.text import counted
from evorrn.data.ahead import next_inputs
from evorrn.data.archive import load_arrays
from evorrn.data.batch import Batch
from evorrn.data.task import ANSWERS, ANSWERS_OF_WHOLE, Recommended, Scaling, Splits, Task
from evorrn_tasks.common import baselines, sequence_labels
from evorrn_tasks.common.archive import SPLITS, named_arrays, named_splits
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.records import learn_scaling, split_record
from evorrn_tasks.common.shares import cut, file_problems
from evorrn_tasks.common.symbols import are_symbols, one_hot

NEEDED, OPTIONAL = ("inputs", "targets"), ("mask", "lengths", "target_lengths", "links", "split")


@dataclass(frozen=True)
class NpzFile(Task):
    """Sequences in an .npz archive: arrays ``inputs`` and ``targets``, optionally ``mask``, ``lengths``, ``split``.

    ``inputs`` is (B, T, I). ``targets`` is (B, T, O) of floats for regression, or integer labels from 0 on, (B, T) for
    one at every step or (B,) for one at each sequence's last step. ``mask`` (B, T) is True where a step is
    scored, ``lengths`` (B,) is the number of steps of each sequence, ``split`` (B,) holds 0, 1, 2 or ``"train"``,
    ``"valid"``, ``"test"``. Without ``split`` the sequences, at least three, are split in their order by
    `shares`. With ``target_lengths`` (B,) the targets (B, U) are labels of whole sequences, from 1 on, whose time steps
    are not known, and the loss is ``ctc``; or, where `start` and `stop` are set, the answers that an encoder-decoder is to write, whose
    ``inputs`` may also be (B, T) of integers or (B, I), one vector a sequence. With ``links`` (B, T, A), integers from -1 on, each step sees A earlier steps in
    place of the last one, see `evorrn.Batch`, which takes a cell with A predecessors.

    Whole numbers (B, T) as ``inputs`` are symbols, one at each time step, where `symbols` says so or an array of several
    sequences stands beside them: ``split``, ``links``, ``target_lengths``, or ``lengths`` of several.

    One long sequence may be given without the first axis: ``inputs`` (T, I), ``targets`` (T, O) or (T,). A single
    sequence is split in order of time, and each split begins with `washout` unscored steps.

    Inputs and float targets are scaled to mean 0 and standard deviation 1, learned on the training split; inputs
    with only the values 0 and 1 are not scaled. If the targets of the training split are the first inputs of the
    next step, these inputs have the targets' scaling, the horizon is 1 and the network can run free. The data are
    fixed: a seed changes only the training.
    """

    name = "npz"
    seed_changes = "training"

    path: str = setting("", "the .npz archive")
    shares: tuple[float, float, float] = setting(
        (0.7, 0.15, 0.15), "shares of training, validation and test when the file has no array split"
    )
    free_run: bool = setting(  # type: ignore[misc]
        False,
        "whether validation and test are free runs, on the network's own outputs from the first scored step on",
        absent=False,
    )
    washout: int | None = setting(
        None,
        "unscored steps at the start of each split of a single sequence; by default a tenth of training, up to 50",
        minimum=0,
    )

    symbols: bool = setting(
        False, "whether inputs (B, T) of whole numbers are symbols, one at each time step", absent=False
    )
    start: int | None = setting(
        None,
        "symbol that an encoder-decoder sees before its answer; no target has it",
        minimum=0,
        absent=None,
    )
    stop: int | None = setting(None, "symbol that ends an answer; no target has it", minimum=0, absent=None)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        if (self.start is None) != (self.stop is None) or (self.writes and self.start == self.stop):
            found.append("start: expected it and stop to be two different symbols, or none")
        return found or file_problems(self.path, self.shares)

    @property
    def writes(self) -> bool:
        """Whether the targets are answers that an encoder-decoder writes."""
        return self.start is not None

    @property
    def network_form(self) -> dict[str, Any]:
        """An encoder-decoder where there are answers to be written."""
        return {"kind": "encoder-decoder", "start": self.start, "stop": self.stop} if self.writes else {}

    @cached_property
    def batch(self) -> Batch:
        """All sequences of the file, in original units."""
        arrays = self._arrays
        symbols = self.symbols or are_symbols(arrays)
        if symbols and not (arrays["inputs"].ndim == 2 and arrays["inputs"].dtype.kind in "iu"):
            raise DataError(f"{self.path}: symbols: expected inputs (B, T) of whole numbers")
        single = arrays["inputs"].ndim == 2 and not self.writes and not symbols
        given = {
            name: arrays[name][None] if single else arrays[name]
            for name in (*NEEDED, "mask")
            if name in arrays
        }
        if "lengths" in arrays:
            given["lengths"] = np.atleast_1d(arrays["lengths"])
        if "target_lengths" in arrays:
            if single:
                raise DataError(
                    f"{self.path}: target_lengths: expected at least three sequences, inputs (B, T, I), got one"
                )
            given["target_lengths"] = arrays["target_lengths"]
        if "links" in arrays:
            if single:
                raise DataError(
                    f"{self.path}: links: expected at least three sequences, inputs (B, T, I), got one"
                )
            given["links"] = arrays["links"]
        rows, ends = given["targets"], given["inputs"].shape[:2]
        steps = given["inputs"].ndim == 3 or symbols
        if steps and rows.shape == ends and rows.dtype.kind == "f" and ends[1] > 1:
            raise DataError(
                f"{self.path}: targets: expected shape ({ends[0]}, {ends[1]}, O) of floats, got {rows.shape}: one number for each "
                f"time step is {(*ends, 1)}, and {ends[1]} numbers at the last one take a mask beside it"
            )
        if self.writes and "target_lengths" not in arrays:
            raise DataError(
                f"{self.path}: expected an array target_lengths (B,) of the answers, as start and stop are set"
            )
        try:
            return Batch(**given)
        except EvorrnError as error:
            raise DataError(f"{self.path}: {error}") from None

    @property
    def data_notes(self) -> tuple[str, ...]:
        """What the arrays were read as, and those that were left out."""
        batch, name = self.batch, Path(self.path).name
        single = batch.size == 1
        size = counted(batch.steps, "time step") if single else f"{batch.size} sequences"
        kind = "labels" if batch.labelled else counted(batch.n_outputs, "target")
        form = "symbols" if batch.symbols else counted(batch.n_inputs, "input")
        read = f"{name}: {'one sequence of ' if single else ''}{size}, {form} and {kind}"
        flat = self._arrays["inputs"].ndim == 2 and single
        many = "; of several sequences inputs are (B, T, I)" if flat else ""
        if flat and self._arrays["inputs"].dtype.kind in "iu":
            many += ", or (B, T) of whole numbers with task.symbols=true"
        others = ", ".join(each for each in self._given if each not in self._arrays)
        return (read + many, *([f"{name}: left out {others}"] if others else []))

    @property
    def inputs(self) -> int:
        """Inputs at a time step."""
        return self.batch.n_inputs

    @property
    def outputs(self) -> int:
        """Targets at a time step; for labels the number of classes, the largest one of training plus one, at least two."""
        if not self.batch.labelled:
            return self.batch.n_outputs
        train = self._parts[0]
        if self.start is not None and self.stop is not None:
            return max(3, train.n_outputs, self.start + 1, self.stop + 1)
        if train.whole:
            return max(2, train.n_outputs)
        return max(2, int(train.targets[train.scored].max(initial=0)) + 1)

    @property
    def loss(self) -> str:  # type: ignore[override]  # the file decides
        """``"cross-entropy"`` for labels and answers, ``"ctc"`` for labels of whole sequences, else ``"mse"``."""
        if self.batch.whole and not self.writes:
            return "ctc"
        return "cross-entropy" if self.batch.labelled else "mse"

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]  # the file decides
        """Accuracy first for labels, that of votes beside it where every step of a sequence has its class; else errors."""
        if self.writes:
            return ("token_accuracy", "exact_match", "edit_distance", "cross_entropy")
        if self.batch.whole:
            return ("label_error_rate", "edit_distance", "exact_match", "ctc")
        if self.batch.labelled:
            return ("accuracy", "cross_entropy", *(["vote_accuracy"] if self.batch.one_class else []))
        return ("nrmse_std", "rmse", "mae")

    @property
    def provides(self) -> frozenset[str]:  # type: ignore[override]  # the file decides
        """What can be computed; labels of whole sequences are no targets of time steps."""
        if self.writes:
            return ANSWERS_OF_WHOLE - {"states"}
        return ANSWERS_OF_WHOLE if self.batch.whole else ANSWERS

    @property
    def arity(self) -> int:  # type: ignore[override]  # the file decides
        """The predecessors of each step."""
        return 0 if self.batch.links is None else int(self.batch.links.shape[2])

    @property
    def horizon(self) -> int | None:  # type: ignore[override]  # the file decides
        """1 if the targets of the training split are the first inputs of the next step, else None."""
        return 1 if self.predicts_inputs and not self._parts[0].labelled else None

    @property
    def predicts_inputs(self) -> bool:
        """Whether the targets of the training split are the inputs of the next step, numbers or labels."""
        return next_inputs(self._parts[0])

    def data(self, seed: int) -> Splits:
        """Return the splits of the file, the same for every seed."""
        check_seed(seed)
        parts = self._parts
        if self.batch.labelled:
            self._check_classes(parts)
        if self.free_run and (self.horizon != 1 or any(part.scored[:, 0].any() for part in parts[1:])):
            raise DataError(
                f"{self.path}: free_run: expected targets that are the first inputs of the next step, and unscored steps "
                "before them in validation and test"
            )
        try:
            if self.batch.symbols:
                return Splits(train=parts[0], valid=parts[1], test=parts[2])
            scaling = self._scaling(parts[0])
            train, valid, test = [self._scaled(part, scaling) for part in parts]
            splits = Splits(train, valid, test, scaling=scaling)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None
        return splits

    def baselines(self, splits: Splits) -> Mapping[str, Any]:
        """Return the class frequencies; or the mean, persistence if the horizon is 1, and linear models.

        Of answers to be written, the most common one.
        """
        if self.writes:
            assert splits.test is not None
            common = Counter(tuple(row.tolist()) for row in splits.train.rows).most_common(1)[0][0]
            return {"most common answer": [np.array(common, np.int64)] * splits.test.size}
        if self.batch.whole:
            return {"no labels": baselines.no_labels(splits, self.outputs)}
        if self.batch.labelled:
            return {"class frequencies": baselines.class_frequencies(splits, self.outputs)}
        found, shown = {"mean": baselines.mean(splits)}, self._shown(splits)
        if self.horizon == 1:
            found["persistence"] = baselines.persistence(splits, free_run=self.free_run)
        return {
            **found,
            **baselines.linear_models(shown, "linear model of the last steps", free_run=self.free_run),
        }

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name that is not known, or that does not fit the targets of the file."""
        return sequence_labels.problems(self.batch, names)

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what is named: dtw and hmm for labels of whole sequences, ngram for labels after symbols."""
        return sequence_labels.classifiers(self._shown(splits), self.outputs, names)

    def _shown(self, splits: Splits) -> Splits:
        """Return splits whose symbols are one-hot, for what reads numbers."""
        return one_hot(splits, self.inputs) if self.batch.symbols else splits

    def recommended(self, strategy: str) -> Recommended:
        """Return networks of moderate size, with gates for gradients."""
        if self.writes:
            part = {"cell": "gru", "hidden": 64 if strategy == "bptt" else 6}
            return Recommended({"encoder": part, "decoder": part, "embedding": 16 * self.batch.symbols})
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 16})
        return Recommended({"cell": "elman", "hidden": 8, "direct": True})

    @cached_property
    def _given(self) -> dict[str, np.ndarray]:
        """All arrays of the file, by name."""
        return load_arrays(self.path)

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the file that are used, by name."""
        arrays = named_arrays(self.path, self._given, NEEDED, OPTIONAL)
        if arrays["inputs"].ndim not in (2, 3):
            raise DataError(
                f"{self.path}: inputs: expected shape (B, T, I), or (T, I) for one sequence, got {arrays['inputs'].shape}"
            )
        return arrays

    @cached_property
    def _parts(self) -> list[Batch]:
        """Training, validation and test, in original units."""
        try:
            if self.batch.size == 1:
                return self._in_time()
            return [self.batch.take(index) for index in self._sequences()]
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None

    def _sequences(self) -> list[np.ndarray]:
        """Return the indices of the sequences of each split."""
        count = self.batch.size
        if "split" in self._arrays:
            return named_splits(self._arrays["split"], count)
        numbers = cut(count, self.shares, least=1)
        if numbers[0] < 1:
            raise DataError(
                f"expected at least three sequences to split, or one long one to split in time, got {count}"
            )
        return np.split(np.arange(count), np.cumsum(numbers)[:2])

    def _in_time(self) -> list[Batch]:
        """Return the splits of a single sequence, in order of time."""
        batch = self.batch
        if "split" in self._arrays:
            raise DataError(
                "split: expected at least three sequences to split, got one; leave it out to split in time"
            )
        assert batch.lengths is not None
        steps = int(batch.lengths[0])
        train, valid, test = cut(steps, self.shares)
        washout = min(50, max(train, 0) // 10) if self.washout is None else self.washout
        if train - washout < 2:
            raise DataError(
                f"expected more time steps to leave two scored training steps after {washout} of washout, got {steps}"
            )
        return list(
            split_record(
                batch.inputs[0, :steps],
                batch.targets[0, :steps],
                scored=(train - washout, valid, test),
                washout=washout,
                mask=batch.scored[0, :steps],
            )
        )

    def _scaling(self, train: Batch) -> Scaling:
        """Return the scaling learned on the training split; labels are not scaled."""
        assert train.lengths is not None
        inside = np.arange(train.steps) < train.lengths[:, None]
        rows = (train.inputs if train.vectors else train.inputs[inside]).astype(np.float64)
        if train.labelled:
            scaling = learn_scaling(rows, np.array([[0.0], [1.0]]))
            none, one = np.zeros(self.outputs), np.ones(self.outputs)
            return Scaling(scaling.input_mean, scaling.input_deviation, none, one)
        own = train.n_outputs if self.horizon == 1 else 0
        return learn_scaling(rows, train.targets[train.scored].astype(np.float64), own=own)

    def _scaled(self, part: Batch, scaling: Scaling) -> Batch:
        """Return a split in scaled units; steps beyond a length and targets that are not finite become 0."""
        assert part.lengths is not None
        if part.vectors:
            return part.with_inputs(scaling.scale_inputs(part.inputs))
        inside = np.arange(part.steps) < part.lengths[:, None]
        inputs = np.where(inside[:, :, None], part.inputs, 0.0)
        inputs = np.where(inside[:, :, None], scaling.scale_inputs(inputs), 0.0)
        targets = part.targets
        if not part.labelled:
            known = np.isfinite(targets) & inside[:, :, None]
            targets = np.where(known, scaling.scale_targets(np.where(known, targets, 0.0)), 0.0)
        if part.whole:
            rows = part.target_lengths
            return Batch(inputs, targets, lengths=part.lengths, target_lengths=rows, links=part.links)
        return Batch(inputs, targets, mask=part.scored, lengths=part.lengths, links=part.links)

    def _check_classes(self, parts: list[Batch]) -> None:
        """Raise DataError when training has one class, or lacks a class of validation or test."""
        known = _labels(parts[0])
        if len(known) < 2 and not parts[0].whole:
            raise DataError(
                f"{self.path}: targets: expected at least two classes in training, got only {known}"
            )
        for name, part in zip(SPLITS[1:], parts[1:]):
            new = sorted(_labels(part) - known)
            if new:
                raise DataError(
                    f"{self.path}: targets: label {new[0]} is in {name} but not in training; add an array 'split' to "
                    "the file with every class in training"
                )


def _labels(part: Batch) -> set[int]:
    """Return the labels in a split."""
    labels = np.concatenate(part.rows) if part.whole else part.targets[part.scored]
    return set(labels.tolist())
