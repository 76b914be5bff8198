"""SequenceClasses: the class of each sequence in a table of the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.tables.folder import read_folder
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import NO_TIME, Rules
from evorrn.data.tables.table import Table
from evorrn.data.task import Recommended, Scaling, Splits, Task
from evorrn_tasks.common import baselines, sequence_labels
from evorrn_tasks.common.columns import Names, listing, named
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.examples import Example, padded
from evorrn_tasks.common.records import learn_scaling
from evorrn_tasks.common.shares import cut, file_problems

OTHERS = "*"


@dataclass(frozen=True)
class SequenceClasses(Task):
    """A table, or a folder, with a row for each time step of many sequences, whose class is to be told.

    The class is told at the last step; or, with ``scored="every"``, at every step, and a sequence has the class that most of
    its steps vote for, see ``vote_accuracy``. The column `sequence` names the sequence that a row belongs to, the column `label` its class, which is the same in all
    rows of a sequence. Both may hold any text. The rows of a sequence are in order of time. By default every other column
    that holds numbers in training is an input; inputs are scaled to mean 0 and standard deviation 1 of the training steps,
    except those with only the values 0 and 1. Sequences may have different lengths.

    If the path is that of a folder, each of its subfolders is a class, and each table in one (.csv, .tsv, .txt) a sequence with a row for
    each time step; all have the same columns.

    Each class is split by `shares` in the order in which its sequences begin, so every class is in training, validation and
    test. The data are fixed: a seed changes only the training.
    """

    name = "sequence-classes"
    loss = "cross-entropy"
    seed_changes = "training"

    path: str = setting(
        "",
        "the file: separated by comma, semicolon, tab or bar, with a header or --no-header; or a folder of such files",
    )
    label: str = setting("label", "the column that holds the class")
    sequence: str = setting("sequence", "the column that names the sequence of a row")
    input_columns: Names = setting(
        OTHERS,
        "input columns (or: inputs), a list or joined by commas; * for every other numeric column",
        alias="inputs",
    )
    shares: tuple[float, float, float] = setting((0.7, 0.15, 0.15), "shares of training, validation and test")
    scored: str = setting(
        "last",
        "where the class is told: at the last step, or at every step, each of which is a vote",
        choices=("last", "every"),
        absent="last",
    )
    header: bool | None = setting(
        None, "whether the first row holds the names of the columns; detected by default"
    )
    decimal: str = setting("", "decimal mark: . or ,; by default a point, and doubtful numbers are refused")
    separator: str = setting(
        "", "separator of columns: a comma, a semicolon, a bar or the word tab; detected by default"
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = [*file_problems(self.path, self.shares), *self._rules.problems()]
        if self.label == self.sequence:
            found.append(f"sequence: expected another column than label, got {self.sequence!r} for both")
        return super().problems() or found

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]  # `scored` decides
        """Accuracy first; that of the votes where every step is scored."""
        return (*(["vote_accuracy"] if self.scored == "every" else []), "accuracy", "cross_entropy")

    @property
    def _rules(self) -> Rules:
        return Rules(self.header, self.decimal, self.separator, time=NO_TIME)

    @cached_property
    def table(self) -> Table:
        """The cells of the file, or of all files of the folder, as text."""
        if Path(self.path).is_dir():
            return read_folder(Path(self.path), self._rules, self.sequence, self.label)
        return read_table(self.path, self._rules)

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        """The rows of each sequence by its name, in the order in which the sequences begin."""
        (column,) = named(self.table, (self.sequence,))
        found: dict[str, list[int]] = {}
        for row, name in enumerate(self.table.cells(column)):
            found.setdefault(name, []).append(row)
        return found

    @cached_property
    def _labels(self) -> list[str]:
        """The class of each sequence."""
        (column,) = named(self.table, (self.label,))
        cells = self.table.cells(column)
        for name, rows in self._rows.items():
            for row in rows:
                if cells[row] != cells[rows[0]] or not cells[row]:
                    raise DataError(
                        f"{self.path}, line {self.table.lines[row]}, column {column!r}: expected one class in all rows of "
                        f"sequence {name!r}, {cells[rows[0]]!r}, got {cells[row]!r}"
                    )
        return [cells[rows[0]] for rows in self._rows.values()]

    @cached_property
    def classes(self) -> list[str]:
        """The classes in alphabetical order; a label is a place in this list."""
        counts = Counter(self._labels)
        few = [f"{name!r} has {count}" for name, count in counts.items() if count < 3]
        if len(counts) < 2:
            raise DataError(f"{self.path}: expected at least two classes in column {self.label!r}, got one")
        if few:
            raise DataError(
                f"{self.path}: expected at least three sequences of every class, but class {listing(few)}"
            )
        return sorted(counts)

    @cached_property
    def _parts(self) -> tuple[list[int], list[int], list[int]]:
        """The sequences of training, validation and test."""
        parts: tuple[list[int], list[int], list[int]] = ([], [], [])
        for name in self.classes:
            own = [place for place, label in enumerate(self._labels) if label == name]
            numbers = cut(len(own), self.shares, least=1)
            for part, places in zip(parts, np.split(own, np.cumsum(numbers)[:2])):
                part.extend(int(place) for place in places)
        return sorted(parts[0]), sorted(parts[1]), sorted(parts[2])

    @cached_property
    def input_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The input columns."""
        if self.input_columns != OTHERS:
            return tuple(named(self.table, self.input_columns))
        rows = [row for place in self._parts[0] for row in list(self._rows.values())[place]]
        cells, lines = [self.table.rows[row] for row in rows], [self.table.lines[row] for row in rows]
        numeric = replace(self.table, rows=cells, lines=lines).numeric()
        found = tuple(name for name in numeric if name not in (self.label, self.sequence))
        if not found:
            raise DataError(f"{self.path}: expected a column of numbers beside label and sequence, got none")
        return found

    @property
    def inputs(self) -> int:
        """Number of input columns."""
        return len(self.input_names)

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(self.classes)

    def data(self, seed: int) -> Splits:
        """Return the splits of the file, the same for every seed."""
        check_seed(seed)
        values = self.table.columns(self.input_names)
        sequences = [values[rows] for rows in self._rows.values()]
        training = np.concatenate([sequences[place] for place in self._parts[0]])
        try:
            learned = learn_scaling(training, np.array([[0.0], [1.0]]))
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None
        none, one = np.zeros(self.outputs), np.ones(self.outputs)
        scaling = Scaling(learned.input_mean, learned.input_deviation, none, one)
        scaled = [scaling.scale_inputs(each) for each in sequences]
        train, valid, test = [self._batch(scaled, places) for places in self._parts]
        return Splits(train, valid, test, scaling=scaling)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies."""
        return {"class frequencies": baselines.class_frequencies(splits, self.outputs)}

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name that is not known, or that does not fit the data."""
        return sequence_labels.problems(replace(self, scored="last").data(0).train, names)

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the nearest neighbour by dynamic time warping, hidden Markov models, and what is named."""
        at_the_end = replace(self, scored="last").data(0)  # they tell the class of a whole sequence
        return sequence_labels.classifiers(at_the_end, self.outputs, ("dtw", "hmm", *names))

    def recommended(self, strategy: str) -> Recommended:
        """Return networks of moderate size, with gates for gradients."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 16})
        return Recommended({"cell": "elman", "hidden": 8, "direct": True})

    def _batch(self, sequences: list[np.ndarray], places: list[int]) -> Batch:
        """Return sequences as a batch that is scored at the last steps, or at all."""
        found = []
        for place in places:
            steps = len(sequences[place])
            label = self.classes.index(self._labels[place])
            told = np.arange(1 - steps, 1) >= (0 if self.scored == "last" else 1 - steps)
            found.append(Example(sequences[place], np.full(steps, label), told))
        return padded(found)
