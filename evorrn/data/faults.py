"""Errors for an environment whose observations or rewards are not finite numbers of the right shape."""

from __future__ import annotations

import numpy as np

from evorrn.base.errors import EvorrnError


def moment(time_step: int, start: str) -> str:
    """Return the words that say when something happened in an episode; time step 0 is its start."""
    when = f"at time step {time_step}" if time_step else "at the start"
    return f"{when} of the episode from {start}"


def not_finite(environment: str, what: str, values: np.ndarray, time_step: int, start: str) -> EvorrnError:
    """Return the error for an observation or a reward with a value that is NaN or infinite.

    Parameters
    ----------
    environment : str
        Name of the environment.
    what : str
        ``"observation"``, ``"reward"`` or ``"sum of rewards"``.
    values : ndarray
        The observation, or the reward.
    time_step : int
        Number of actions taken before: 0 for the observation of the start, 1 for the first reward.
    start : str
        The start of the episode, for instance ``"seed 3"``.
    """
    flat = np.ravel(values)
    place = int(np.flatnonzero(~np.isfinite(flat))[0])
    number = f" {place + 1}" if flat.size > 1 else ""
    return EvorrnError(
        f"environment {environment}: expected a finite {what}{number}, got {flat[place]} "
        f"{moment(time_step, start)}"
    )


def state_text(state: np.ndarray) -> str:
    """Return a start state (states,) as text; of a long one, the first numbers."""
    shown = ", ".join(f"{value:g}" for value in state[:6])
    return f"state [{shown}{', ...' if len(state) > 6 else ''}]"
