"""Hidden Markov models, against the enumeration of all paths of states and, where it is installed, hmmlearn."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from evorrn.base.errors import ConfigError, DataError
from evorrn_tasks.common.emissions import Categorical, Gaussian
from evorrn_tasks.common.hmm import HMM, Classifier, expect, fit, improve, log_sum

KINDS = ("gaussian", "categorical")


def drawn(kind, states, lengths, seed=0, width=2):
    """Return a random model and random sequences of the given lengths."""
    rng = np.random.default_rng(seed)
    start, transition = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), size=states)
    if kind == "gaussian":
        mean, variance = rng.normal(size=(states, width)), rng.uniform(0.3, 2, size=(states, width))
        emission = Gaussian(mean, variance, np.full(width, 1e-9))
        return HMM(start, transition, emission), [rng.normal(size=(t, width)) for t in lengths]
    emission = Categorical(rng.dirichlet(np.ones(4), size=states))
    return HMM(start, transition, emission), [rng.integers(0, 4, size=t) for t in lengths]


def density(model, state, value):
    """Return the density of one observation in one state, written without the code under test."""
    if isinstance(model.emission, Categorical):
        return model.emission.shares[state, value]
    return norm.pdf(value, model.emission.mean[state], np.sqrt(model.emission.variance[state])).prod()


def paths(model, sequence):
    """Yield every path of states with its joint density with the sequence."""
    states = range(len(model.start))
    for path in itertools.product(states, repeat=len(sequence)):
        found = model.start[path[0]] * density(model, path[0], sequence[0])
        for before, state, value in zip(path, path[1:], sequence[1:]):
            found *= model.transition[before, state] * density(model, state, value)
        yield path, found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("states", "lengths"), [(1, (3,)), (2, (1, 5, 2)), (3, (4, 1, 1, 3)), (4, (3, 4))])
def test_likelihood_path_and_expectations_are_those_of_all_paths(kind, states, lengths):
    model, sequences = drawn(kind, states, lengths, seed=sum(lengths))
    totals, occupied = [], []
    starts, transitions = np.zeros(states), np.zeros((states, states))
    for sequence in sequences:
        found = list(paths(model, sequence))
        total = sum(chance for _, chance in found)
        totals.append(np.log(total))
        here = np.zeros((len(sequence), states))
        for path, chance in found:
            here[np.arange(len(path)), path] += chance / total
            starts[path[0]] += chance / total
            for before, after in itertools.pairwise(path):
                transitions[before, after] += chance / total
        occupied.append(here)
        path, best = model.viterbi(sequence)
        likely, chance = max(found, key=lambda each: each[1])
        assert tuple(path) == likely and best == pytest.approx(np.log(chance), abs=1e-10)
    assert np.allclose(model.log_likelihoods(sequences), totals, atol=1e-10)
    expected = expect(model, sequences)
    assert expected.log_likelihood == pytest.approx(sum(totals), abs=1e-9)
    assert np.allclose(expected.occupied, np.concatenate(occupied), atol=1e-12)
    assert np.allclose(expected.starts, starts, atol=1e-12)
    assert np.allclose(expected.transitions, transitions, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_every_round_of_baum_welch_raises_the_likelihood_of_ragged_sequences(kind):
    model, _ = drawn(kind, 3, ())
    _, sequences = drawn(kind, 3, (1, 7, 20, 3, 12), seed=5)
    likelihoods = [model.log_likelihoods(sequences).sum()]
    for _ in range(25):
        likelihood, model = improve(model, sequences, rounds=1)
        likelihoods.append(likelihood)
    assert np.all(np.diff(likelihoods) > -1e-9)
    assert np.allclose(model.transition.sum(axis=1), 1) and model.start.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_several_sequences_are_neither_joined_nor_dependent_on_their_order(kind):
    model, sequences = drawn(kind, 2, (5, 1, 9, 4), seed=2)
    forwards, backwards = improve(model, sequences, rounds=3), improve(model, sequences[::-1], rounds=3)
    assert forwards[0] == pytest.approx(backwards[0])
    assert np.allclose(forwards[1].transition, backwards[1].transition)
    joined = improve(model, [np.concatenate(sequences)], rounds=3)
    assert not np.allclose(forwards[1].transition, joined[1].transition)
    alone = np.concatenate([model.log_likelihoods([each]) for each in sequences])
    assert np.allclose(model.log_likelihoods(sequences), alone)


def test_a_sequence_of_a_hundred_thousand_steps_does_not_underflow():
    model, (sequence,) = drawn("gaussian", 2, (100_000,))
    assert -1e6 < model.log_likelihoods([sequence])[0] < -1e5
    assert np.isfinite(expect(model, [sequence]).transitions).all()


def test_fit_finds_the_model_that_made_the_data():
    rng = np.random.default_rng(3)
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    sequences = []
    for length in rng.integers(20, 60, size=80):
        state, values = 0, []
        for _ in range(length):
            values.append(rng.normal([-1.0, 2.0][state], [0.5, 1.0][state]))
            state = int(rng.random() < transition[state, 1])
        sequences.append(np.array(values)[:, None])
    model = fit(sequences, 2)
    order = np.argsort(model.emission.mean[:, 0])
    assert np.allclose(model.emission.mean[order, 0], [-1, 2], atol=0.1)
    assert np.allclose(model.emission.variance[order, 0], [0.25, 1], atol=0.1)
    assert np.allclose(model.transition[np.ix_(order, order)], transition, atol=0.03)
    assert model.start[order[0]] > 0.98  # every sequence began in this state


def test_fit_is_the_same_for_the_same_seed():
    _, sequences = drawn("gaussian", 2, (9, 4, 12), seed=8)
    first, again = fit(sequences, 3, seed=5), fit(sequences, 3, seed=5)
    assert first.emission.mean.tobytes() == again.emission.mean.tobytes()


@pytest.mark.parametrize("values", [np.zeros((6, 1)), np.array([[0.0], [1.0]]), np.ones((1, 2))])
def test_constant_and_tiny_data_give_finite_models(values):
    for states in (1, 2, 3):
        model = fit([values, values[:1]], states)
        assert np.isfinite(model.log_likelihoods([values])).all()
        assert np.isfinite(model.emission.mean).all() and (model.emission.variance > 0).all()


def test_a_symbol_that_training_lacks_is_unlikely_and_not_impossible():
    model = fit([np.array([0, 1, 0, 1])], 2, symbols=3)
    seen, unseen = model.log_likelihoods([np.array([0, 1, 0]), np.array([0, 2, 0])])
    assert seen > unseen > -np.inf


def test_wrong_input_is_told():
    with pytest.raises(DataError, match="at least one step each"):
        fit([np.zeros((3, 1)), np.zeros((0, 1))], 2)
    with pytest.raises(DataError, match="at least one step each"):
        fit([], 2)
    with pytest.raises(DataError, match="symbols from 0 to 1, got 0 to 2"):
        fit([np.array([0, 2])], 2, symbols=2)
    with pytest.raises(ConfigError, match="at least one state"):
        fit([np.zeros((3, 1))], 0)
    impossible = HMM(np.ones(1), np.ones((1, 1)), Categorical(np.array([[1.0, 0.0]])))
    with pytest.raises(DataError, match="probability 0"):
        expect(impossible, [np.array([1])])


def test_the_log_of_a_sum_of_nothing_but_zeros_is_minus_infinity():
    assert log_sum(np.full(3, -np.inf)) == -np.inf
    assert log_sum(np.array([1000.0, -np.inf, 1000.0])) == pytest.approx(1000 + np.log(2))


def test_a_classifier_tells_orders_apart_whose_values_are_equally_frequent():
    """The same two values, alternating in one class and in blocks in the other: only the order differs."""
    rng = np.random.default_rng(1)
    sequences, labels = [], np.arange(60) % 2
    for label in labels:
        length = int(rng.integers(8, 25))
        pattern = np.arange(length) // (1 + 3 * label) % 2
        sequences.append((pattern + 0.2 * rng.normal(size=length))[:, None])
    scores = Classifier(sequences[:30], labels[:30], 3, states=2).scores(sequences[30:])
    assert (scores.argmax(axis=1) == labels[30:]).mean() > 0.95
    assert np.isfinite(scores).all() and (scores[:, 2] < scores[:, :2].min(axis=1)).all()  # not in training


def test_classifier_scores_are_joint_log_densities():
    _, sequences = drawn("gaussian", 2, (4, 6, 5, 3, 7), seed=4)
    labels = np.array([0, 0, 0, 1, 1])
    classifier = Classifier(sequences, labels, 2, states=2)
    wanted = classifier.models[1].log_likelihoods(sequences) + np.log(2 / 5)
    assert np.allclose(classifier.scores(sequences)[:, 1], wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_of_baum_welch_agree_with_hmmlearn(kind):
    """GMMHMM of hmmlearn is wrong on several sequences; GaussianHMM and CategoricalHMM are not."""
    theirs = pytest.importorskip("hmmlearn.hmm")
    model, sequences = drawn(kind, 3, (6, 1, 15, 9), seed=11)
    lengths = [len(each) for each in sequences]
    options = {"n_components": 3, "n_iter": 4, "tol": -np.inf, "init_params": ""}
    if kind == "gaussian":
        joined = np.concatenate(sequences)
        other = theirs.GaussianHMM(covariance_type="diag", covars_prior=0.0, min_covar=0.0, **options)
        other.means_, other.covars_ = model.emission.mean.copy(), model.emission.variance.copy()
    else:
        joined = np.concatenate(sequences)[:, None]
        other = theirs.CategoricalHMM(**options)
        other.n_features, other.emissionprob_ = 4, model.emission.shares.copy()
    other.startprob_, other.transmat_ = model.start.copy(), model.transition.copy()
    assert other.score(joined, lengths) == pytest.approx(model.log_likelihoods(sequences).sum())
    best = sum(model.viterbi(each)[1] for each in sequences)  # paths may be equally likely
    assert other.decode(joined, lengths)[0] == pytest.approx(best)
    other.fit(joined, lengths)
    for _ in range(4):
        model = improve(model, sequences, rounds=1)[1]
    assert np.allclose(other.transmat_, model.transition, atol=1e-7)
    assert np.allclose(other.startprob_, model.start, atol=1e-7)
    assert other.score(joined, lengths) == pytest.approx(model.log_likelihoods(sequences).sum(), abs=1e-5)
