"""Text: the next character of running text."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.memory import excess
from evorrn.base.settings import setting
from evorrn.base.text import counted
from evorrn.data.characters import Characters
from evorrn.data.task import Recommended, Splits, Task
from evorrn.data.text_file import read_text
from evorrn_tasks.common import baselines, sequence_labels
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.ngram import is_symbolic
from evorrn_tasks.common.records import split_record
from evorrn_tasks.common.shares import cut, share_problems

TOPICS = Path(__file__).parent / "data" / "python-topics.txt"
LEAST = 10
"""Fewest characters to predict in validation and in test."""


@dataclass(frozen=True)
class Text(Task):
    """Running text, whose next character is to be predicted at every step.

    The text is a file of the user, or else that of the topics ``assert`` to ``comparisons`` of Python 3.11.7's help
    (``pydoc_data.topics``, 64,207 characters; a copy is part of the package, since other versions of Python have other texts). Its
    beginning is training, its middle validation, its end test. Inputs are characters as whole numbers. Those that occur more than `rare`
    times in training are known, and all others together are one symbol more, ``unknown``; how many of these there are is
    told. Training is divided into sequences of `length` scored characters, and every sequence begins with `context` characters
    that are read and not scored. The text is fixed: a seed changes only the training.

    The metric ``bits_per_symbol`` is the mean of -log2 of the probability of the next character. The baseline ``lzma`` is by how
    many bits the file grows that the program xz makes of training and validation, when test is added, for each character of test;
    unknown characters are replaced by one sign there too.

    Source: Python 3.11.7's documentation, copyright Python Software Foundation, PSF licence version 2.
    """

    name = "text"
    loss = "cross-entropy"
    metrics = ("bits_per_symbol", "accuracy", "cross_entropy")
    predicts_inputs = True
    seed_changes = "training"

    path: str = setting("", "the file of the text; by default topics of Python's help")
    shares: tuple[float, float, float] = setting((0.8, 0.1, 0.1), "shares of training, validation and test")
    characters: int | None = setting(
        None, "first characters of the text that are used; all by default", minimum=5 * LEAST
    )
    rare: int = setting(1, "characters that occur at most so often in training count as unknown", minimum=0)
    length: int = setting(100, "scored characters of a training sequence", minimum=1)
    context: int = setting(20, "characters before the scored ones of a sequence", minimum=0)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        return [*super().problems(), *share_problems(self.shares)]

    @cached_property
    def text(self) -> str:
        """The characters that are used, with line feeds as ends of lines."""
        found = read_text(Path(self.path) if self.path else TOPICS, "running text")
        return found.replace("\r\n", "\n").replace("\r", "\n")[: self.characters]

    @cached_property
    def alphabet(self) -> Characters:
        """The known characters of the training part."""
        found = Characters.of(self.text[: self.context + 1 + self._scored[0]], self.rare + 1)
        if len(found.known) < 2:
            raise DataError(
                f"{self._file}: expected at least two characters that occur more than {self.rare} times in training, got "
                f"{len(found.known)}"
            )
        return found

    @property
    def inputs(self) -> int:
        """Number of inputs: the known characters and the unknown one."""
        return self.alphabet.size

    @property
    def outputs(self) -> int:
        """Number of classes, as many as inputs."""
        return self.alphabet.size

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the characters."""
        return self.alphabet.names

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the characters."""
        return self.alphabet.names

    @property
    def network_form(self) -> dict[str, int]:
        """An embedding, with which a GRU of 48 units learns more at equal work than with one-hot characters."""
        return {"embedding": 32}

    @property
    def data_notes(self) -> tuple[str, ...]:
        """How the text was read, and which of its characters are unknown."""
        known = len(self.alphabet.known)
        notes = [
            f"{self._file}: running text of {len(self.text)} characters, {known} of them different and known"
        ]
        unknown = Counter(each for each in self.text if each not in set(self.alphabet.known))
        if unknown:
            shown = " ".join(repr(each) for each, _ in unknown.most_common(8))
            notes.append(
                f"{self._file}: {counted(sum(unknown.values()), 'character')} at most {self.rare} times in training, one "
                f"symbol 'unknown' together: {shown}{' ...' if len(unknown) > 8 else ''}"
            )
        return tuple(notes)

    def data(self, seed: int) -> Splits:
        """Return the splits of the text, the same for every seed."""
        check_seed(seed)
        numbers = self.alphabet.numbers(self.text)
        windows = -(-self._scored[0] // self.length)
        too_large = excess(
            len(numbers) * self.alphabet.size
        )  # of the outputs, and of inputs without an embedding
        if too_large:
            raise DataError(f"{self._file}: its characters take {too_large}; use fewer with characters=N")
        return Splits(
            *split_record(
                numbers[:-1], numbers[1:], scored=self._scored, washout=self.context, windows=windows
            )
        )

    def baselines(self, splits: Splits) -> Mapping[str, np.ndarray | Mapping[str, float]]:
        """Return the frequencies of characters, and what xz needs for the test part after the others."""
        known, test = [self._bytes(batch) for batch in splits][:2], self._bytes(splits.test)
        assert splits.test is not None
        before = b"".join(known)
        bits = 8 * (_compressed(before + test) - _compressed(before)) / int(splits.test.scored.sum())
        return {
            "character frequencies": baselines.class_frequencies(splits, self.outputs),
            "lzma": {"bits_per_symbol": bits},
        }

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name that is not known, or that does not fit the text."""
        return sequence_labels.problems(self.data(0).train, names)

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the n-gram where there are not too many characters, and what is named."""
        usual = ("ngram",) if is_symbolic(splits.train) else ()
        return sequence_labels.classifiers(splits, self.outputs, (*usual, *names))

    def recommended(self, strategy: str) -> Recommended:
        """Return a GRU for gradients, a reservoir of 100 units with few penalties, else few units and a small embedding."""
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64", "embedding": 0}
            few = {"alphas": (1e-8, 1e-6, 1e-4, 1e-2), "held_out": 0.2, "solver": "cholesky"}
            return Recommended(network, few if strategy == "esn" else {})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 48}, {"batch_size": 8, "rate": 0.01})
        part = {"ga": {"sequences": 20}, "random": {"count": 4}}.get(strategy, {})
        return Recommended({"cell": "elman", "hidden": 8, "embedding": 8}, part)

    @property
    def _file(self) -> str:
        return self.path or "Python's topics"

    @cached_property
    def _scored(self) -> tuple[int, int, int]:
        """The scored characters of training, validation and test."""
        numbers = cut(len(self.text) - 1 - self.context, self.shares, least=LEAST)
        if numbers[0] < 2 * LEAST:
            raise DataError(
                f"{self._file}: expected at least {self.context + 1 + 4 * LEAST} characters, got {len(self.text)}"
            )
        return numbers

    def _bytes(self, batch: object) -> bytes:
        """Return the scored characters of a split in UTF-8, in their order."""
        return self.alphabet.text(batch.targets[batch.scored]).encode()  # type: ignore[attr-defined]


def _compressed(data: bytes) -> int:
    """Return the number of bytes that LZMA needs, without the head and the check sum of a file."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    return len(lzma.compress(data, format=lzma.FORMAT_RAW, filters=filters))
