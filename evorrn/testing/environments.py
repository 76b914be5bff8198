"""The check of an environment's contract, which training, resuming and comparing rely on."""

from __future__ import annotations

import dataclasses

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.base.settings import build
from evorrn.data.environment import Environment
from evorrn.data.episode_metrics import EPISODE_METRICS
from evorrn.data.find import TASKS
from evorrn.testing.checking import Checking, made
from evorrn.training import playing

TRIED_STEPS = 200
"""Largest number of steps for which the parts of a step are compared with the step."""


def check_environment(environment: Environment | type[Environment] | str, *, seed: int = 0) -> None:
    """Check that an environment keeps its contract: settings, sizes, starts, reproducible episodes.

    Parameters
    ----------
    environment : Environment, type or str
        A class, a name or ``"file.py:name"`` stands for the environment with the default settings.
    seed : int
        Seed of the starts and of the tried actions.

    Raises
    ------
    AssertionError
        Naming every rule that the environment breaks.
    EvorrnError
        When there is no such environment, or it cannot be made.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn.testing import check_environment
    >>> check_environment(evorrn.task("t-maze", length=3))
    """
    checked = made(environment, TASKS.find_with_settings, Environment, "an environment")
    checking = Checking(f"check_environment {type(checked).__name__}")
    with checking.part("declarations"):
        _check_declarations(checking, checked)
    with checking.part(f"starts of the seeds {seed} and {seed + 1}"):
        _check_starts(checking, checked, seed)
    with checking.part("episodes"):
        _check_episodes(checking, checked, seed)
    if checked.parts is not None:
        with checking.part("parts of a step"):
            _check_parts(checking, checked, seed)
    checking.finish()


def _check_declarations(checking: Checking, environment: Environment) -> None:
    """Check the name, the settings and the other declarations."""
    kind = type(environment)
    checking.require(isinstance(getattr(kind, "name", None), str) and bool(kind.name), "name: expected text")
    checking.require(bool(kind.doc), f"{kind.__name__}: expected a docstring that describes the environment")
    checking.require(dataclasses.is_dataclass(kind), f"{kind.__name__}: expected @dataclass(frozen=True)")
    checking.require(bool(environment.metrics), "metrics: expected at least one")
    for name in environment.metrics:
        checking.require(name in EPISODE_METRICS, f"metrics: expected keys of EPISODE_METRICS, got {name!r}")
    for what, names, width in (
        ("input_names", environment.input_names, environment.observations),
        ("output_names", environment.output_names, environment.actions),
    ):
        checking.require(len(set(names)) == width, f"{what}: expected {width} different ones, got {names}")
    shown = environment.state_names
    checking.require(len(set(shown)) == len(shown), f"state_names: expected different ones, got {shown}")
    again = build(kind, environment.values(), "environment")
    checking.require(again == environment, "settings: expected values() to make the same environment")


def _check_starts(checking: Checking, environment: Environment, seed: int) -> None:
    """Check shapes and reproducibility of the starts."""
    starts, again, other = (playing.starts_of(environment, each) for each in (seed, seed, seed + 1))
    for split in ("train", "valid", "test"):
        found, count = getattr(starts, split), getattr(environment, split)
        shape = (count, environment.states)
        checking.require(
            found.shape == shape, f"starts: expected {split} of shape {shape}, got {found.shape}"
        )
        checking.require(bool(np.isfinite(found).all()), f"starts: expected finite {split}")
        same = found.tobytes() == getattr(again, split).tobytes()
        checking.require(same, f"starts: expected the same bytes again for seed {seed}")
    changes = any(
        not np.array_equal(getattr(starts, s), getattr(other, s)) for s in ("train", "valid", "test")
    )
    checking.require(changes, "starts: expected another seed to draw different starts")


def _check_episodes(checking: Checking, environment: Environment, seed: int) -> None:
    """Check that a start and the actions determine an episode, and that its rewards are finite."""
    starts = playing.starts_of(environment, seed).test[:2]

    def played() -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        try:
            return playing.play(
                environment, lambda count: rng.standard_normal((count, environment.actions)), starts
            )
        except EvorrnError as error:
            raise AssertionError(f"step: expected finite rewards and observations: {error}") from None

    returns, lengths = played()
    checking.require(
        bool(np.isfinite(returns).all()), f"step: expected finite rewards, got returns {returns}"
    )
    inside = bool(((lengths >= 1) & (lengths <= environment.time_limit)).all())
    checking.require(inside, f"step: expected 1 to {environment.time_limit} time steps, got {lengths}")
    again, _ = played()
    checking.require(
        returns.tobytes() == again.tobytes(), "step: expected the same episode from the same start"
    )
    succeeded = environment.succeeded(returns, lengths)
    if succeeded is not None:
        fits = np.shape(succeeded) == returns.shape and np.asarray(succeeded).dtype == bool
        checking.require(fits, f"succeeded: expected booleans of shape {returns.shape}, got {succeeded!r}")
    has_success = "success" in environment.metrics
    checking.require(
        has_success == (succeeded is not None),
        "metrics: expected success if and only if `succeeded` returns an array",
    )


def _check_parts(checking: Checking, environment: Environment, seed: int) -> None:
    """Check that the parts of a step, if there are any, do what the step does."""
    assert environment.parts is not None
    count, move, judge = environment.parts
    rng = np.random.default_rng(seed)
    whole = playing.starts_of(environment, seed).test[0].copy()
    parted = whole.copy()
    for _ in range(TRIED_STEPS):
        action = rng.standard_normal(environment.actions)
        wanted = environment.step(whole, action)
        moving = parted[:count].copy()
        move(moving, action)
        parted[:count] = moving
        got = judge(parted)
        same = np.allclose(parted, whole, rtol=1e-9) and np.allclose(got, wanted, rtol=1e-9)
        checking.require(
            same, f"parts: expected {wanted} and the state {whole} of step, got {got} and {parted}"
        )
        if wanted[1]:
            return
