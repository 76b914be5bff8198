"""The class Budget: the limits at which a run stops."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Protocol, Self

from evorrn.base.checks import is_number
from evorrn.base.errors import ConfigError, unknown
from evorrn.base.settings import plain
from evorrn.training.progress import Progress

_SUFFIX = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_TEXT = re.compile(r"^\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([kMGT]?)\s*(gen|eval|steps|s)?\s*$")
_BARE = re.compile(r"[0-9.]\s*(,|$)")
"""A number that ends without a unit."""
TARGETS = ("loss", "learned")
"""Limits that a run may never reach; every other one is a cost, which grows with each step."""
_FIELD = {None: "work", "gen": "generations", "eval": "evaluations", "steps": "steps", "s": "seconds"}


class Cost(Protocol):
    """The part of a `Meter` or a `Progress` that a budget limits."""

    @property
    def work(self) -> int:
        """Multiply-adds."""

    @property
    def steps(self) -> int:
        """Network time steps, forward and backward."""

    @property
    def evaluations(self) -> int:
        """Genomes evaluated on training data."""

    @property
    def seconds(self) -> float:
        """Wall time without compiling."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of a run, given by name. The run stops at the first limit it reaches, and records which one it was.

    A run may never reach `loss` or `learned`. A strategy without an end of its own needs a limit of cost beside them.

    Parameters
    ----------
    work : int, optional
        Multiply-adds.
    generations : int, optional
        Steps of the strategy: generations, epochs or ridge solves.
    evaluations : int, optional
        Genomes evaluated on training data.
    steps : int, optional
        Network time steps, forward and backward.
    seconds : float, optional
        Wall time without compiling. A run limited by time gives other results when repeated.
    loss : float, optional
        Stop when the lowest training loss is at most this value.
    learned : float, optional
        Stop when this share (above 0, up to 1) of the training sequences is learned.
    tolerance : float, optional
        A sequence is learned when the absolute error of every scored entry is at most `tolerance`, 0.04 by
        default; only with `learned`.

    Raises
    ------
    ConfigError
        When limits are wrong, for instance zero, negative or not a number; the error lists all of them.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.Budget(generations=200).values()
    {'generations': 200}
    >>> evorrn.Budget.parse("20G,60s") == evorrn.Budget(work=20_000_000_000, seconds=60)
    True
    """

    work: int | None = None
    generations: int | None = None
    evaluations: int | None = None
    steps: int | None = None
    seconds: float | None = None
    loss: float | None = None
    learned: float | None = None
    tolerance: float | None = None

    def __new__(cls, *unnamed: object, **limits: object) -> Self:
        """Raise TypeError for a limit without a name: a number alone could be steps, seconds or multiply-adds."""
        if unnamed:
            raise TypeError(
                "Budget: expected limits by name, for instance Budget(generations=20), or a text as in "
                f"Budget.parse('20gen'), got {unnamed[0]!r}"
            )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        problems = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            value = plain(value)  # converts NumPy numbers
            object.__setattr__(self, field.name, value)
            if not (is_number(value) and math.isfinite(value)):
                problems.append(f"budget.{field.name}: expected a finite number, got {value!r}")
            elif field.name in ("work", "generations", "evaluations", "steps"):
                if value < 1 or value != int(value):
                    problems.append(
                        f"budget.{field.name}: expected a whole number of at least 1, got {value!r}"
                    )
                else:
                    object.__setattr__(self, field.name, int(value))
            elif field.name == "seconds" and value <= 0:
                problems.append(f"budget.seconds: expected more than 0, got {value!r}")
            elif field.name == "tolerance" and value < 0:
                problems.append(f"budget.tolerance: expected at least 0, got {value!r}")
            elif field.name == "learned" and not 0 < value <= 1:
                problems.append(f"budget.learned: expected a share above 0 and up to 1, got {value!r}")
        if self.tolerance is not None and self.learned is None:
            problems.append("budget.tolerance: has a meaning only together with budget.learned")
        if problems:
            raise ConfigError(problems)

    @classmethod
    def given(cls, budget: object) -> Budget:
        """Return the budget that somebody types: as `parse`, but a number above 0 without a unit is refused.

        It could be generations, evaluations, seconds or multiply-adds.
        """
        found = cls.parse(budget)
        if not isinstance(budget, Budget | dict) and _BARE.search(str(budget)):
            work = str(Budget(work=found.work).text())
            raise ConfigError(
                "budget: expected a number with its unit, for instance 20G (multiply-adds), 500gen, 2000eval or 60s, got "
                f"{budget!r}; so many multiply-adds are {f'{int(work) / 1000:.15g}k' if work.isdigit() else work}"
            )
        return found

    @classmethod
    def parse(cls, text: object) -> Budget:
        """Return the budget of a text such as ``20G`` (multiply-adds; k, M, G, T), ``500gen``, ``2000eval``, ``60s``.

        Parameters
        ----------
        text : str, Budget, number or dict
            A text may contain several limits separated by commas, for instance ``"20G,60s"``. A number is a number
            of multiply-adds, a dict has the parameters of `Budget`.

        Raises
        ------
        ConfigError
            When the text has another form, or limits are unknown, wrong or given twice.
        """
        if isinstance(text, Budget):
            return text
        if isinstance(text, dict):
            names = [field.name for field in dataclasses.fields(cls)]
            wrong = [f"budget.{name}: {unknown('limit', name, names)}" for name in text if name not in names]
            if wrong:
                raise ConfigError(wrong)
            return cls(**text)
        limits: dict[str, float] = {}
        for part in str(text).split(","):
            match = _TEXT.match(part)
            try:
                value = float(match.group(1)) * _SUFFIX[match.group(2)] if match else math.nan
            except ValueError:
                value = math.nan
            if match is None or not math.isfinite(value):
                raise ConfigError(
                    f"budget: expected something like 20G (multiply-adds), 500gen, 2000eval or 60s, got {part!r}"
                )
            name = _FIELD[match.group(3)]
            if name in limits:
                raise ConfigError(f"budget: {name} is given twice in {text!r}")
            whole = math.isclose(value, round(value), rel_tol=1e-12)  # 1.1 * 10**9 is not exact as a float
            limits[name] = round(value) if whole and name != "seconds" else value
        return cls(**limits)  # type: ignore[arg-type]

    def values(self) -> dict[str, float]:
        """Return ``{name: value}`` of the limits that are set."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    def used(self, progress: Progress) -> float | None:
        """Return the share (0 to 1) of the budget that a run has used, the largest of those of all limits.

        None when only `loss` or `learned` are set, since their share is unknown.
        """
        return self.share(progress, progress.step)

    def share(self, spent: Cost, step: int) -> float | None:
        """Return the share of the budget that a cost and a number of strategy steps are; see `used`."""
        amounts = {
            "work": spent.work,
            "generations": step,
            "evaluations": spent.evaluations,
            "steps": spent.steps,
            "seconds": spent.seconds,
        }
        shares = [
            value / limit for name, value in amounts.items() if (limit := getattr(self, name)) is not None
        ]
        return min(1.0, max(shares)) if shares else None

    def text(self) -> str | None:
        """Return the text that `parse` reads as this budget, for instance ``20G,60s``; None when there is none."""
        words = []
        for unit, name in _FIELD.items():
            value = getattr(self, name)
            if name == "seconds" and value is not None:
                words.append(f"{value:g}s")
            elif value is not None:
                suffix = next(suffix for suffix in reversed(_SUFFIX) if value % _SUFFIX[suffix] == 0)
                words.append(f"{value // _SUFFIX[suffix]}{suffix}{unit or ''}")
        text = ",".join(words)
        return text if words and Budget.parse(text) == self else None

    def check_end(self, strategy: str) -> None:
        """Raise ConfigError when a run might never end: without limits, and with `loss` and `learned` alone.

        Parameters
        ----------
        strategy : str
            The name of a strategy that has no end of its own.
        """
        targets = [f"{name} = {value:g}" for name, value in self.values().items() if name in TARGETS]
        if self.empty:
            raise ConfigError(
                f"budget: {strategy} has no end of its own; give a budget, for instance Budget(generations=100)"
            )
        if len(targets) == len(self.values().keys() - {"tolerance"}):
            raise ConfigError(
                f"budget: {strategy} has no end of its own, and may never reach {' or '.join(targets)}; add a limit of "
                "cost: work, generations, evaluations, steps or seconds"
            )

    @property
    def empty(self) -> bool:
        """Whether no limit is set."""
        return not any(name != "tolerance" for name in self.values())
