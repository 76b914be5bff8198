"""What a run kept of its network's doings on test, read back from its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evorrn.base.errors import RunError
from evorrn.lab.report.curves import Predictions, Trajectory

Kept = Predictions | Trajectory
KINDS: tuple[type[Predictions] | type[Trajectory], ...] = (Predictions, Trajectory)


def read_kept(folder: Path) -> Kept:
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
                with np.load(path, allow_pickle=False) as arrays:
                    return kind(**arrays)
            except (OSError, ValueError, TypeError) as error:
                raise RunError(f"cannot read {path}: {error}") from None
    names = " or ".join(f"{kind.kind}.npz" for kind in KINDS)
    raise RunError(f"{folder}: expected {names} in it")
