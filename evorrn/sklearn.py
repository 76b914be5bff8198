"""The face for scikit-learn: networks as a regressor and a classifier, for pipelines, grid search and cross-validation.

A sample is a whole sequence, and its target is predicted at the last time step, or by a readout that reads the sequence
once (``network={"readout": "mean"}``). The extra ``sklearn`` installs
scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Self

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("evorrn.sklearn needs scikit-learn: pip install 'evorrn[sklearn]'") from error

from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.strategies.base import Strategy
from evorrn.strategies.find import make_strategy
from evorrn.training.result import Result

FEWEST = 10
"""Samples below which none is held out for validation."""


class _RNNEstimator(BaseEstimator):  # type: ignore[misc]
    """What the regressor and the classifier share."""

    def __init__(
        self,
        strategy: Any = "bptt",
        *,
        cell: str = "gru",
        hidden: int | tuple[int, ...] = 16,
        network: Mapping[str, Any] | None = None,
        budget: Any = "500M",
        validation: float = 0.2,
        random_state: Any = None,
    ) -> None:
        self.strategy = strategy
        self.cell = cell
        self.hidden = hidden
        self.network = network
        self.budget = budget
        self.validation = validation
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _train(self, inputs: np.ndarray, targets: np.ndarray, loss: str, outputs: int) -> None:
        """Train a network on inputs (N, T, I) and targets (N, O) or labels (N,), and keep the result."""
        if not (isinstance(self.validation, Real) and 0 <= self.validation < 1):
            raise ConfigError(
                f"validation: expected a share of at least 0 and below 1, got {self.validation!r}"
            )
        given = {} if self.network is None else self.network
        if not isinstance(given, Mapping):
            raise ConfigError(f"network: expected settings by name, got {given!r}")
        known = sorted({"inputs", "outputs", "loss"} & set(given))
        if known:
            raise ConfigError(
                f"network: expected no {', '.join(known)}, which X and y and the estimator decide"
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        strategy = self.strategy if isinstance(self.strategy, Strategy) else make_strategy(self.strategy, {})
        chosen = {"cell": self.cell, "hidden": self.hidden, "dtype": "float64"}
        settings = {**strategy.network_defaults, **chosen, **given}
        network = Network(inputs.shape[2], outputs, loss=loss, **settings)
        parts = self._parts(len(inputs), targets if loss == "cross-entropy" else None, seed)
        make = _at_the_end if network.readout == "every" else Batch
        batches = [make(inputs[part], targets[part]) for part in parts]
        self.result_: Result = strategy.fit(network, batches, seed=seed, budget=self.budget)
        self.n_iter_ = len(self.result_.seconds)

    def _parts(self, count: int, labels: np.ndarray | None, seed: int) -> list[np.ndarray]:
        """Return the indices of training samples and, where there are enough, of those held out for validation."""
        everything = np.arange(count)
        held = round(self.validation * count)
        if count < FEWEST or held == 0:
            return [everything]
        rare = labels is None or np.bincount(labels).min() < 2 or held < len(np.unique(labels))
        train, valid = train_test_split(
            everything, test_size=held, random_state=seed, stratify=None if rare else labels
        )
        return [np.sort(train), np.sort(valid)]

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the outputs of the network at the last time step, or those of its readout of whole sequences, (N, O)."""
        check_is_fitted(self)
        valid = validate_data(self, X, reset=False, allow_nd=True, dtype=np.float64)
        inputs = _sequences(valid)
        if inputs.shape[2] != len(self.input_mean_):
            raise ValueError(
                f"X: expected {len(self.input_mean_)} inputs at each time step, as in fit, got shape {np.shape(valid)}"
            )
        scaled = (inputs - self.input_mean_) / self.input_scale_
        outputs = np.asarray(self.result_.predict(scaled))
        return outputs if self.result_.network.readout != "every" else outputs[:, -1]

    def _scaled(self, inputs: np.ndarray) -> np.ndarray:
        """Learn the mean and the deviation of every input, and return scaled inputs."""
        self.input_mean_ = inputs.mean(axis=(0, 1))
        self.input_scale_ = _deviation(inputs.reshape(-1, inputs.shape[2]))
        return np.asarray((inputs - self.input_mean_) / self.input_scale_)


class RNNRegressor(RegressorMixin, _RNNEstimator):  # type: ignore[misc]
    """A recurrent network as a regressor: it reads a sequence and predicts numbers at its last time step.

    Inputs and targets are scaled to mean 0 and deviation 1, learned in `fit`.

    Parameters
    ----------
    strategy : str or Strategy
        The way of training: a name as on the command line, or an object with its settings.
    cell, hidden
        As for `evorrn.Network`.
    network : mapping, optional
        Further keyword arguments of `evorrn.Network`, for instance ``{"direct": True}``; the dtype is float64 unless
        one is given.
    budget : str or Budget
        When to stop, see `evorrn.Budget`.
    validation : float
        Share of the samples that are held out to choose the best network; of fewer than 10 samples none is.
    random_state : int, RandomState or None
        Seed of the draws.

    Attributes
    ----------
    result_ : Result
        The run in full: genome, history, cost.
    n_features_in_ : int
        Number of columns of `X`, its second axis.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.sklearn import RNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 8, 2))
    >>> model = RNNRegressor("bptt", cell="elman", hidden=4, budget="3gen", random_state=0)
    >>> model.fit(X, X[:, -1, 0]).predict(X).shape
    (60,)
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on sequences X (N, T, I), or (N, T) of one input, and targets y (N,) or (N, O)."""
        X, y = validate_data(
            self,
            X,
            y,
            allow_nd=True,
            dtype=np.float64,
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=2,
        )
        inputs, targets = self._scaled(_sequences(X)), np.asarray(y, dtype=np.float64)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        self.single_output_ = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        self.target_mean_, self.target_scale_ = targets.mean(axis=0), _deviation(targets)
        self._train(inputs, (targets - self.target_mean_) / self.target_scale_, "mse", targets.shape[1])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the predictions (N,) or (N, O) for sequences X (N, T, I) or (N, T)."""
        outputs = self._outputs(X)
        outputs = outputs * self.target_scale_ + self.target_mean_
        return outputs[:, 0] if self.single_output_ else outputs


class RNNClassifier(ClassifierMixin, _RNNEstimator):  # type: ignore[misc]
    """A recurrent network as a classifier: it reads a sequence and predicts its class at the last time step.

    Inputs are scaled to mean 0 and deviation 1, learned in `fit`. The parameters and attributes are those of
    `RNNRegressor`; `classes_` are the labels.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.sklearn import RNNClassifier
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> labels = np.where(X[:, -1] > 0, "up", "down")
    >>> model = RNNClassifier("bptt", cell="elman", hidden=4, budget="60gen", random_state=0).fit(X, labels)
    >>> bool(model.score(X, labels) > 0.9), model.predict_proba(X).shape
    (True, (60, 2))
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on sequences X (N, T, I), or (N, T) of one input, and labels y (N,)."""
        X, y = validate_data(self, X, y, allow_nd=True, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least two classes, got 1 class, {self.classes_[0]!r}")
        inputs = self._scaled(_sequences(X))
        self._train(inputs, encoder.transform(y), "cross-entropy", len(self.classes_))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each sequence, (N,)."""
        outputs = self._outputs(X)
        return np.asarray(self.classes_[outputs.argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, (N, number of classes), in the order of `classes_`."""
        outputs = self._outputs(X)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _sequences(array: np.ndarray) -> np.ndarray:
    """Return inputs as (N, T, I): of a table (N, T) every row is a sequence of one input."""
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"X: expected shape (N, T) or (N, T, I) without empty axes, got {array.shape}")
    return array


def _at_the_end(inputs: np.ndarray, targets: np.ndarray) -> Batch:
    """Return sequences that are scored at their last time step."""
    if targets.ndim == 1:
        return Batch(inputs, targets)
    steps = inputs.shape[1]
    full = np.broadcast_to(targets[:, None], (len(targets), steps, targets.shape[1]))
    return Batch(inputs, full, mask=np.broadcast_to(np.arange(steps) == steps - 1, inputs.shape[:2]))


def _deviation(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column, 1 where it is constant."""
    spread = values.std(axis=0)
    return np.where(spread > 1e-12 * np.maximum(np.abs(values).max(axis=0), 1e-300), spread, 1.0)
