"""Phonemes: the generated language, and the decoder that knows it against a search over all alignments."""

import itertools

import numpy as np
import pytest

import evorrn
from evorrn.losses import ctc_decode
from evorrn_tasks.phonemes import FEWEST, LONGEST, SHORTEST, Language, Phonemes


def log_probability(language, frames, phonemes, spoken):
    """Return the logarithm of the density of frames with an alignment, up to a constant, from the definition."""
    means, total = [], 0.0
    for place, (phoneme, count) in enumerate(zip(phonemes, spoken)):
        own = language.places[phoneme]
        before = own if place == 0 else language.places[phonemes[place - 1]]
        means += [(own + before) / 2] + [own] * (count - 1)
        total += 0.0 if place == 0 else np.log(language.following[phonemes[place - 1], phoneme])
    return total - np.square(frames - np.array(means)).sum() / (2 * language.noise**2)


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_model_finds_the_best_of_all_alignments(seed):
    rng = np.random.default_rng(seed)
    language = Language(
        Phonemes(language=seed, phonemes=int(rng.integers(1, 4)), features=2, longest=4, noise=1.0)
    )
    _, frames = language.utterance(rng, FEWEST)
    frames = frames[:11] if len(frames) > 11 else frames
    values = {}
    for count in range(FEWEST, 5):
        for spoken in itertools.product(range(SHORTEST, LONGEST + 1), repeat=count):
            if sum(spoken) == len(frames):
                for phonemes in itertools.product(range(len(language.places)), repeat=count):
                    values[phonemes, spoken] = log_probability(language, frames, phonemes, spoken)
    phonemes, spoken = max(values, key=values.get)
    labels = language.most_probable(frames)
    found = ctc_decode(np.eye(len(language.places) + 1)[labels][None])[0]
    assert tuple(found - 1) == phonemes
    ends = np.cumsum(spoken)
    for phoneme, start, end in zip(phonemes, ends - spoken, ends):
        # Where a phoneme follows itself, all boundaries between the two are as likely.
        assert np.isin(labels[start + 1 : end], (0, phoneme + 1)).all()


def test_frames_follow_from_labels_without_noise():
    batch = Phonemes(noise=0.0, train=30).data(5).train
    language = Language(Phonemes(noise=0.0))
    for frames, length, labels in zip(batch.inputs, batch.lengths, batch.rows):
        assert FEWEST <= len(labels) <= 10 and SHORTEST * len(labels) <= length <= LONGEST * len(labels)
        assert np.array_equal(frames[0], language.places[labels[0] - 1])
        assert np.array_equal(frames[length - 1], language.places[labels[-1] - 1])
        assert not frames[length:].any()


def test_decoders_that_know_the_language_beat_silence_and_the_exact_one_is_best():
    task = evorrn.task("phonemes")
    test = task.data(1).test
    values = {
        name: evorrn.data.label_metrics.label_error_rate(ctc_decode(outputs, test.lengths), test.rows)
        for name, outputs in task.baselines(task.data(1)).items()
    }
    assert values["exact model"] < 0.5 * values["nearest phoneme"] < values["no labels"] == 1.0
