"""What a run keeps of its network's outputs on test: predictions beside the truth, or the course of an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evorrn.base.errors import RunError
from evorrn.base.files import read_arrays, readable_json

EXCERPT = 150
"""Scored steps of a test split that stay readable in one plot."""


@dataclass(frozen=True)
class Predictions:
    """Outputs of a network beside the truth, in original units.

    The truth is (B, T, O), or (B, T) of labels; `predicted` is (B, T, O), logits for labels; `scored` is (B, T).
    `name` is that of the first output, `classes` are those of labels, where they are known. `dates` (B, T) are those of the truth: datetime64, or plain numbers such as years.
    `residuals` (n, O) are truth minus prediction at the scored steps of validation, for forecasts, and `own_residuals` those
    of the network's own outputs where these are not the forecasts that are judged. Where labels belong to
    whole sequences, the truth is (B, U) with `target_lengths` (B,), and `tokens` (B, V) with `token_lengths` (B,) are the
    labels that the outputs were decoded to.
    """

    kind: ClassVar[str] = "predictions"

    truth: np.ndarray
    predicted: np.ndarray
    scored: np.ndarray
    name: str = "value"
    dates: np.ndarray | None = None
    residuals: np.ndarray | None = None
    own_residuals: np.ndarray | None = None
    target_lengths: np.ndarray | None = None
    tokens: np.ndarray | None = None
    token_lengths: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether the truth is labels of classes."""
        return self.truth.ndim == 2

    def with_classes(self, folder: Path) -> Predictions:
        """Return the same with the names of labels from the result in a run folder, where it has them."""
        names = readable_json(folder / "result.json").get("output_names") if self.labelled else None
        known = isinstance(names, list) and len(names) == self.predicted.shape[2]
        return replace(self, classes=tuple(map(str, names))) if known else self  # type: ignore[arg-type]

    @property
    def single_steps(self) -> bool:
        """Whether there are many sequences of real targets, each scored at one step."""
        return not self.labelled and self.scored.sum(axis=1).max() == 1 and len(self.scored) > 4

    @property
    def of_patterns(self) -> bool:
        """Whether each sequence has one pattern of -1 and 1, of several entries, at one step."""
        if not self.single_steps or self.outputs < 2:
            return False
        return bool((np.abs(self.truth[self.scored]) == 1).all())

    @property
    def outputs(self) -> int:
        """The number of outputs beside each other in the truth; 1 for labels."""
        return 1 if self.labelled else self.truth.shape[2]

    def output(self, place: int, name: str) -> Predictions:
        """Return the predictions of one output alone, under its name."""
        column = slice(place, place + 1)
        residuals = None if self.residuals is None else self.residuals[:, column]
        truth, predicted = self.truth[:, :, column], self.predicted[:, :, column]
        return replace(self, truth=truth, predicted=predicted, residuals=residuals, name=name)

    def by_output(self, names: Sequence[str]) -> list[Predictions]:
        """Return the predictions of each output alone; these where there is one, or the names are not theirs."""
        if self.outputs == 1 or len(names) != self.outputs:
            return [self]
        return [self.output(place, name) for place, name in enumerate(names)]

    def excerpt(self, longest: int = EXCERPT) -> tuple[np.ndarray, np.ndarray]:
        """Return truth and prediction (n,) at the first scored steps, NaN between two sequences.

        Of several outputs the first is taken; of logits the label that they choose. Of labels of whole sequences, the true
        and the decoded ones by their place, NaN where one of them has fewer.
        """
        if self.target_lengths is not None:
            return self._excerpt_of_rows(self.target_lengths, longest)
        truth = self.truth if self.labelled else self.truth[:, :, 0]
        predicted = self.predicted.argmax(axis=2) if self.labelled else self.predicted[:, :, 0]
        shown = self.first(predicted, longest)
        return self.first(truth, longest), np.where(np.isfinite(shown), shown, np.nan)

    def _excerpt_of_rows(self, numbers: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first true and decoded labels (n,), side by side."""
        decoded, counts = self.tokens, self.token_lengths
        if decoded is None or counts is None:
            decoded, counts = self.truth, np.zeros_like(numbers)
        parts = []
        for true, number, found, count in zip(self.truth, numbers, decoded, counts):
            pair = np.full((2, max(number, count) + 1), np.nan)  # the last place divides sequences
            pair[0, :number], pair[1, :count] = true[:number], found[:count]
            parts.append(pair)
        both = np.concatenate(parts, axis=1)[:, :longest]
        return both[0], both[1]

    def excerpt_dates(self, longest: int = EXCERPT) -> np.ndarray | None:
        """Return the dates (n,) of the same steps, unknown between two sequences; None where there are none."""
        return None if self.dates is None else self.first(self.dates, longest)

    def first(self, values: np.ndarray, longest: int = EXCERPT) -> np.ndarray:
        """Return values (B, T) at the first `longest` scored steps (n,), with NaN or NaT between two sequences."""
        dated = values.dtype.kind == "M"
        gap = np.full(1, "NaT" if dated else np.nan, values.dtype if dated else np.float64)
        parts: list[np.ndarray] = []
        left = longest
        for row, scored in zip(values, self.scored):
            if left <= 0:
                break
            part = row[scored][:left] if dated else row[scored][:left].astype(np.float64)
            parts += [part, gap]
            left -= len(part)
        return np.concatenate(parts[:-1])

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return truth and prediction (N,) of the first output at every scored step."""
        return self.truth[:, :, 0][self.scored], self.predicted[:, :, 0][self.scored]


@dataclass(frozen=True)
class Trajectory:
    """The course of one episode, and how all episodes on test ended.

    Observations (T, I), actions (T, O), rewards (T,) and states (T, S) are those of the episode of test start number
    `start`; returns and lengths (E,) are those of every episode. The names of states and actions end with their units
    in brackets, where they have one.
    """

    kind: ClassVar[str] = "trajectory"

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    states: np.ndarray
    state_names: np.ndarray
    action_names: np.ndarray
    start: int
    returns: np.ndarray
    lengths: np.ndarray

    def panels(self) -> list[tuple[str, dict[str, np.ndarray]]]:
        """Return ``(label, {name: series})`` of what is drawn together: states of one unit, then the actions."""
        states, actions = _by_unit(self.states, self.state_names), _by_unit(self.actions, self.action_names)
        named = [(unit or "state", series) for unit, series in states.items()]
        return [
            *named,
            *((f"output, {unit}" if unit else "output", series) for unit, series in actions.items()),
        ]


def _by_unit(values: np.ndarray, names: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Return the columns of values (T, n) by unit and name; a unit stands in brackets after the name."""
    grouped: dict[str, dict[str, np.ndarray]] = {}
    for place, full in enumerate(names.tolist()):
        name, _, unit = full.removesuffix(")").partition(" (")
        grouped.setdefault(unit, {})[name] = values[:, place]
    return grouped


Outputs = Predictions | Trajectory
KINDS: tuple[type[Predictions] | type[Trajectory], ...] = (Predictions, Trajectory)


def read_outputs(folder: Path) -> Outputs:
    """Return the predictions of a run on sequences, or the trajectory of one in an environment.

    Raises
    ------
    RunError
        When the folder holds neither, or it cannot be read.
    """
    for kind in KINDS:
        path = folder / f"{kind.kind}.npz"
        if path.exists():
            try:
                arrays: dict[str, Any] = read_arrays(path)
                shown = kind(**arrays)
                return shown if isinstance(shown, Trajectory) else shown.with_classes(folder)
            except Exception as error:  # a damaged file can fail in any way
                raise RunError(f"cannot read {path}: {error}") from None
    names = " or ".join(f"{kind.kind}.npz" for kind in KINDS)
    raise RunError(f"{folder}: expected {names} in it")
