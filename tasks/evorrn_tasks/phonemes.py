"""Phonemes: label sequences of generated speech-like frames, whose alignment the network is not told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import ANSWERS_OF_WHOLE, Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator

FEWEST, SHORTEST, LONGEST = 3, 2, 5
"""The fewest phonemes of an utterance, and the fewest and most frames of a phoneme."""
LOW = -1e300


@dataclass(frozen=True)
class Phonemes(Task):
    """Sequences of phonemes, spoken as frames of features; the labels are given in their order, without times.

    The setting `language` draws a language: each of its phonemes has a place in the space of `features`, with independent standard
    normal coordinates, and a table of the probabilities of the phoneme that follows (uniform over all such tables). An utterance has 3 to
    `longest` phonemes. Each is spoken for 2 to 5 frames: the first lies midway between the place of the phoneme before and its own, the
    others, and all of the first phoneme, at its own place, with normal noise of standard deviation `noise`. The same phoneme may follow itself. The
    network's outputs are logits of the blank, class 0, and of the phonemes; the loss is ``ctc``.

    Two baselines know the language. ``nearest phoneme`` takes for each frame the phoneme whose place is nearest, and merges equal
    neighbours. ``exact model`` is the most probable sequence of phonemes and their frames under the model that made the data.

    Source: the setting is that of Graves, Fernández, Gomez and Schmidhuber 2006; the generated language is ours.
    """

    name = "phonemes"
    loss = "ctc"
    provides = ANSWERS_OF_WHOLE
    metrics = ("label_error_rate", "edit_distance", "exact_match", "ctc")

    language: int = setting(0, "number of the language", minimum=0)
    phonemes: int = setting(8, "phonemes of the language", minimum=1)
    features: int = setting(6, "features of a frame", minimum=1)
    noise: float = setting(0.7, "standard deviation of the noise", minimum=0.0)
    longest: int = setting(10, "most phonemes of an utterance", minimum=FEWEST)
    train: int = setting(400, "training utterances", minimum=1)
    valid: int = setting(100, "validation utterances", minimum=1)
    test: int = setting(200, "test utterances", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: the features."""
        return self.features

    @property
    def outputs(self) -> int:
        """Number of outputs: the phonemes and the blank."""
        return self.phonemes + 1

    @property
    def output_names(self) -> tuple[str, ...]:
        """The blank and the phonemes."""
        return ("blank", *(f"phoneme{k}" for k in range(1, self.outputs)))

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences, if all had the most frames."""
        frames = self.features * LONGEST + 1
        return frames * self.longest * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return utterances drawn from the seed."""
        return Splits(
            train=self._batch(generator(seed, 0), self.train),
            valid=self._batch(generator(seed, 1), self.valid),
            test=self._batch(generator(seed, 2), self.test),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the outputs of a network that says nothing, and of the two decoders that know the language."""
        test = splits.test
        assert test is not None and test.lengths is not None
        language = Language(self)
        nearest, exact = (np.zeros((test.size, test.steps), np.int64) for _ in range(2))
        for row, (frames, length) in enumerate(zip(test.inputs, test.lengths)):
            nearest[row, :length] = 1 + language.log_densities(frames[:length]).diagonal(0, 1, 2).argmax(
                axis=1
            )
            exact[row, :length] = language.most_probable(frames[:length])
        return {
            "no labels": baselines.no_labels(splits, self.outputs),
            "nearest phoneme": _logits(nearest, self.outputs),
            "exact model": _logits(exact, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a network with gates for gradients, else few weights."""
        if strategy == "bptt":
            return Recommended({"cell": "lstm", "hidden": 32}, {"batch_size": 20, "rate": 0.01})
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 6})

    def _batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Return utterances."""
        language, most = Language(self), self.longest
        inputs = np.zeros((size, LONGEST * most, self.features))
        targets = np.zeros((size, most), np.int64)
        lengths, counts = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for row in range(size):
            counts[row] = rng.integers(FEWEST, most + 1)
            spoken, frames = language.utterance(rng, int(counts[row]))
            targets[row, : counts[row]], lengths[row] = spoken + 1, len(frames)
            inputs[row, : len(frames)] = frames
        steps = int(lengths.max())
        return Batch(inputs[:, :steps], targets, lengths=lengths, target_lengths=counts)


class Language:
    """The places of the phonemes, the probabilities of what follows, and what they imply for frames."""

    def __init__(self, task: Phonemes) -> None:
        rng = generator(task.language)
        self.places = rng.standard_normal((task.phonemes, task.features))
        self.following = rng.dirichlet(np.ones(task.phonemes), task.phonemes)
        self.between = (self.places[:, None] + self.places) / 2
        self.noise, self.longest = task.noise, task.longest

    def utterance(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return phonemes (U,), from 0 on, and their frames (T, features)."""
        phonemes = [int(rng.integers(len(self.places)))]
        for _ in range(count - 1):
            phonemes.append(int(rng.choice(len(self.places), p=self.following[phonemes[-1]])))
        means = []
        for before, now in zip([phonemes[0], *phonemes], phonemes):
            more = int(rng.integers(SHORTEST, LONGEST + 1)) - 1
            means += [self.between[before, now]] + [self.places[now]] * more
        frames = np.array(means)
        return np.array(phonemes), frames + self.noise * rng.standard_normal(frames.shape)

    def log_densities(self, frames: np.ndarray) -> np.ndarray:
        """Return those of frames (T, features) midway between two phonemes (T, K, K), up to a constant; on the diagonal at one."""
        squares = np.square(frames[:, None, None] - self.between).sum(axis=-1)
        return -squares / (2 * max(self.noise, 1e-6) ** 2)

    def most_probable(self, frames: np.ndarray) -> np.ndarray:
        """Return the most probable label of each frame (T,), from 1 on.

        Where a phoneme follows itself its first frame has the label 0, so that the two are not merged. The recursion is over the
        number of phonemes so far, the frame at which the last one ends, and that phoneme.
        """
        first = self.log_densities(frames)
        own = np.cumsum(np.vstack([np.zeros(len(self.places)), first.diagonal(0, 1, 2)]), axis=0)
        steps, kinds = len(frames), len(self.places)
        with np.errstate(divide="ignore"):
            follows = np.maximum(np.log(self.following), LOW)
        best = np.full((self.longest + 1, steps + 1, kinds), LOW)
        came = np.zeros((*best.shape, 2), np.int64)  # frames of the last phoneme, and the one before it
        for t in range(SHORTEST, steps + 1):
            for spoken in range(SHORTEST, min(LONGEST, t) + 1):
                start = t - spoken
                rest = own[t] - own[start + 1]
                if start == 0:
                    best[1, t], came[1, t] = own[t], [spoken, 0]
                    continue
                through = best[:-1, start, :, None] + follows + first[start]
                before = through.argmax(axis=1)
                value = np.take_along_axis(through, before[:, None], axis=1)[:, 0] + rest
                better = value > best[1:, t]
                best[1:, t] = np.where(better, value, best[1:, t])
                came[1:, t][better] = np.stack([np.full(before.shape, spoken), before], axis=-1)[better]
        labels = np.zeros(steps, np.int64)
        ends = best[FEWEST:, steps]
        count, now = (int(k) for k in np.unravel_index(ends.argmax(), ends.shape))
        count, t = count + FEWEST, steps
        while count:
            spoken, before = (int(k) for k in came[count, t, now])
            labels[t - spoken : t] = now + 1
            if count > 1 and before == now:
                labels[t - spoken] = 0
            count, t, now = count - 1, t - spoken, before
        return labels


def _logits(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return logits (B, T, classes) whose most probable classes are the labels (B, T)."""
    return np.where(labels[..., None] == np.arange(classes), 10.0, 0.0)
