"""The face for scikit-learn: its own checks of estimators, pipelines, searches, and what networks add."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from evorrn import EchoState, EvorrnError
from evorrn.sklearn import RNNClassifier, RNNRegressor

QUICK = {"cell": "leaky", "hidden": 30, "budget": "3gen"}


def series(rng, count, steps=12, inputs=2):
    x = rng.normal(size=(count, steps, inputs))
    return x, x[:, -1, 0] + 0.5 * x[:, -2, -1]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [RNNRegressor, RNNClassifier])
@pytest.mark.parametrize(
    "strategy, settings",
    [
        ("esn", QUICK),
        ("bptt", {"cell": "elman", "hidden": 8, "budget": "120gen"}),
        ("evolved-esn", {"cell": "leaky", "hidden": 40, "budget": "4gen"}),
    ],
)
def test_scikit_learns_own_checks_pass(kind, strategy, settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(kind(strategy, **settings), on_fail=None, on_skip=None)
    assert len(found) > 40
    assert not [f"{one['check_name']}: {one['exception']}" for one in found if one["status"] == "failed"]


@pytest.mark.parametrize("inputs, outputs", [(1, 1), (3, 1), (2, 2)])
def test_a_regressor_predicts_in_the_units_of_its_targets(inputs, outputs):
    rng = np.random.default_rng(inputs)
    x, first = series(rng, 90, inputs=inputs)
    y = 100 + 20 * (first if outputs == 1 else np.column_stack([first, -first]))
    model = RNNRegressor(EchoState(reservoirs=3), random_state=0, **QUICK).fit(x[:70], y[:70])
    assert model.predict(x[70:]).shape == y[70:].shape and model.score(x[70:], y[70:]) > 0.9
    assert model.n_features_in_ == 12 and model.result_.network.inputs == inputs
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    same = clone(model).fit(x[:70], y[:70])
    np.testing.assert_array_equal(same.predict(x), model.predict(x))


def test_a_classifier_gives_probabilities_of_labels_of_any_kind():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 10))
    labels = np.where(x[:, -1] > 0.4, "high", np.where(x[:, -1] < -0.4, "low", "middle"))
    model = RNNClassifier("bptt", cell="elman", hidden=6, budget="80gen", random_state=0)
    model.fit(x[:90], labels[:90])
    shares = model.predict_proba(x[90:])
    assert model.classes_.tolist() == ["high", "low", "middle"] and model.score(x[90:], labels[90:]) > 0.8
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (model.classes_[shares.argmax(axis=1)] == model.predict(x[90:])).all()


def test_pipelines_and_searches_take_it():
    rng = np.random.default_rng(2)
    x, y = series(rng, 60)
    pipeline = make_pipeline(FunctionTransformer(np.tanh), RNNRegressor("esn", random_state=0, **QUICK))
    assert len(cross_val_score(pipeline, x, y, cv=3)) == 3
    search = GridSearchCV(pipeline, {"rnnregressor__hidden": [5, 30]}, cv=2).fit(x, y)
    assert search.best_params_["rnnregressor__hidden"] in (5, 30) and search.predict(x).shape == (60,)


def test_wrong_input_is_an_error_with_a_sentence():
    rng = np.random.default_rng(3)
    x, y = series(rng, 20)
    model = RNNRegressor("esn", random_state=0, **QUICK).fit(x, y)
    with pytest.raises(ValueError, match="X has 7 features, but RNNRegressor is expecting 12"):
        model.predict(x[:, :7])
    with pytest.raises(EvorrnError, match="did you mean 'bptt'"):
        RNNRegressor("bpttt").fit(x, y)
    for share in (1.5, "0.2", None):
        with pytest.raises(EvorrnError, match="validation: expected a share"):
            RNNRegressor("esn", validation=share).fit(x, y)
    for settings in (3, "hidden", [1]):
        with pytest.raises(EvorrnError, match="network: expected settings by name, got"):
            RNNRegressor("esn", network=settings).fit(x, y)
    with pytest.raises(ValueError, match="at least two classes"):
        RNNClassifier("esn").fit(x, np.zeros(20, dtype=int))


@pytest.mark.parametrize("fitted,given", [(2, 1), (1, 2), (3, 2)])
def test_another_number_of_inputs_at_a_time_step_is_refused_and_not_broadcast(fitted, given):
    X = np.random.default_rng(0).normal(size=(12, 5, 3))
    model = RNNRegressor("esn", cell="leaky", hidden=5, budget="1gen").fit(X[:, :, :fitted], X[:, -1, 0])
    with pytest.raises(ValueError, match=f"expected {fitted} inputs at each time step"):
        model.predict(X[:, :, :given])
    if fitted > 1:
        with pytest.raises(ValueError, match="inputs at each time step"):
            model.predict(X[:, :, 0])


@pytest.mark.parametrize("readout", ["last", "mean", "max", "sampled:3"])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_readouts_of_whole_sequences_predict_what_the_network_gives_for_each(readout, samples):
    rng = np.random.default_rng(samples)
    x, first = series(rng, 24, steps=4)
    settings = {
        "cell": "elman",
        "hidden": 3,
        "budget": "1gen",
        "random_state": 0,
        "network": {"readout": readout},
    }
    y = np.column_stack([first, 3 * first + 5])
    model = RNNRegressor("bptt", **settings).fit(x, y)
    scaled = (x[:samples] - x.mean(axis=(0, 1))) / x.reshape(-1, 2).std(axis=0)
    raw = [model.result_.network.predict(model.result_.genome, one[None])[0] for one in scaled]
    np.testing.assert_allclose(model.predict(x[:samples]), np.array(raw) * y.std(axis=0) + y.mean(axis=0))
    assert RNNRegressor("bptt", **settings).fit(x, first).predict(x[:samples]).shape == (samples,)
    classes = RNNClassifier("bptt", **settings).fit(x, np.where(first > 0, "up", "down"))
    shares = classes.predict_proba(x[:samples])
    assert shares.shape == (samples, 2) and set(classes.predict(x[:samples])) <= {"up", "down"}
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_what_data_decide_and_empty_sequences_are_refused_in_words():
    x = np.random.default_rng(0).normal(size=(12, 3, 2))
    with pytest.raises(EvorrnError, match="expected no loss, outputs, which X and y"):
        RNNRegressor("bptt", network={"loss": "mse", "outputs": 3}, budget="1gen").fit(x, x[:, 0, 0])
    for empty in (x[:, :0], x[:, :, :0]):
        with pytest.raises(ValueError, match="without empty axes"):
            RNNRegressor("bptt", budget="1gen").fit(empty, x[:, 0, 0])
