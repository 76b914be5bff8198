"""Tomita: whether a string of zeros and ones belongs to one of seven regular languages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.automata.alphabet import Alphabet
from evorrn.automata.dfa import DFA
from evorrn.automata.sampling import accepted_counts, draw_accepted
from evorrn.automata.strings import Strings
from evorrn.automata.tomita import tomita_dfa
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator

MOST_OF_EVERY = 16
"""The longest strings of which every one can be in training."""


@dataclass(frozen=True)
class Tomita(Task):
    """Strings of zeros and ones that belong to a regular language (class 1) or do not (class 0).

    The languages, each with the empty string: 1, ones alone; 2, 10 repeated; 3, no run of an odd number of zeros
    anywhere after a run of an odd number of ones; 4, no three zeros in a row; 5, an even number of zeros and an even
    number of ones; 6, the number of ones minus that of zeros is a multiple of three; 7, zeros, ones, zeros, ones.

    A symbol is one-hot: the first input is 1 at a zero and the second at a one. With `begin` and with `end` one more input
    each is 1 at the step before the first symbol and at the step after the last one. Training has strings of `shortest` to `longest` symbols, validation and test longer ones, so that they
    measure how a network generalises: validation from `longest` + 1 to `valid_longest`, test from `valid_longest` + 1 to
    `test_longest`. Of drawn strings one half belongs to the language: the length is uniform on those of which there
    is a string of the class, and the string is uniform on those of its length and class, drawn with replacement. A
    language with few strings of a length therefore gives the same ones again (the first has one of each length). Every
    string of the training lengths, with `strings` ``"every"``, leaves the classes as unequal as they are. Training,
    validation and test have separate random streams. Nothing is scaled.

    Source: Tomita 1982, "Dynamic construction of finite automata from examples using hill-climbing"; Giles et al.
    1992, "Learning and extracting finite state automata with second-order recurrent neural networks", with an end.
    """

    name = "tomita"
    loss = "binary-cross-entropy"
    outputs = 1
    metrics = ("binary_accuracy", "binary_cross_entropy")

    language: int = setting(4, "number of the language, 1 to 7", minimum=1, maximum=7)
    shortest: int = setting(
        1, "symbols of the shortest training string; 0 only with a begin or an end", minimum=0
    )
    longest: int = setting(10, "symbols of the longest training string", minimum=1)
    valid_longest: int = setting(20, "symbols of the longest validation string", minimum=2)
    test_longest: int = setting(40, "symbols of the longest test string", minimum=3)
    train: int = setting(200, "training strings, where they are drawn", minimum=2)
    valid: int = setting(200, "validation strings", minimum=2)
    test: int = setting(200, "test strings", minimum=2)
    strings: str = setting(
        "drawn",
        "training strings: drawn, or every one of the training lengths",
        choices=("drawn", "every"),
    )
    scored: str = setting(
        "last",
        "where the network answers: at the last step, or at every one for the string so far",
        choices=("last", "every"),
    )
    begin: bool = setting(
        False, "whether a symbol of its own begins a string, so that the empty one has an answer"
    )
    end: bool = setting(False, "whether a symbol of its own ends a string, and the network answers there")

    @property
    def inputs(self) -> int:
        """The number of inputs: two symbols, the begin and the end."""
        return 2 + self.begin + self.end

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the symbols."""
        return ("zero", "one", *(["begin"] * self.begin), *(["end"] * self.end))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The name of the output."""
        return ("belongs",)

    @property
    def alphabet(self) -> Alphabet:
        """How symbols are inputs."""
        return Alphabet.one_hot("01", self.end, self.begin)

    @property
    def automaton(self) -> DFA:
        """The minimal automaton of the language."""
        return tomita_dfa(self.language)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all strings."""
        train = 2 ** (self.longest + 1) if self.strings == "every" else self.train
        lengths = self.longest * train + self.valid_longest * self.valid + self.test_longest * self.test
        return (self.inputs + 1) * lengths

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, and for a class without a string."""
        found = super().problems()
        if found:
            return found
        first = 0 if self.begin or self.end else 1
        for name, low in (
            ("shortest", first),
            ("longest", max(self.shortest, first)),
            ("valid_longest", self.longest + 1),
            ("test_longest", self.valid_longest + 1),
        ):
            if getattr(self, name) < low:
                found.append(f"{name}: expected at least {low}, got {getattr(self, name)}")
        if self.strings == "every" and self.longest > MOST_OF_EVERY:
            found.append(f"longest: expected at most {MOST_OF_EVERY} with every string, got {self.longest}")
        if self.scored == "every" and self.end:
            found.append("scored: expected 'last' with an end, at which the network answers, got 'every'")
        return found or [
            f"{name}: no string of {low} to {high} symbols {verb} to language {self.language}"
            for name, low, high in self._lengths
            for dfa, verb in ((self.automaton, "belongs"), (self.automaton.complement(), "does not belong"))
            if not any(accepted_counts(dfa, high)[low:])
        ]

    def data(self, seed: int) -> Splits:
        """Return strings drawn from the seed."""
        return Splits(self._split(seed, 0), self._split(seed, 1), self._split(seed, 2))

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the prediction of the class that is more frequent in training."""
        return {"more frequent class": baselines.more_frequent_class(splits)}

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network whose state can be constant for a long time."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 4})

    @property
    def _lengths(self) -> tuple[tuple[str, int, int], ...]:
        """The fewest and most symbols of training, validation and test, after the setting that is their upper end."""
        return (
            ("longest", self.shortest, self.longest),
            ("valid_longest", self.longest + 1, self.valid_longest),
            ("test_longest", self.valid_longest + 1, self.test_longest),
        )

    def _split(self, seed: int, place: int) -> Batch:
        """Return training (0), validation (1) or test (2)."""
        _, low, high = self._lengths[place]
        rng = generator(seed, place)
        if place == 0 and self.strings == "every":
            strings = Strings.up_to(2, high, low)
        else:
            count = (self.train, self.valid, self.test)[place]
            members = draw_accepted(self.automaton, rng, count // 2, high, low)
            others = draw_accepted(self.automaton.complement(), rng, count - count // 2, high, low)
            assert members is not None and others is not None
            strings = members.and_also(others)
            strings = strings.take(rng.permutation(count))
        return self._batch(strings)

    def _batch(self, strings: Strings) -> Batch:
        """Return strings as inputs with their classes."""
        inputs, lengths = self.alphabet.encoded(strings)
        belongs = self.automaton.prefixes_accepted(strings)
        steps = np.arange(inputs.shape[1])
        mask = steps < lengths[:, None] if self.scored == "every" else steps == lengths[:, None] - 1
        marks = self.begin + self.end  # the answer for n symbols is at step n - 1 + marks
        answers = np.pad(belongs, ((0, 0), (marks - 1, 0))) if marks else belongs[:, 1:]
        return Batch(inputs, np.where(mask, answers, np.nan)[:, :, None], mask=mask, lengths=lengths)
