"""Counterpoint: the next frame of music in two voices that obey rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import logistic
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.examples import bit_frequencies

CONSONANT = (2, 4, 5, 7, 9)
"""Distances of the voices in steps of the scale: third, fifth, sixth, octave, tenth."""
PERFECT = (4, 7)
OCTAVE = 7
LEAP = 2
"""The farthest that a voice moves at once, in steps of the scale: a third."""
CERTAIN = 30.0
"""The largest logit of the exact model, whose probabilities may be 0 or 1."""


@dataclass(frozen=True)
class Counterpoint(Task):
    """Music in two voices as frames of bits, one for each note of a scale; the next frame is to be predicted.

    The music obeys these rules. The voices are a third, a fifth, a sixth, an octave or a tenth apart. Each moves by at most a third,
    and at least one of them moves. No fifth follows a fifth and no octave an octave when both voices move. The last frame of every
    phrase, of `phrase` frames, is an octave on the tonic, so a network has to count. Each phrase is drawn from all that the rules allow after
    the frame before it, with equal probability; a sequence begins behind such a last frame.

    The loss is the binary cross-entropy of each note of the next frame; ``f1`` is that of the notes with a probability above one half. The
    baseline ``exact rules`` knows the frame and its place in the phrase, and gives each note its exact probability: no network can have a
    lower expected loss.

    Source: the rules are some of those of Fux 1725 for the first species; the generator is ours. The form of the data is
    that of Boulanger-Lewandowski, Bengio and Vincent 2012.
    """

    name = "counterpoint"
    loss = "binary-cross-entropy"
    metrics = ("binary_cross_entropy", "f1", "binary_accuracy")
    predicts_inputs = True

    scale: int = setting(15, "notes of the scale, from the tonic on", minimum=10, maximum=40)
    phrase: int = setting(8, "frames of a phrase", minimum=2)
    phrases: int = setting(4, "phrases of a sequence", minimum=1)
    train: int = setting(100, "training sequences", minimum=1)
    valid: int = setting(50, "validation sequences", minimum=1)
    test: int = setting(100, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of notes."""
        return self.scale

    @property
    def outputs(self) -> int:
        """Number of notes."""
        return self.scale

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * self.scale * self.phrase * self.phrases * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        rules = Rules(self.scale, self.phrase)
        return Splits(
            train=self._batch(rules, generator(seed, 0), self.train),
            valid=self._batch(rules, generator(seed, 1), self.valid),
            test=self._batch(rules, generator(seed, 2), self.test),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the frequencies of notes, logistic autoregression, and the exact probabilities of the rules."""
        assert splits.test is not None
        name, logits = logistic.autoregression(splits)
        rules = Rules(self.scale, self.phrase)
        places = np.arange(splits.test.steps) % self.phrase
        return {
            "frequencies of notes": bit_frequencies(splits),
            name: logits,
            "exact rules": np.stack([rules.logits(frames, places) for frames in splits.test.inputs]),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a GRU for gradients, a reservoir of 100 units, else few units."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 32}, {"batch_size": 10, "rate": 0.01})
        return Recommended({"cell": "elman", "hidden": 6})

    def _batch(self, rules: Rules, rng: np.random.Generator, size: int) -> Batch:
        frames = rules.frames(rules.draw(rng, size, self.phrases))
        return Batch(frames[:, :-1], frames[:, 1:])


class Rules:
    """The pairs of notes that are allowed, what may follow each, and how many phrases go on from it.

    Attributes
    ----------
    pairs : ndarray of int, shape (S, 2)
        Lower and upper note of each allowed pair.
    chances : ndarray, shape (phrase, S, S)
        The probability of each pair after each pair, when the earlier one is at this place of a phrase; the last place is the
        octave on the tonic.
    """

    def __init__(self, notes: int, phrase: int) -> None:
        pairs = [(low, low + step) for low in range(notes) for step in CONSONANT if low + step < notes]
        self.pairs, self.notes = np.array(pairs), notes
        moves = np.abs(self.pairs[:, None] - self.pairs)
        distance = self.pairs[:, 1] - self.pairs[:, 0]
        parallel = (distance[:, None] == distance) & np.isin(distance, PERFECT) & (moves > 0).all(axis=2)
        allowed = (moves <= LEAP).all(axis=2) & (moves > 0).any(axis=2) & ~parallel
        last = (distance == OCTAVE) & (self.pairs[:, 0] % OCTAVE == 0)
        self.ends = np.flatnonzero(last)
        ways = last.astype(float)  # of going on from each pair to the end of its phrase
        chances = []
        for _ in range(phrase):
            weighted = allowed * ways
            ways = weighted.sum(axis=1)
            chances.append(weighted / np.where(ways > 0, ways, 1)[:, None])
            ways = ways / ways.max()  # ratios alone count
        # The first one leads to the last place; the place before a phrase is the last place of the one before.
        self.chances = np.stack([*chances[::-1][1:], chances[-1]])

    def draw(self, rng: np.random.Generator, size: int, phrases: int) -> np.ndarray:
        """Return sequences of places in `pairs`, (size, frames + 1); the first frame is the end of a phrase."""
        length = len(self.chances)
        found = np.zeros((size, length * phrases + 1), dtype=np.int64)
        found[:, 0] = rng.choice(self.ends, size)
        for step in range(found.shape[1] - 1):
            bounds = np.cumsum(self.chances[step % length - 1][found[:, step]], axis=1)
            drawn = rng.random((size, 1)) * bounds[:, -1:]
            found[:, step + 1] = (bounds <= drawn).sum(axis=1)
        return found

    def frames(self, places: np.ndarray) -> np.ndarray:
        """Return the bits (..., notes) of places in `pairs` (...)."""
        return np.eye(self.notes)[self.pairs[places]].sum(axis=-2)

    def logits(self, frames: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the exact log odds (T, notes) of the notes that follow frames (T, notes), of which the first ends a phrase.

        `places` (T,) count the frames from there on. A frame that the rules do not allow has a logit of 0 for all notes.
        """
        known = {tuple(pair): place for place, pair in enumerate(self.pairs.tolist())}
        shown = self.frames(np.arange(len(self.pairs)))
        found = np.zeros(frames.shape)
        for step, (frame, place) in enumerate(zip(np.asarray(frames), places)):
            pair = known.get(tuple(np.flatnonzero(frame == 1).tolist()))
            if pair is not None:
                chance = np.clip(self.chances[place - 1][pair] @ shown, 0.0, 1.0)
                with np.errstate(divide="ignore"):
                    found[step] = np.clip(np.log(chance) - np.log1p(-chance), -CERTAIN, CERTAIN)
        return found
