"""Noise and dropout on the inputs of training sequences."""

from __future__ import annotations

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch


def corrupted(batch: Batch, rng: np.random.Generator, noise: float, dropout: float) -> Batch:
    """Return a batch with other inputs: some set to zero, and noise added to all.

    Parameters
    ----------
    batch : Batch
    rng : Generator
    noise : float
        Standard deviation of the normal noise.
    dropout : float
        The probability with which an input at a time step becomes zero; the others are divided by one less it, so that their mean
        remains.

    Raises
    ------
    ConfigError
        For inputs that are symbols.

    Notes
    -----
    Source: dropout of inputs: Srivastava et al. 2014, section 4; noise: Bishop 1995, "Training with noise is equivalent to
    Tikhonov regularization".
    """
    if batch.symbols:
        raise ConfigError(
            "strategy.input_noise and input_dropout: expected 0, since the inputs are symbols and no numbers"
        )
    inputs = np.array(batch.inputs, np.float64)
    if dropout:
        inputs *= (rng.random(inputs.shape) >= dropout) / (1 - dropout)
    if noise:
        inputs += noise * rng.standard_normal(inputs.shape)
    return batch.with_inputs(inputs)
