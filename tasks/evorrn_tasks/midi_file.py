"""Midi: the next frame of polyphonic music from MIDI files of the user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.settings import setting
from evorrn.base.text import counted
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import logistic
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.examples import bit_frequencies
from evorrn_tasks.common.midi import frames_of, midi_files, read_notes
from evorrn_tasks.common.records import split_record
from evorrn_tasks.common.shares import cut, file_problems

LETTERS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
LEAST = 4
"""Fewest frames of a piece, and of the parts of a single one."""


@dataclass(frozen=True)
class Midi(Task):
    """Music from a MIDI file, or from all those in a folder, as frames of bits, one for each note; the next frame is to be predicted.

    A frame is `frame` quarter notes long. A note sounds in the frames of which it covers at least half, or in the one in which it
    begins when there is none; percussion is left out. There is an input and an output for each note from the lowest to the highest of
    the files. In a folder, each file is a sequence, and files are split by `shares` in the order of their names. A single file is split
    in the order of time, its training part into sequences of `length` frames. The data are fixed: a seed changes only the training.

    The loss is the binary cross-entropy of each note of the next frame; papers give its sum over the notes of a frame, which is as many
    times larger. ``f1`` is that of the notes with a probability above one half. The baselines are the frequencies of notes, the frame
    before, and a logistic model of the last frames.

    Source: the form of the data is that of Boulanger-Lewandowski, Bengio and Vincent 2012, "Modeling temporal dependencies in
    high-dimensional sequences". Files are read by mido (extra ``music``).
    """

    name = "midi"
    version = 2  # notes that begin with a frame whose times binary numbers only approach
    loss = "binary-cross-entropy"
    metrics = ("binary_cross_entropy", "f1", "binary_accuracy")
    predicts_inputs = True
    seed_changes = "training"

    path: str = setting("", "a MIDI file, or a folder of them")
    frame: float = setting(1.0, "quarter notes of a frame", above=0)
    shares: tuple[float, float, float] = setting((0.7, 0.15, 0.15), "shares of training, validation and test")
    length: int = setting(64, "frames of a training sequence of a single file", minimum=2)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        return [*super().problems(), *file_problems(self.path, self.shares)]

    @cached_property
    def pieces(self) -> list[np.ndarray]:
        """The frames (T, 128) of each file."""
        files = midi_files(Path(self.path))
        found = [frames_of(read_notes(file), self.frame, str(file)) for file in files]
        short = next((file for file, piece in zip(files, found) if len(piece) < LEAST), None)
        if short is not None:
            raise DataError(
                f"{short}: expected at least {LEAST} frames of {self.frame:g} quarter notes, got fewer; make frame shorter"
            )
        return found

    @cached_property
    def notes(self) -> range:
        """The numbers of the notes from the lowest to the highest."""
        used = np.flatnonzero(np.any([piece.any(axis=0) for piece in self.pieces], axis=0))
        return range(int(used.min()), int(used.max()) + 1)

    @property
    def inputs(self) -> int:
        """Number of notes."""
        return len(self.notes)

    @property
    def outputs(self) -> int:
        """Number of notes."""
        return len(self.notes)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the notes, with the number of their octave; C4 is the middle C."""
        return tuple(f"{LETTERS[note % 12]}{note // 12 - 1}" for note in self.notes)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the notes."""
        return self.input_names

    @property
    def data_notes(self) -> tuple[str, ...]:
        """How the files were read."""
        frames = sum(map(len, self.pieces))
        files = counted(len(self.pieces), "file")
        low, high = self.input_names[0], self.input_names[-1]
        return (
            f"{self.path}: {files} of MIDI, {frames} frames of {self.frame:g} quarter notes, notes from {low} to {high}",
        )

    def data(self, seed: int) -> Splits:
        """Return the splits of the files, the same for every seed."""
        check_seed(seed)
        own = [piece[:, self.notes.start : self.notes.stop] for piece in self.pieces]
        return self._of_one(own[0]) if len(own) == 1 else self._of_several(own)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the frequencies of notes, the frame before, and logistic autoregression."""
        assert splits.test is not None
        name, logits = logistic.autoregression(splits)
        return {
            "frequencies of notes": bit_frequencies(splits),
            "the same frame again": _repeated(splits),
            name: logits,
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a GRU for gradients, a reservoir of 100 units, else few units."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 32}, {"batch_size": 10, "rate": 0.01})
        return Recommended({"cell": "elman", "hidden": 4})

    def _of_one(self, piece: np.ndarray) -> Splits:
        scored = cut(len(piece) - 1, self.shares, least=LEAST)
        if scored[0] < LEAST:
            raise DataError(f"{self.path}: expected at least {3 * LEAST + 1} frames, got {len(piece)}")
        windows = -(-scored[0] // self.length)
        return Splits(*split_record(piece[:-1], piece[1:], scored=scored, washout=0, windows=windows))

    def _of_several(self, pieces: list[np.ndarray]) -> Splits:
        counts = cut(len(pieces), self.shares, least=1)
        if counts[0] < 1:
            raise DataError(f"{self.path}: expected one MIDI file, or at least 3, got {len(pieces)}")
        ends = np.cumsum(counts)
        train, valid, test = (_batch(pieces[end - count : end]) for end, count in zip(ends, counts))
        return Splits(train, valid, test)


def _batch(pieces: list[np.ndarray]) -> Batch:
    """Return pieces as sequences, each frame with the next one as its target."""
    lengths = np.array([len(piece) - 1 for piece in pieces])
    inputs, targets = (np.zeros((len(pieces), lengths.max(), pieces[0].shape[1])) for _ in range(2))
    for row, (piece, length) in enumerate(zip(pieces, lengths)):
        inputs[row, :length], targets[row, :length] = piece[:-1], piece[1:]
    return Batch(inputs, targets, lengths=lengths)


def _repeated(splits: Splits) -> np.ndarray:
    """Return logits that say the present frame again, with the probability that a bit had in training of staying as it is."""
    assert splits.test is not None
    train = splits.train
    logits = np.zeros(splits.test.targets.shape)
    shown, followed = train.inputs[train.scored], train.targets[train.scored]
    for bit in (0, 1):
        on = followed[shown == bit]
        share = (on.sum() + 0.5) / (len(on) + 1)
        logits[splits.test.inputs == bit] = np.log(share / (1 - share))
    return logits
