"""What a network and its data must be for a solved readout, and the steps that a readout is fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.losses.sequence import SequenceLoss

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

LARGEST_STATE = 1e12
"""States beyond this have diverged."""


def sees_output(network: Network) -> bool:
    """Return whether a network's last output is fed back, as an input or to its cell."""
    return network.feeds_back


def check_fed_back(name: str, network: Network) -> None:
    """Raise ConfigError for a network that sees its own logits, in whose place targets cannot go back."""
    if sees_output(network) and network.loss_function.logits and network.fed_back == "output":
        raise ConfigError(
            f"strategy {name}: a network that sees its own output needs the loss mse or a network with "
            'fed_back="probability" or "bit"; the targets that go back while states are computed are not logits'
        )


def check_solvable(name: str, network: Network) -> None:
    """Raise ConfigError for a loss on whole sequences, to which no readout can be fitted by regression."""
    if isinstance(network.loss_function, SequenceLoss):
        raise ConfigError(
            f"strategy {name}: a readout is solved by regression on a target for each time step, and the loss "
            f"{network.loss_name} has labels of whole sequences; train it with ga, cma-es or bptt"
        )


def check_washout(name: str, problem: Problem, washout: int | None) -> None:
    """Raise ConfigError when a given washout takes rows that the readout needs: one for each weight, or all there are."""
    batch, network = problem.batch("train"), problem.network
    if washout is None:
        return
    weights = network.readout_width + network.inputs * network.direct + 1
    left, scored = int(fitted_steps(batch, washout).sum()), int(batch.scored.sum())
    emptied = not (batch.scored & (np.arange(batch.steps) >= washout)).any()
    if left < weights <= scored or (emptied and left < scored):
        raise ConfigError(
            f"strategy {name}: a washout of {washout} leaves {left} of {scored} scored steps to fit the readout on; "
            f"each output has {weights} weights, and needs at least as many"
        )


def fitted_steps(batch: Batch, washout: int | None) -> np.ndarray:
    """Return which steps (B, T) a readout is fitted on: scored ones after the washout.

    Parameters
    ----------
    batch : Batch
    washout : int or None
        First steps of each sequence that are left out, even if scored; None for a tenth of the sequence,
        at most 100 steps, and no steps where these are linked. When all scored steps of a sequence are in the washout, its last one is kept.
    """
    assert batch.lengths is not None
    forgets = washout is None and batch.links is None
    first = np.minimum(batch.lengths // 10, 100) if forgets else np.full(batch.size, washout or 0)
    kept = batch.scored & (np.arange(batch.steps) >= first[:, None])
    last = batch.steps - 1 - batch.scored[:, ::-1].argmax(axis=1)
    emptied = np.flatnonzero(batch.scored.any(axis=1) & ~kept.any(axis=1))
    kept[emptied, last[emptied]] = True
    return kept


def check_density(
    name: str, network: Network, density: float | tuple[float, float] | None, groups: int
) -> None:
    """Raise ConfigError when a density gives less than one link into each unit of a group, with which no signal goes round."""
    least = density[0] if isinstance(density, tuple) else density
    units = max(min(network.hidden) // groups, 1)
    if least is not None and least * units < 1:
        raise ConfigError(
            f"strategy {name}: a density of {least:g} is {least * units:.3g} links into each of {units} units"
            f"{' of a group' if groups > 1 else ''}; "
            f"expected at least one, a density of {1 / units:.3g}"
        )


def check_factors(name: str, network: Network, strategy: Any) -> None:
    """Raise ConfigError when a strategy has another number of factors than there are inputs, or layers.

    `strategy` has the settings `input_factors`, `radius_factors`, `layer_factors` and `groups`.
    """
    wanted = {
        "input_factors": (network.inputs, "inputs"),
        "radius_factors": (len(network.hidden), "layers"),
        "layer_factors": (len(network.hidden), "layers"),
    }
    problems = [
        f"strategy {name}: {setting}: expected {count} factors, one for each of the {what}, got {len(getattr(strategy, setting))}"
        for setting, (count, what) in wanted.items()
        if len(getattr(strategy, setting)) not in (0, count)
    ]
    if strategy.groups > min(network.hidden):
        problems.append(
            f"strategy {name}: groups: expected at most {min(network.hidden)} units, got {strategy.groups}"
        )
    if problems:
        raise ConfigError(problems)
