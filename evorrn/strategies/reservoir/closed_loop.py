"""A compiled loop in which a network runs on its own output while recursive least squares changes its weights."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached
from evorrn.strategies.reservoir.conditions import LARGEST_STATE
from evorrn.strategies.reservoir.recursion import shrink_and_multiply
from evorrn.strategies.reservoir.units import add_product, add_sparse, step


@cached
def learn_in_loop(
    series: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    matrices: tuple[np.ndarray, np.ndarray, np.ndarray],
    units: tuple[np.ndarray, np.ndarray, np.ndarray, int, bool],
    start: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray,
    p: np.ndarray,
    rule: tuple[float, int, bool, bool],
) -> tuple[float, int]:
    """Run one sequence and learn; return the sum of squared errors before updates, and the number of updates.

    Parameters
    ----------
    series : tuple of ndarray
        ``drive (T, H)``, the weighted sums of inputs; ``direct (T, D)``, the inputs that the readout sees; ``fed (T, O)``,
        what goes back to the units at each step, NaN for the network's own last output; ``targets (T, O)``; ``learned
        (T,)``, the steps at which weights may change; ``hints (T, H)``, the recurrent sums that the units are to have at
        the next step, of no rows where recurrent weights do not learn.
    matrices : tuple of ndarray
        The recurrent weights: their columns (H, H), changed where they learn, with places of no rows; or the values and
        places of `sparse_rows`. Then the columns (O, H) of the weights of what goes back.
    units : tuple
        bias, kept, taken, function and last of `Units`.
    start : tuple of ndarray
        First state and output (H,), changed in place.
    weights : ndarray, shape (O, F)
        The readout, changed in place.
    p : ndarray, shape (F, F)
        The inverse correlations of recursive least squares, changed in place.
    rule : tuple
        Forgetting, steps between two updates, whether the readout has a bias, and whether the first entries of `direct`
        are what goes back.
    """
    drive, direct, fed, targets, learned, hints = series
    columns, places, back = matrices
    bias, kept, taken, function, last = units
    state, output = start
    forgetting, every, biased, seen = rule
    count, outputs, size = drive.shape[1], targets.shape[1], weights.shape[1]
    full, sparse, begins = hints.shape[0] > 0, places.shape[0] > 0, direct.shape[1]
    features, gain, product = np.zeros(size), np.zeros(size), np.zeros(size)
    recurrent, total, returned, wrong = np.zeros(count), np.zeros(count), np.zeros(outputs), np.zeros(outputs)
    share, shrunk, squares, updates, waited = 0.0, 1.0, 0.0, 0, 0
    if sparse:
        add_sparse(places, columns, output, recurrent)
    else:
        add_product(columns, output, recurrent)
    for t in range(len(drive)):
        for o in range(outputs):
            if fed[t, o] == fed[t, o]:
                returned[o] = fed[t, o]
        for i in range(count):
            total[i] = drive[t, i] + recurrent[i]
        add_product(back, returned, total)
        step(total, state, output, bias, kept, taken, function, last)
        features[:begins] = direct[t]
        if seen:
            features[:outputs] = returned
        features[begins : begins + count] = output
        if biased:
            features[size - 1] = 1.0
        for o in range(outputs):
            returned[o] = np.dot(weights[o], features)
            if not abs(returned[o]) < LARGEST_STATE:
                return np.inf, max(updates, 1)
            wrong[o] = returned[o] - targets[t, o]
        recurrent[:] = 0.0
        if sparse:
            add_sparse(places, columns, output, recurrent)
        else:
            add_product(columns, output, recurrent)
        if learned[t]:
            if waited % every == 0:
                shrink_and_multiply(p, gain, share, shrunk, features, product)
                length = np.dot(features, product)
                share, shrunk = 1.0 / (forgetting + length), forgetting
                for o in range(outputs):
                    squares += wrong[o] * wrong[o]
                    weights[o] -= (share * wrong[o]) * product
                if full:
                    for i in range(count):
                        total[i] = recurrent[i] - hints[t, i]
                        recurrent[i] -= share * length * total[i]
                    for j in range(count):
                        factor, column = share * product[j], columns[j]
                        for i in range(count):
                            column[i] -= factor * total[i]
                gain[:] = product
                updates += 1
            waited += 1
    shrink_and_multiply(p, gain, share, shrunk, gain, product)
    return squares, updates
