"""The Kuramoto-Sivashinsky equation: its solution against SciPy's, and the contract of the task."""

import numpy as np
from scipy.integrate import solve_ivp

import evorrn
from evorrn.testing import check_task
from evorrn_tasks.kuramoto_sivashinsky import LENGTH, integrate


def slope(_, u):
    """Return ``-u u_x - u_xx - u_xxxx`` of a field on the ring, derivatives by Fourier transforms."""
    waves = 2j * np.pi / LENGTH * np.fft.fftfreq(len(u), 1 / len(u))
    odd = waves.copy()
    odd[len(u) // 2] = 0.0
    field, square = np.fft.fft(u), np.fft.fft(u * u)
    return np.fft.ifft(-odd * square / 2 - waves**2 * field - waves**4 * field).real


def test_the_solution_is_that_of_scipy():
    place = 2 * np.pi * np.arange(32) / 32
    start = np.cos(place) + 0.5 * np.sin(2 * place + 1)
    found = integrate(start, 9)
    times = 0.25 * np.arange(9)
    known = solve_ivp(slope, (0, 2), start, method="LSODA", t_eval=times, rtol=1e-9, atol=1e-11).y.T
    np.testing.assert_allclose(found, known, atol=1e-4)
    finer = integrate(start, 9, substeps=8)
    assert np.abs(finer - known).max() < np.abs(found - known).max() / 10
    assert np.abs(found.mean(axis=1)).max() < 1e-12


def test_the_task_keeps_its_contract_and_its_field_stays_bounded():
    task = evorrn.task("kuramoto-sivashinsky", train=200, valid=60, ahead=40, continuations=2, washout=50)
    check_task(task)
    splits = task.data(0)
    rows = splits.scaling.restore_inputs(splits.train.inputs[0])
    assert rows.shape == (250, 32) and np.abs(rows).max() < 5 and np.abs(rows.mean(axis=1)).max() < 1e-9
    assert task.step_time == 0.0115 and task.free_run
