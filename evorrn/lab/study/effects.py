"""Effects of the axes of a sweep on the error: each axis alone, two at a time, and all configurations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evorrn.lab.study.study import ABSENT, Configuration, Study, is_number, multiples

FEW = 12
"""Largest number of values of an axis that are shown one by one; more are drawn to scale."""
MOST_SLICES = 6


@dataclass(frozen=True)
class Effect:
    """The effect of one axis on the error.

    For each label there are ratios: errors as multiples of the mean of their block, where a block is a group of runs
    that differ in this axis alone. Without blocks they are multiples of the best on their task.
    """

    axis: str
    labels: list[str]
    ratios: list[np.ndarray]
    blocks: int

    @property
    def scattered(self) -> bool:
        """Whether there are too many values to show one by one."""
        return len(self.labels) > FEW and all(map(is_number, self.labels))

    @property
    def size(self) -> float:
        """The worst label's median as a multiple of the best one's; 1 when there is no effect."""
        groups = _bins(self.ratios) if self.scattered else [ratios for ratios in self.ratios if len(ratios)]
        medians = [float(np.median(group)) for group in groups]
        finite = [value for value in medians if math.isfinite(value) and value > 0]
        return max(finite) / min(finite) if finite else 1.0


@dataclass(frozen=True)
class Slice:
    """The relative error over two axes, the median over everything else.

    Errors are by ``(x label, y label)``, for points with runs.
    """

    x: str
    y: str
    x_labels: list[str]
    y_labels: list[str]
    errors: dict[tuple[str, str], float]

    @property
    def scattered(self) -> bool:
        """Whether an axis has too many values to show one by one."""
        return any(len(labels) > FEW for labels in (self.x_labels, self.y_labels))

    def table(self) -> np.ndarray:
        """Return the errors (len(y_labels), len(x_labels)), NaN for points without runs."""
        rows = [[self.errors.get((x, y), math.nan) for x in self.x_labels] for y in self.y_labels]
        return np.array(rows)


def effects(study: Study) -> list[Effect]:
    """Return the effects of all axes but the task's, the largest first.

    Runs that do not have the setting of an axis are left out of its effect.
    """
    names = [name for name in study.axes if name not in study.task_axes and len(_present(study, name)) > 1]
    return sorted((_effect(study, name) for name in names), key=lambda effect: -effect.size)


def slices(study: Study, found: Sequence[Effect]) -> list[Slice]:
    """Return the error over pairs of axes, those with the largest effects first."""
    names = [effect.axis for effect in found if effect.scattered or len(effect.labels) <= FEW][:4]
    found_slices = (_slice(study, x, y) for x, y in combinations(names, 2))
    return [one for one in found_slices if one.errors][:MOST_SLICES]


def pooled(study: Study) -> list[tuple[dict[str, str], float]]:
    """Return every configuration's values without the task's, and its median error over tasks, best last.

    Errors are multiples of the best on their task.
    """
    groups: dict[tuple[str, ...], list[Configuration]] = {}
    names = [name for name in study.axes if name not in study.task_axes]
    for cell in study.configurations:
        groups.setdefault(tuple(cell.values[name] for name in names), []).append(cell)
    found = [
        (dict(zip(names, point)), float(np.median([_typical(study, cell) for cell in cells])))
        for point, cells in groups.items()
    ]
    return sorted(found, key=lambda pair: -pair[1])


def _effect(study: Study, axis: str) -> Effect:
    labels = _present(study, axis)
    others = [name for name in study.axes if name != axis]
    blocks: dict[tuple[str, ...], dict[str, float]] = {}
    cells = [cell for cell in study.configurations if cell.values[axis] != ABSENT]
    for cell in cells:
        for trial in cell.trials:
            place = (*(cell.values[name] for name in others), str(trial.row.seed), cell.task)
            blocks.setdefault(place, {})[cell.values[axis]] = trial.error
    matched = [block for block in blocks.values() if len(block) > 1]
    # Incomplete blocks compare values with different others, so they are used only when no block is complete.
    whole = [block for block in matched if len(block) == len(labels)]
    used = whole or matched
    ratios: dict[str, list[float]] = {label: [] for label in labels}
    for block in used:
        errors = np.array(list(block.values()))
        if np.isfinite(errors).any():
            for label, ratio in zip(block, multiples(errors, float(errors[np.isfinite(errors)].mean()))):
                ratios[label].append(float(ratio))
    if not any(ratios.values()):
        for cell in cells:
            ratios[cell.values[axis]].append(_typical(study, cell))
        used = []
    return Effect(axis, labels, [np.array(ratios[label]) for label in labels], len(used))


def _slice(study: Study, x: str, y: str) -> Slice:
    found: dict[tuple[str, str], list[float]] = {}
    for cell in study.configurations:
        if ABSENT not in (cell.values[x], cell.values[y]):
            found.setdefault((cell.values[x], cell.values[y]), []).append(_typical(study, cell))
    errors = {place: float(np.median(values)) for place, values in found.items()}
    return Slice(x, y, _present(study, x), _present(study, y), errors)


def _present(study: Study, axis: str) -> list[str]:
    """Return the values of an axis, without the label of runs that do not have the setting."""
    return [label for label in study.axes[axis] if label != ABSENT]


def _typical(study: Study, cell: Configuration) -> float:
    """Return the median error of a configuration as a multiple of the best on its task."""
    return float(study.relative(cell.task, np.array([np.median(cell.errors)]))[0])


def _bins(ratios: Sequence[np.ndarray], count: int = 5) -> list[np.ndarray]:
    """Return the ratios in a few groups of neighbouring labels."""
    parts = np.array_split(np.arange(len(ratios)), count)
    return [np.concatenate([ratios[place] for place in part]) for part in parts if len(part)]
