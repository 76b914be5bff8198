"""Rates of gradient descent for blocks of a genome."""

import numpy as np
import pytest

import evorrn
from evorrn import BPTT, Network
from evorrn.base.errors import ConfigError


def test_blocks_have_rates_of_their_own_and_a_rate_of_zero_keeps_them():
    task = evorrn.task("adding", length=5, train=12, valid=6, test=6)
    network = Network.for_task(task, cell="elman", hidden=3)
    genomes = {}
    for name, rates in (("all", None), ("some", {"readout": 0.0, "layer0.W_h": 0.5})):
        bptt = BPTT(optimiser="sgd", momentum=0.0, clip=0.0, batch_size=0, weight_decay=0.1, rates=rates)
        genomes[name] = network.unpack(bptt.fit(network, task, seed=0, budget="1gen").genome)
    begin = network.unpack(
        BPTT(rates={"readout": 0.0, "layer0": 0.0}).fit(network, task, seed=0, budget="1gen").genome
    )
    for name, before in begin.items():
        factor = {"readout.W": 0.0, "readout.b": 0.0, "layer0.W_h": 0.5}.get(name, 1.0)
        moved = genomes["all"][name] - before
        assert np.abs(moved).max() > 0
        np.testing.assert_allclose(genomes["some"][name] - before, factor * moved, rtol=1e-4, atol=1e-7)


def test_rates_of_blocks_that_do_not_exist_or_are_negative_are_refused():
    task = evorrn.task("adding", length=5, train=12, valid=6, test=6)
    network = Network.for_task(task, cell="elman", hidden=3)
    with pytest.raises(ConfigError, match=r"rates\.readuot: unknown block 'readuot'; did you mean 'readout"):
        BPTT(rates={"readuot": 0.0}).fit(network, task, seed=0, budget="1gen")
    with pytest.raises(ConfigError, match=r"rates\.readout: expected a number of at least 0, got -1"):
        BPTT(rates={"readout": -1}).fit(network, task, seed=0, budget="1gen")
