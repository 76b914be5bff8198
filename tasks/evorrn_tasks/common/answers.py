"""Questions with answers of their own length, both text: batches of symbols, their splits, and baselines that learn nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.edits import nearest_texts

START, STOP, FIRST = 0, 1, 2
"""The symbols that begin and end an answer, and the first one that stands for a character."""
PROVIDES = frozenset({"fitness", "sequence_losses", "gradient"})
SEARCH = {"ga": {"sequences": 100}, "random": {"count": 4}}
"""Settings with which one step of a search costs no more than an epoch of gradients."""
PATIENCE = 200
"""Draws of as many pairs as are wanted, after which too few different questions are an error."""

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Answers(Task):
    """Base of tasks whose questions and answers are text, read and written character by character by an encoder-decoder.

    A subclass defines `asked` and `answered`, the characters of questions and of answers, and `draw`, which returns pairs of text. No
    question is in two splits or twice in one. Metrics are of the answers that the network writes by itself, its most probable
    character at each step: ``token_accuracy`` is the share of right characters, at the places that answer or truth have,
    ``exact_match`` that of answers without any mistake.
    """

    loss = "cross-entropy"
    metrics = ("token_accuracy", "exact_match", "edit_distance", "cross_entropy")
    provides = PROVIDES
    asked: ClassVar[str]
    answered: ClassVar[str]

    train: int = setting(1000, "training pairs", minimum=1)
    valid: int = setting(200, "validation pairs", minimum=1)
    test: int = setting(300, "test pairs", minimum=1)

    def draw(self, rng: np.random.Generator, count: int) -> Pairs:
        """Return `count` pairs of question and answer, in which questions may be the same."""
        raise NotImplementedError

    def key(self, question: str) -> str:
        """Return what is the same for questions that may not be in two splits."""
        return question

    @property
    def inputs(self) -> int:
        """Number of characters of questions."""
        return len(self.asked)

    @property
    def outputs(self) -> int:
        """Number of characters of answers, with start and stop."""
        return FIRST + len(self.answered)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The characters of questions."""
        return tuple(map(named, self.asked))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Start, stop, and the characters of answers."""
        return ("start", "stop", *map(named, self.answered))

    @property
    def network_form(self) -> dict[str, Any]:
        """An encoder-decoder."""
        return {"kind": "encoder-decoder", "start": START, "stop": STOP}

    def pairs(self, seed: int) -> list[Pairs]:
        """Return the pairs of training, validation and test, whose questions are all different."""
        counts = self.train, self.valid, self.test
        wanted, rng = sum(counts), generator(seed)
        found: dict[str, tuple[str, str]] = {}
        for _ in range(PATIENCE):
            for question, answer in self.draw(rng, wanted):
                found.setdefault(self.key(question), (question, answer))
            if len(found) >= wanted:
                break
        else:
            raise ConfigError(
                f"train, valid, test: expected fewer pairs, {len(found)} different questions were found and {wanted} are wanted"
            )
        chosen = list(found.values())[:wanted]
        chosen = [chosen[place] for place in rng.permutation(wanted)]  # rare questions are found last
        ends = np.cumsum(counts)
        return [chosen[end - count : end] for end, count in zip(ends, counts)]

    def data(self, seed: int) -> Splits:
        """Return the splits, drawn from the seed."""
        train, valid, test = (self._batch(pairs) for pairs in self.pairs(seed))
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, list[np.ndarray]]:
        """Return the most common answer, the most common character of each place, and the answer of the nearest question."""
        assert splits.test is not None
        train, size = splits.train, splits.test.size
        answers = [self.answer(row) for row in train.rows]
        common = Counter(answers).most_common(1)[0][0]
        places = "".join(common_symbols(answers))
        known, questions = self.questions(train), self.questions(splits.test)
        near = [answers[place] for place in nearest_texts(questions, known)]
        return {
            "most common answer": [self.numbers(common)] * size,
            "most common characters": [self.numbers(places)] * size,
            "nearest question": [self.numbers(answer) for answer in near],
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return gated units for gradients, few units where weights are searched for."""
        part = {"cell": "gru", "hidden": 64 if strategy == "bptt" else 6}
        network = {"encoder": part, "decoder": part}
        trained: dict[str, Any] = {"batch_size": 32, "rate": 0.005}
        return Recommended(network, trained if strategy == "bptt" else SEARCH.get(strategy, {}))

    def questions(self, batch: Batch) -> list[str]:
        """Return the questions of a batch as text."""
        assert batch.lengths is not None
        return [
            "".join(self.asked[number] for number in row[:length])
            for row, length in zip(batch.inputs, batch.lengths)
        ]

    def answer(self, numbers: Sequence[int] | np.ndarray) -> str:
        """Return an answer as text, without start and stop."""
        return "".join(self.answered[number - FIRST] for number in numbers if number >= FIRST)

    def numbers(self, answer: str) -> np.ndarray:
        """Return the symbols of an answer, (U,)."""
        return np.array([FIRST + self.answered.index(character) for character in answer], dtype=np.int64)

    def _batch(self, pairs: Pairs) -> Batch:
        inputs, lengths = filled([[self.asked.index(c) for c in question] for question, _ in pairs])
        targets, counts = filled([self.numbers(answer) for _, answer in pairs])
        return Batch(inputs, targets, lengths=lengths, target_lengths=counts)


def named(character: str) -> str:
    """Return the name of a character."""
    return "space" if character == " " else character


def common_symbols(answers: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the most common symbol of each place, as many as half of the answers have at least."""
    length = int(np.median([len(answer) for answer in answers]))
    return [
        Counter(answer[place] for answer in answers if len(answer) > place).most_common(1)[0][0]
        for place in range(length)
    ]


def filled(rows: Sequence[Sequence[int] | np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of whole numbers as an array (B, T), zero beyond their lengths (B,)."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    array = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array, lengths
