"""Compiled recursions over the lattice of CTC: time steps times the labels with blanks around them, in log space.

The innermost axis of every array holds sequences, one in each lane. After every time step the largest logarithm of a
lane is subtracted and kept in float64, so float32 suffices for long sequences.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from evorrn.kernels.activations import exp, log
from evorrn.kernels.cached import cached
from evorrn.losses.base import JIT


@cached
def lattice(
    first: int,
    last: int,
    logits: np.ndarray,
    sequences: tuple[np.ndarray, ...],
    buffers: tuple[np.ndarray, ...],
    losses: np.ndarray,
    gradient: np.ndarray,
    options: tuple[Any, Any, bool],
) -> None:
    """Compute the loss of every sequence of the tiles `first` to `last`, and its gradient.

    There are Q tiles of L lanes, C classes, and S = 2 U + 1 states: U labels, and the blanks before, between and after.

    Parameters
    ----------
    logits : ndarray, shape (Q, T, C, L)
    sequences : tuple of ndarray
        For each tile: the class of each state (S, L); 0 for states that the sequence has, else the logarithm of zero
        (S, L); 0 where a state can be reached from the one two before it, else the logarithm of zero (S, L); the number
        of states (L,), and of time steps (L,).
    buffers : tuple of ndarray
        Log probabilities of the states (Q, T, S, L), forward variables (Q, T + 1, S + 2, L), backward variables
        (Q, 2, S, L) and work (Q, S + 4, L). Without the gradient one and two time steps in place of T and T + 1.
    losses : ndarray of float64, shape (Q, L)
        Set to ``-log p``; at least 1e29 where the probability p is zero.
    gradient : ndarray, shape (Q, T, C, L)
        Set to that with respect to the logits. Without the gradient it has one time step and is work memory.
    options : tuple
        The number that stands for the logarithm of zero and the number one, in the dtype of the logits, and whether
        the gradient is wanted.
    """
    low, one, wanted = options
    for job in range(first, last):
        labels, closed, barred, states, lengths = (
            sequences[0][job],
            sequences[1][job],
            sequences[2][job],
            sequences[3][job],
            sequences[4][job],
        )
        p, alpha, beta, work = buffers[0][job], buffers[1][job], buffers[2][job], buffers[3][job]
        logs, loss = gradient[job], losses[job]
        size, steps = labels.shape[0], lengths.max()
        top, total = work[size + 2], work[size + 3]
        loss[:] = 0.0
        for t in range(steps):
            here = p[t % p.shape[0]]
            _log_softmax(logits[job, t], logs[t % logs.shape[0]], top, total)
            _pick(logs[t % logs.shape[0]], labels, closed, here)
            new, old = alpha[(t + 1) % alpha.shape[0]], alpha[t % alpha.shape[0]]
            new[:2] = low
            if t == 0:
                _enter(here, new, low)
            else:
                _forward(old, here, barred, new, one)
            _subtract_largest(new[2:], top, low)
            _add_losses(new[2:], top, states, lengths, t, loss)
        if wanted:
            for t in range(steps - 1, -1, -1):
                new, old = beta[t % 2], beta[1 - t % 2]
                if t < steps - 1:
                    _backward(old, p[t + 1], barred, new, work, low, one)
                    _subtract_largest(new, top, low)
                _leave(new, states, lengths, t, low)
                _occupancy(alpha[t + 1, 2:], new, work[:size], top, total, low)
                _write_gradient(logs[t], work[:size], labels, lengths, t)


@register_jitable(**JIT)
def _log_softmax(x, logs, top, total):
    """Set `logs` to the logarithms of the probabilities of the classes, from logits x (C, L)."""
    for k in range(top.size):
        top[k] = x[0, k]
        total[k] = 0
    for c in range(1, x.shape[0]):
        for k in range(top.size):
            top[k] = x[c, k] if x[c, k] > top[k] else top[k]
    for c in range(x.shape[0]):
        for k in range(top.size):
            total[k] += exp(x[c, k] - top[k])
    for k in range(top.size):
        top[k] += log(total[k])
    for c in range(x.shape[0]):
        for k in range(top.size):
            logs[c, k] = x[c, k] - top[k]


@register_jitable(**JIT)
def _pick(logs, labels, closed, p):
    """Set p (S, L) to the log probability of the class of each state."""
    for s in range(labels.shape[0]):
        for k in range(labels.shape[1]):
            p[s, k] = logs[labels[s, k], k] + closed[s, k]


@register_jitable(**JIT)
def _enter(p, new, low):
    """Set the forward variables of the first time step: a path begins in the first blank or the first label."""
    new[:] = low
    new[2] = p[0]
    if p.shape[0] > 1:
        new[3] = p[1]


@register_jitable(**JIT)
def _log_sum(x, y, z, one):
    """Return ``log(exp(x) + exp(y) + exp(z))``; NaN if one of them is NaN."""
    high = x if x > y else y
    least = y if x > y else x
    top = high if high > z else z
    other = z if high > z else high
    return top + log(exp(least - top) + exp(other - top) + one)


@register_jitable(**JIT)
def _forward(old, p, barred, new, one):
    """Set forward variables (S + 2, L), two empty rows before the states, from those of the time step before.

    A shift by a state is an offset in the flat arrays, so one loop runs over all states and lanes.
    """
    size = p.shape[0]
    stay, step, skip = old[2:].reshape(-1), old[1 : size + 1].reshape(-1), old[:size].reshape(-1)
    probability, bar, out = p.reshape(-1), barred.reshape(-1), new[2:].reshape(-1)
    for k in range(out.size):
        out[k] = probability[k] + _log_sum(stay[k], step[k], skip[k] + bar[k], one)


@register_jitable(**JIT)
def _backward(old, p, barred, new, work, low, one):
    """Set backward variables (S, L), the probability of the present step left out, from those of the step after."""
    size = p.shape[0]
    ahead, following, probability = work[:size].reshape(-1), old.reshape(-1), p.reshape(-1)
    for k in range(ahead.size):
        ahead[k] = following[k] + probability[k]
    work[size : size + 2] = low
    step, skip = work[1 : size + 1].reshape(-1), work[2 : size + 2].reshape(-1)
    out, lanes = new.reshape(-1), p.shape[1]
    bar = barred.reshape(-1)
    inner = out.size - 2 * lanes  # the last two states have none two after them
    for k in range(inner):
        out[k] = _log_sum(ahead[k], step[k], skip[k] + bar[k + 2 * lanes], one)
    for k in range(max(inner, 0), out.size):
        out[k] = _log_sum(ahead[k], step[k], skip[k], one)


@register_jitable(**JIT)
def _subtract_largest(values, top, low):
    """Subtract the largest value of each lane, set `top` to it, and raise values below `low` to `low`."""
    for k in range(top.size):
        top[k] = low
    for s in range(values.shape[0]):
        for k in range(top.size):
            top[k] = values[s, k] if values[s, k] > top[k] else top[k]
    for s in range(values.shape[0]):
        for k in range(top.size):
            value = values[s, k] - top[k]
            values[s, k] = low if value < low else value


@register_jitable(**JIT)
def _add_losses(alpha, top, states, lengths, t, loss):
    """Add what was subtracted at a time step, and at the last one the probability of the two states that end a path."""
    for k in range(top.size):
        if t < lengths[k]:
            loss[k] -= np.float64(top[k])
        if t == lengths[k] - 1:
            end = np.exp(np.float64(alpha[states[k] - 1, k]))
            if states[k] > 1:
                end += np.exp(np.float64(alpha[states[k] - 2, k]))
            loss[k] -= np.log(end)


@register_jitable(**JIT)
def _leave(beta, states, lengths, t, low):
    """Set the backward variables of sequences that end at a time step: a path ends in the last label or blank."""
    for k in range(lengths.size):
        if t == lengths[k] - 1:
            for s in range(beta.shape[0]):
                beta[s, k] = 0 if states[k] - 2 <= s < states[k] else low


@register_jitable(**JIT)
def _occupancy(alpha, beta, shares, top, total, low):
    """Set shares (S, L) to the probability of each state at a time step, given the labels."""
    for k in range(top.size):
        top[k] = low
        total[k] = 0
    for s in range(shares.shape[0]):
        for k in range(top.size):
            value = alpha[s, k] + beta[s, k]
            shares[s, k] = value
            top[k] = value if value > top[k] else top[k]
    for s in range(shares.shape[0]):
        for k in range(top.size):
            share = exp(shares[s, k] - top[k])
            shares[s, k] = share
            total[k] += share
    for s in range(shares.shape[0]):
        for k in range(top.size):
            shares[s, k] /= total[k]


@register_jitable(**JIT)
def _write_gradient(logs, shares, labels, lengths, t):
    """Replace the logarithms of probabilities (C, L) with probabilities less the shares of the states of each class."""
    for c in range(logs.shape[0]):
        for k in range(lengths.size):
            logs[c, k] = exp(logs[c, k])
    for s in range(shares.shape[0]):
        for k in range(lengths.size):
            logs[labels[s, k], k] -= shares[s, k]
    for k in range(lengths.size):
        if t >= lengths[k]:
            logs[:, k] = 0
