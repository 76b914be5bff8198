"""How close the gradients of online methods come to the exact one."""

import numpy as np
import pytest

from evorrn import RFLO, RTRL, Batch, BlockRTRL, EProp, Network, SnAp
from evorrn.base.errors import ConfigError
from evorrn.diagnostics import gradient_cosines


def made(cell, seed=0):
    rng = np.random.default_rng(seed)
    network = Network(2, 1, cell=cell, hidden=4, dtype="float64")
    batch = Batch(rng.standard_normal((3, 12, 2)), rng.standard_normal((3, 12, 1)), lengths=[12, 5, 9])
    return network, np.array([network.init(seed=seed) for seed in range(3)]), batch


def test_exact_methods_have_a_cosine_of_1_and_local_ones_a_smaller_one():
    network, genomes, batch = made("lstm")
    cosines = gradient_cosines(network, genomes, batch, [RTRL(), BlockRTRL(), SnAp(), EProp()])
    assert cosines.shape == (3, 4)
    np.testing.assert_allclose(cosines[:, :2], 1, rtol=1e-10)
    assert (cosines[:, 2:] < 1 - 1e-6).all() and (cosines[:, 2:] > 0).all()


def test_a_method_that_cannot_train_the_network_is_refused():
    with pytest.raises(ConfigError, match="rflo needs units whose past decays at a constant rate"):
        gradient_cosines(*made("lstm"), [RTRL(), RFLO()])
    with pytest.raises(ConfigError, match=r"expected online strategies such as evorrn.RTRL\(\), got 'snap'"):
        gradient_cosines(*made("lstm"), [RTRL(), "snap"])


def test_a_gradient_of_zero_has_no_cosine():
    network, genomes, batch = made("elman")
    still = Batch(batch.inputs, np.zeros((3, 12, 1)))
    assert np.isnan(gradient_cosines(network, 0 * genomes, still, [RTRL()])).all()
