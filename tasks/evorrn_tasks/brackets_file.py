"""Brackets: the classes of trees in a file of the user, such as a sentiment treebank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn.data.trees import from_brackets
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.nodes import Tree, batch_of, naive_bayes, recommended
from evorrn_tasks.common.shares import cut, file_problems

UNKNOWN = "<unknown>"
"""The word that stands for all words that training does not have often enough."""


@dataclass(frozen=True)
class BracketsFile(Task):
    """Trees written with brackets, ``(3 (2 It) (4 works))``: the label of a node is its class.

    Each tree begins on a line of its own, and may go on over the next ones. The form is that of the Penn treebank and of the Stanford sentiment treebank; other trees than binary ones become so, see
    `evorrn.trees.from_brackets`. The trees, at least three, are split in their order by `shares`. The classes are the labels
    of training in alphabetical order. A word is an input of its own if training has it `least` times, all other words are
    one input. Scored are all nodes with a label, or with ``scored="root"`` the whole trees alone. The data are fixed: a
    seed changes only the training. A network needs a cell with two predecessors.
    """

    name = "brackets"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    seed_changes = "training"
    arity = 2

    path: str = setting("", "the file of trees")
    shares: tuple[float, float, float] = setting((0.7, 0.15, 0.15), "shares of training, validation and test")
    scored: str = setting("all", "which nodes are scored", choices=("all", "root"))
    least: int = setting(2, "how often training has a word that is an input of its own", minimum=1)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        return super().problems() or file_problems(self.path, self.shares)

    @property
    def inputs(self) -> int:
        """Words of training that are frequent enough, and one for all others."""
        return len(self._words)

    @property
    def outputs(self) -> int:
        """Labels of training."""
        return len(self._classes)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The words."""
        return tuple(self._words)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The labels."""
        return tuple(self._classes)

    def data(self, seed: int) -> Splits:
        """Return the trees of the file, the same for every seed."""
        check_seed(seed)
        train, valid, test = (self._batch(part) for part in self._parts)
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the words of a phrase."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over words": naive_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a tree-LSTM for gradients."""
        trained = Recommended({"cell": "tree-lstm", "hidden": 24}, {"batch_size": 25, "rate": 0.01})
        return recommended(strategy, trained=trained)

    @cached_property
    def _trees(self) -> list[tuple[list[str], np.ndarray, list[str]]]:
        """The trees of the file."""
        try:
            lines = Path(self.path).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {self.path}: {getattr(error, 'strerror', None) or error}") from None
        trees = []
        for number, text in _texts(lines):
            try:
                trees.append(from_brackets(text))
            except DataError as error:
                raise DataError(f"{self.path}, line {number}: {error}") from None
        if cut(len(trees), self.shares, least=1)[0] < 1:
            raise DataError(
                f"{self.path}: expected at least three trees, each on lines of its own, got {len(trees)}"
            )
        return trees

    @cached_property
    def _parts(self) -> list[list[tuple[list[str], np.ndarray, list[str]]]]:
        """Training, validation and test."""
        train, valid, _ = cut(len(self._trees), self.shares, least=1)
        return [self._trees[:train], self._trees[train : train + valid], self._trees[train + valid :]]

    @cached_property
    def _words(self) -> dict[str, int]:
        """The number of each word that is an input."""
        counts = Counter(word for words, _, _ in self._parts[0] for word in words if word)
        frequent = sorted(word for word, count in counts.items() if count >= self.least)
        return {word: number for number, word in enumerate([UNKNOWN, *frequent])}

    @cached_property
    def _classes(self) -> dict[str, int]:
        """The number of each label of a scored node of training."""
        found = {label for _, _, labels in self._parts[0] for label in self._scored(labels) if label}
        if len(found) < 2:
            raise DataError(f"{self.path}: expected at least two labels in training, got {sorted(found)}")
        return {label: number for number, label in enumerate(sorted(found))}

    def _scored(self, labels: list[str]) -> list[str]:
        """Return the labels of the nodes of a tree, an empty text where a node is not scored."""
        return labels if self.scored == "all" else [""] * (len(labels) - 1) + labels[-1:]

    def _batch(self, part: list[tuple[list[str], np.ndarray, list[str]]]) -> Batch:
        trees = []
        for words, links, labels in part:
            unknown = [label for label in self._scored(labels) if label and label not in self._classes]
            if unknown:
                raise DataError(f"{self.path}: label {unknown[0]!r} is in no tree of training")
            numbers = [self._words.get(word, 0) if word else -1 for word in words]
            classes = [self._classes[label] if label else -1 for label in self._scored(labels)]
            trees.append(Tree(numbers, list(map(tuple, links.tolist())), classes))
        return batch_of(trees, self.inputs)


def _texts(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the text of each tree and the number of its first line; a tree ends with the line that closes its brackets."""
    held: list[str] = []
    first = depth = 0
    for number, line in enumerate(lines, 1):
        if not held and not line.strip():
            continue
        first = first if held else number
        held.append(line)
        depth += line.count("(") - line.count(")")
        if depth <= 0:
            yield first, " ".join(held)
            held, depth = [], 0
    if held:
        yield first, " ".join(held)
