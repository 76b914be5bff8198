"""Counts that a user gives: whole numbers whose arrays fit into memory."""

import numpy as np
import pytest

from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError
from evorrn.base.memory import whole_number
from evorrn.diagnostics import memory_capacity


@pytest.mark.parametrize("value", [0, -1, 2.5, "a", True, None, np.float64(3.0), 10**15])
def test_a_count_that_is_none_or_too_large_is_refused_in_words(value):
    with pytest.raises(ConfigError, match=r"steps: expected (a whole number|fewer, as .* GiB of memory)"):
        whole_number("steps", value)
    assert whole_number("steps", np.int64(3)) == 3


@pytest.mark.parametrize("steps", [0, 2.5, "a", 10**13])
def test_steps_of_forecasts_and_diagnostics_are_such_counts(steps):
    wave = np.sin(0.3 * np.arange(61))[None, :, None]
    network = Network(1, 1, cell="leaky", hidden=4, dtype="float64")
    result = EchoState(reservoirs=1).fit(network, Batch(wave[:, :-1], wave[:, 1:]), seed=0)
    with pytest.raises(ConfigError, match="steps: expected"):
        result.forecast(wave[0], steps)
    with pytest.raises(ConfigError, match="steps: expected"):
        memory_capacity(network, result.genome, delays=5, steps=steps)
