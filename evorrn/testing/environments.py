"""The check of an environment's contract, which training, resuming and comparing rely on."""

from __future__ import annotations

import dataclasses

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.base.settings import build
from evorrn.data.environment import Environment
from evorrn.data.metrics import EPISODE_METRICS
from evorrn.training import playing

TRIED_STEPS = 200
"""Largest number of steps for which the parts of a step are compared with the step."""


def check_environment(environment: Environment, *, seed: int = 0) -> None:
    """Check that an environment keeps its contract: settings, sizes, starts, reproducible episodes.

    Parameters
    ----------
    environment : Environment
    seed : int
        Seed of the starts and of the tried actions.

    Raises
    ------
    AssertionError
        Naming the first rule that the environment breaks.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn.testing import check_environment
    >>> check_environment(evorrn.task("t-maze", length=3))
    """
    kind = type(environment)
    _require(isinstance(getattr(kind, "name", None), str) and bool(kind.name), "name: expected text")
    _require(bool(kind.doc), f"{kind.__name__}: expected a docstring that describes the environment")
    _require(dataclasses.is_dataclass(kind), f"{kind.__name__}: expected @dataclass(frozen=True)")
    again = build(kind, environment.values(), "environment")
    _require(again == environment, "settings: expected values() to make the same environment")
    _require(bool(environment.metrics), "metrics: expected at least one")
    for name in environment.metrics:
        _require(name in EPISODE_METRICS, f"metrics: expected keys of EPISODE_METRICS, got {name!r}")
    for what, names, width in (
        ("input_names", environment.input_names, environment.observations),
        ("output_names", environment.output_names, environment.actions),
    ):
        _require(len(set(names)) == width, f"{what}: expected {width} different ones, got {names}")
    shown = environment.state_names
    _require(len(set(shown)) == len(shown), f"state_names: expected different ones, got {shown}")
    _check_starts(environment, seed)
    _check_episodes(environment, seed)
    _check_parts(environment, seed)


def _check_starts(environment: Environment, seed: int) -> None:
    """Check shapes and reproducibility of the starts."""
    starts, again, other = (playing.starts_of(environment, each) for each in (seed, seed, seed + 1))
    for split in ("train", "valid", "test"):
        found, count = getattr(starts, split), getattr(environment, split)
        shape = (count, environment.states)
        _require(found.shape == shape, f"starts: expected {split} of shape {shape}, got {found.shape}")
        _require(bool(np.isfinite(found).all()), f"starts: expected finite {split}")
        same = found.tobytes() == getattr(again, split).tobytes()
        _require(same, f"starts: expected the same bytes again for seed {seed}")
    changes = any(
        not np.array_equal(getattr(starts, s), getattr(other, s)) for s in ("train", "valid", "test")
    )
    _require(changes, "starts: expected another seed to draw different starts")


def _check_episodes(environment: Environment, seed: int) -> None:
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
    _require(bool(np.isfinite(returns).all()), f"step: expected finite rewards, got returns {returns}")
    inside = bool(((lengths >= 1) & (lengths <= environment.time_limit)).all())
    _require(inside, f"step: expected 1 to {environment.time_limit} time steps, got {lengths}")
    again, _ = played()
    _require(returns.tobytes() == again.tobytes(), "step: expected the same episode from the same start")
    succeeded = environment.succeeded(returns, lengths)
    if succeeded is not None:
        fits = np.shape(succeeded) == returns.shape and np.asarray(succeeded).dtype == bool
        _require(fits, f"succeeded: expected booleans of shape {returns.shape}, got {succeeded!r}")
    has_success = "success" in environment.metrics
    _require(
        has_success == (succeeded is not None),
        "metrics: expected success if and only if `succeeded` returns an array",
    )


def _check_parts(environment: Environment, seed: int) -> None:
    """Check that the parts of a step, if there are any, do what the step does."""
    if environment.parts is None:
        return
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
        _require(same, f"parts: expected {wanted} and the state {whole} of step, got {got} and {parted}")
        if wanted[1]:
            return


def _require(holds: bool, sentence: str) -> None:
    """Raise AssertionError with a sentence unless a condition holds."""
    if not holds:
        raise AssertionError(sentence)
