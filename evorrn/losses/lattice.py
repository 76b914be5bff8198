"""Compiled recursions over the lattice of CTC: time steps times the labels with blanks around them.

The innermost axis of every array of a tile holds sequences, one in each lane. Probabilities are pairs (m, n) that stand for
``m 2^n``, so float32 suffices for logits of any size and long sequences; see `evorrn.losses.scaled`.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from evorrn.kernels.cached import cached
from evorrn.losses.base import JIT
from evorrn.losses.scaled import exp_parts, sum_of_three, two_to

LN2 = np.log(2.0)


@cached
def lattice(
    first: int,
    last: int,
    outputs: np.ndarray,
    sequences: tuple[np.ndarray, ...],
    buffers: tuple[np.ndarray, ...],
    losses: np.ndarray,
    gradient: np.ndarray,
    low: np.floating,
) -> None:
    """Compute the loss of every sequence of the tiles `first` to `last`, and its gradient.

    There are Q tiles of L lanes, B sequences, C classes, and S = 2 U + 1 states: U labels, and the blanks before, between and
    after. In the buffers an axis of 2 holds m and n.

    Parameters
    ----------
    outputs : ndarray, shape (B, T, C)
        Logits.
    sequences : tuple of ndarray
        For each tile: the class of each state (S, L); 0 for states that the sequence has, else `low` (S, L); 0 where a state can
        be reached from the one two before it, else `low` (S + 2, L), the last two rows `low`; the number of states (L,), and of
        time steps (L,).
    buffers : tuple of ndarray
        Probabilities of the classes (Q, 3, C, L), those of the states (Q, T, 2, S, L), forward variables (Q, T + 1, 2, S + 2, L),
        backward variables (Q, 2, 2, S, L), and work (Q, 2, S + 2, L) and (Q, 2, L). Without the gradient one and two time steps in place of T
        and T + 1.
    losses : ndarray of float64, shape (Q, L)
        Set to ``-log p``; at least 1e29 where the probability p is zero, NaN where a logit is.
    gradient : ndarray, shape (B, T, C)
        Set to that with respect to the logits, zero beyond the lengths. It has no time steps where no gradient is wanted.
    low : floating
        The exponent that stands for zero, in the dtype of the logits.
    """
    for job in range(first, last):
        labels, closed, barred, states, lengths = (
            sequences[0][job],
            sequences[1][job],
            sequences[2][job],
            sequences[3][job],
            sequences[4][job],
        )
        classes, p, alpha, beta, work = (
            buffers[0][job],
            buffers[1][job],
            buffers[2][job],
            buffers[3][job],
            buffers[4][job],
        )
        loss, lanes, top, total = losses[job], lengths.size, buffers[5][job, 0], buffers[5][job, 1]
        begin = job * lanes
        here = min(lanes, len(outputs) - begin)
        steps, kept = lengths.max(), p.shape[0]
        loss[:] = 0.0
        for t in range(steps):
            _transpose(outputs[begin : begin + here, t], classes[2])
            _softmax(classes, top, total, loss, lengths, t, low)
            _pick(classes, labels, closed, p[t % kept])
            new, old = alpha[(t + 1) % (kept + 1)], alpha[t % (kept + 1)]
            if t == 0:
                _enter(p[0], new, low)
            else:
                _forward(old, p[t % kept], barred, new, low)
            _add_losses(new[:, 2:], states, lengths, t, loss)
            if gradient.shape[1] > 0:
                _put_probabilities(classes, lengths[:here], t, gradient[begin : begin + here, t])
        if gradient.shape[1] > 0:
            for t in range(steps - 1, -1, -1):
                new, old = beta[t % 2], beta[1 - t % 2]
                if t < steps - 1:
                    _backward(old, p[t + 1], barred, new, work, low)
                _leave(new, states, lengths, t, low)
                _shares(alpha[t + 1, :, 2:], new, work[0], top, total)
                _subtract_shares(work[0], labels, lengths[:here], t, gradient[begin : begin + here, t])


@register_jitable(**JIT)
def _transpose(x, y):
    """Copy logits x (here, C) to y (C, L)."""
    for k in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[c, k] = x[k, c]


@register_jitable(**JIT)
def _softmax(classes, top, total, loss, lengths, t, low):
    """Replace logits, `classes[2]`, with probabilities, and set `classes[:2]` to them as pairs; add NaN for a logit of NaN."""
    m, n, x = classes[0], classes[1], classes[2]
    for k in range(top.size):
        top[k] = x[0, k]
        total[k] = 0
    for c in range(1, x.shape[0]):
        for k in range(top.size):
            top[k] = x[c, k] if x[c, k] > top[k] else top[k]
    for c in range(x.shape[0]):
        for k in range(top.size):
            value = x[c, k] - top[k]
            m[c, k], n[c, k] = exp_parts(low if value < low else value)
            total[k] += m[c, k] * two_to(n[c, k])
    one = total.dtype.type(1)
    for k in range(top.size):
        top[k] = one / total[k]
        if t < lengths[k]:
            loss[k] += np.float64(total[k] - total[k])
    for c in range(x.shape[0]):
        for k in range(top.size):
            m[c, k] *= top[k]
            x[c, k] = m[c, k] * two_to(n[c, k])


@register_jitable(**JIT)
def _pick(classes, labels, closed, p):
    """Set p (2, S, L) to the probability of the class of each state; every other state is a blank, class 0."""
    m, n = classes[0], classes[1]
    for s in range(0, labels.shape[0], 2):
        for k in range(labels.shape[1]):
            p[0, s, k] = m[0, k]
            p[1, s, k] = n[0, k] + closed[s, k]
    for s in range(1, labels.shape[0], 2):
        for k in range(labels.shape[1]):
            p[0, s, k] = m[labels[s, k], k]
            p[1, s, k] = n[labels[s, k], k] + closed[s, k]


@register_jitable(**JIT)
def _enter(p, new, low):
    """Set the forward variables of the first time step: a path begins in the first blank or the first label."""
    new[0] = 1
    new[1] = low
    new[:, 2] = p[:, 0]
    if p.shape[1] > 1:
        new[:, 3] = p[:, 1]


@register_jitable(**JIT)
def _forward(old, p, barred, new, low):
    """Set forward variables (2, S + 2, L), two empty rows before the states, from those of the time step before.

    A shift by a state is an offset in the flat arrays, so one loop runs over all states and lanes.
    """
    size = p.shape[1]
    new[0, :2] = 1
    new[1, :2] = low
    m1, m2, m3 = old[0, 2:].reshape(-1), old[0, 1 : size + 1].reshape(-1), old[0, :size].reshape(-1)
    n1, n2, n3 = old[1, 2:].reshape(-1), old[1, 1 : size + 1].reshape(-1), old[1, :size].reshape(-1)
    factor, more, bar = p[0].reshape(-1), p[1].reshape(-1), barred.reshape(-1)
    m, n = new[0, 2:].reshape(-1), new[1, 2:].reshape(-1)
    for k in range(m.size):
        m[k], n[k] = sum_of_three(m1[k], n1[k], m2[k], n2[k], m3[k], n3[k] + bar[k], factor[k], more[k])


@register_jitable(**JIT)
def _backward(old, p, barred, new, work, low):
    """Set backward variables (2, S, L), the probability of the present step left out, from those of the step after."""
    size, lanes = p.shape[1], p.shape[2]
    work[0, size:] = 1
    work[1, size:] = low
    ahead_m, ahead_n = work[0].reshape(-1), work[1].reshape(-1)
    following_m, following_n = old[0].reshape(-1), old[1].reshape(-1)
    p_m, p_n = p[0].reshape(-1), p[1].reshape(-1)
    for k in range(p_m.size):
        ahead_m[k] = following_m[k] * p_m[k]
        ahead_n[k] = following_n[k] + p_n[k]
    m1, m2, m3 = ahead_m, ahead_m[lanes:], ahead_m[2 * lanes :]
    n1, n2, n3 = ahead_n, ahead_n[lanes:], ahead_n[2 * lanes :]
    bar, m, n = barred[2:].reshape(-1), new[0].reshape(-1), new[1].reshape(-1)
    one, none = m1.dtype.type(1), m1.dtype.type(0)
    for k in range(m.size):
        m[k], n[k] = sum_of_three(m1[k], n1[k], m2[k], n2[k], m3[k], n3[k] + bar[k], one, none)


@register_jitable(**JIT)
def _add_losses(alpha, states, lengths, t, loss):
    """Add -log p for sequences that end at a time step, from the two states in which a path ends."""
    for k in range(loss.size):
        if t == lengths[k] - 1:
            s = states[k] - 1
            end, top = np.float64(alpha[0, s, k]), np.float64(alpha[1, s, k])
            if s > 0:
                other, n = np.float64(alpha[0, s - 1, k]), np.float64(alpha[1, s - 1, k])
                high = max(top, n)
                end = end * two_to(top - high) + other * two_to(n - high)
                top = high
            loss[k] -= np.log(end) + top * LN2


@register_jitable(**JIT)
def _put_probabilities(classes, lengths, t, gradient):
    """Set the gradient (here, C) to the probabilities of the classes; zero beyond the lengths."""
    y = classes[2]
    for k in range(lengths.size):
        if t < lengths[k]:
            for c in range(y.shape[0]):
                gradient[k, c] = y[c, k]


@register_jitable(**JIT)
def _leave(beta, states, lengths, t, low):
    """Set the backward variables of sequences that end at a time step: a path ends in the last label or blank."""
    for k in range(lengths.size):
        if t == lengths[k] - 1:
            for s in range(beta.shape[1]):
                beta[0, s, k] = 1
                beta[1, s, k] = 0 if states[k] - 2 <= s < states[k] else low


@register_jitable(**JIT)
def _shares(alpha, beta, shares, top, total):
    """Set shares (S + 2, L) to the probability of each state at a time step, given the labels."""
    for k in range(top.size):
        top[k] = alpha[1, 0, k] + beta[1, 0, k]
        total[k] = 0
    for s in range(1, beta.shape[1]):
        for k in range(top.size):
            n = alpha[1, s, k] + beta[1, s, k]
            top[k] = n if n > top[k] else top[k]
    for s in range(beta.shape[1]):
        for k in range(top.size):
            m = alpha[0, s, k] * beta[0, s, k]
            shares[s, k] = m * two_to(alpha[1, s, k] + beta[1, s, k] - top[k])
            total[k] += shares[s, k]
    for s in range(beta.shape[1]):
        for k in range(top.size):
            shares[s, k] /= total[k]


@register_jitable(**JIT)
def _subtract_shares(shares, labels, lengths, t, gradient):
    """Subtract from the gradient (here, C) the shares of the states of each class."""
    for k in range(lengths.size):
        if t < lengths[k]:
            for s in range(0, labels.shape[0], 2):
                gradient[k, 0] -= shares[s, k]
            for s in range(1, labels.shape[0], 2):
                gradient[k, labels[s, k]] -= shares[s, k]
