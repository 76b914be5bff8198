"""Compiled recursions over the lattice of CTC: time steps times the labels with blanks around them.

The innermost axis of every array of a tile holds sequences, one in each lane. Probabilities are pairs (m, n) that stand for
``m 2^n``, so float32 suffices for logits of any size and long sequences; see `evorrn.losses.scaled`.
"""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached, inlined, separate
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
        backward variables (Q, 2, 2, S, L), and work (Q, 2, S + 2, L) and (Q, 3, L). Without the gradient one and two time steps in place of T
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
        loss, lanes, lane = losses[job], lengths.size, buffers[5][job]
        begin = job * lanes
        here = min(lanes, len(outputs) - begin)
        steps, kept = lengths.max(), p.shape[0]
        loss[:] = 0.0
        for t in range(steps):
            _transpose(outputs[begin : begin + here, t], classes[2])
            _softmax(classes, lane, loss, lengths, t, low)
            _pick(classes[0], classes[1], labels, closed, p[t % kept, 0], p[t % kept, 1])
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
                _shares(alpha[t + 1, 0, 2:], alpha[t + 1, 1, 2:], new[0], new[1], work[0], lane)
                _subtract_shares(work[0], lane, labels, lengths[:here], t, gradient[begin : begin + here, t])


@inlined
def _transpose(x, y):
    """Copy logits x (here, C) to y (C, L)."""
    for k in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[c, k] = x[k, c]


@inlined
def _softmax(classes, lane, loss, lengths, t, low):
    """Replace logits, `classes[2]`, with probabilities, and set `classes[:2]` to them as pairs; add NaN for a logit of NaN."""
    _add_exponentials(classes[2], classes[0], classes[1], lane[0], lane[1], low)
    _divide(classes[0], classes[1], lane[1], classes[2])
    for k in range(lengths.size):
        if t < lengths[k]:
            loss[k] += np.float64(lane[1, k] - lane[1, k])


@separate
def _add_exponentials(x, m, n, top, total, low):
    """Set pairs (m, n), each (C, L), to ``exp(x - max x)``, and `total` (L,) to their sums."""
    for k in range(top.size):
        top[k] = x[0, k]
        total[k] = 0
    for c in range(1, x.shape[0]):
        for k in range(top.size):
            top[k] = x[c, k] if x[c, k] > top[k] else top[k]
    for c in range(x.shape[0]):
        for k in range(top.size):
            value = x[c, k] - top[k]
            value = low if value < low else value
            m[c, k], n[c, k] = exp_parts(value)
            total[k] += m[c, k] * two_to(n[c, k])


@separate
def _divide(m, n, total, y):
    """Divide pairs (C, L) by `total` (L,), and set y to them as ordinary numbers."""
    one = total.dtype.type(1)
    for c in range(m.shape[0]):
        for k in range(total.size):
            m[c, k] *= one / total[k]
            y[c, k] = m[c, k] * two_to(n[c, k])


@separate
def _pick(m, n, labels, closed, pm, pn):
    """Set pairs (S, L) to the probability of the class of each state; every other state is a blank, class 0."""
    for s in range(0, labels.shape[0], 2):
        for k in range(labels.shape[1]):
            pm[s, k] = m[0, k]
            pn[s, k] = n[0, k] + closed[s, k]
    for s in range(1, labels.shape[0], 2):
        for k in range(labels.shape[1]):
            pm[s, k] = m[labels[s, k], k]
            pn[s, k] = n[labels[s, k], k] + closed[s, k]


@inlined
def _enter(p, new, low):
    """Set the forward variables of the first time step: a path begins in the first blank or the first label."""
    new[0] = 1
    new[1] = low
    new[:, 2] = p[:, 0]
    if p.shape[1] > 1:
        new[:, 3] = p[:, 1]


@inlined
def _forward(old, p, barred, new, low):
    """Set forward variables (2, S + 2, L), two empty rows before the states, from those of the time step before.

    A shift by a state is an offset in the flat arrays, so one loop runs over all states and lanes.
    """
    new[0, :2] = 1
    new[1, :2] = low
    m, n, bar = old[0].reshape(-1), old[1].reshape(-1), barred.reshape(-1)
    one, two = p.shape[2], 2 * p.shape[2]
    out_m, out_n = new[0, 2:].reshape(-1), new[1, 2:].reshape(-1)
    _move((m[two:], m[one:], m), (n[two:], n[one:], n), bar, out_m, out_n)
    _multiply(out_m, out_n, p[0].reshape(-1), p[1].reshape(-1))


@separate
def _move(ms, ns, bar, m, n):
    """Set pairs (m, n) to the sums of three pairs, the third of which is zero where it is barred."""
    m1, m2, m3 = ms
    n1, n2, n3 = ns
    for k in range(m.size):
        m[k], n[k] = sum_of_three(m1[k], n1[k], m2[k], n2[k], m3[k], n3[k] + bar[k])


@separate
def _multiply(m, n, factor, more):
    """Multiply pairs by pairs."""
    for k in range(m.size):
        m[k] *= factor[k]
        n[k] += more[k]


@inlined
def _backward(old, p, barred, new, work, low):
    """Set backward variables (2, S, L), the probability of the present step left out, from those of the step after."""
    size, lanes = p.shape[1], p.shape[2]
    work[0, size:] = 1
    work[1, size:] = low
    m, n = work[0].reshape(-1), work[1].reshape(-1)
    _product(old[0].reshape(-1), old[1].reshape(-1), p[0].reshape(-1), p[1].reshape(-1), m, n)
    one, two, bar = lanes, 2 * lanes, barred[2:].reshape(-1)
    out_m, out_n = new[0].reshape(-1), new[1].reshape(-1)
    _move((m, m[one:], m[two:]), (n, n[one:], n[two:]), bar, out_m, out_n)


@separate
def _product(m1, n1, m2, n2, m, n):
    """Set pairs (m, n) to products of two pairs, not normalised."""
    for k in range(m1.size):
        m[k] = m1[k] * m2[k]
        n[k] = n1[k] + n2[k]


@inlined
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


@inlined
def _put_probabilities(classes, lengths, t, gradient):
    """Set the gradient (here, C) to the probabilities of the classes; zero beyond the lengths."""
    y = classes[2]
    for k in range(lengths.size):
        if t < lengths[k]:
            for c in range(y.shape[0]):
                gradient[k, c] = y[c, k]


@inlined
def _leave(beta, states, lengths, t, low):
    """Set the backward variables of sequences that end at a time step: a path ends in the last label or blank."""
    for k in range(lengths.size):
        if t == lengths[k] - 1:
            for s in range(beta.shape[1]):
                beta[0, s, k] = 1
                beta[1, s, k] = 0 if states[k] - 2 <= s < states[k] else low


@separate
def _shares(alpha_m, alpha_n, beta_m, beta_n, shares, lane):
    """Set shares (S + 2, L) to the probability of each state and the labels, and `lane` (3, L) to what it counts in.

    `lane` holds the largest exponent, one over the sum of the shares, and the sum of those of blanks.
    """
    top, total, blanks = lane[0], lane[1], lane[2]
    for k in range(top.size):
        top[k] = alpha_n[0, k] + beta_n[0, k]
        total[k] = 0
        blanks[k] = 0
    for s in range(1, beta_m.shape[0]):
        for k in range(top.size):
            n = alpha_n[s, k] + beta_n[s, k]
            top[k] = n if n > top[k] else top[k]
    for s in range(beta_m.shape[0]):
        for k in range(top.size):
            share = alpha_m[s, k] * beta_m[s, k] * two_to(alpha_n[s, k] + beta_n[s, k] - top[k])
            shares[s, k] = share
            total[k] += share
    for s in range(0, beta_m.shape[0], 2):
        for k in range(top.size):
            blanks[k] += shares[s, k]
    one = total.dtype.type(1)
    for k in range(top.size):
        total[k] = one / total[k]


@inlined
def _subtract_shares(shares, lane, labels, lengths, t, gradient):
    """Subtract from the gradient (here, C) the shares of the states of each class."""
    for k in range(lengths.size):
        if t < lengths[k]:
            gradient[k, 0] -= lane[2, k] * lane[1, k]
            for s in range(1, labels.shape[0], 2):
                gradient[k, labels[s, k]] -= shares[s, k] * lane[1, k]
