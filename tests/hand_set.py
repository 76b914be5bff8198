"""A network whose weights are set by hand so that it computes an automaton."""

import numpy as np

import evorrn


def elman_of(table, accepting, start, end=False, gain=20.0, dtype="float32"):
    """Return an Elman network and a genome that compute an automaton of S states over A symbols.

    Every unit is a logistic gate, on or off. Unit (q, a) is on after a step that read symbol a and led to state q: it is
    the conjunction of the input a and of any unit whose state goes to q at a. At the first step all units are
    off; the last unit tells this step from the later ones. With an end, one more unit is on after an end that was
    read in an accepting state, and is the only one that the output sees.
    """
    states, symbols = np.shape(table)
    pairs = states * symbols
    units = pairs + end + 1
    inputs, recurrent = np.zeros((units, symbols + end)), np.zeros((units, units))
    bias, readout = np.full(units, -1.5), np.zeros((1, units))
    bias[-1] = 0.5

    def gate(unit, symbol, before, first):
        inputs[unit, symbol] = 1.0
        for state in before:
            recurrent[unit, state * symbols : (state + 1) * symbols] = 1.0
        if first:
            bias[unit] += 1.0
            recurrent[unit, -1] -= 1.0

    for state in range(states):
        for symbol in range(symbols):
            before = [each for each in range(states) if table[each][symbol] == state]
            gate(state * symbols + symbol, symbol, before, start in before)
            readout[0, state * symbols + symbol] = 1.0 if accepting[state] else -1.0
    if end:
        gate(pairs, symbols, np.flatnonzero(accepting), accepting[start])
        readout = 2 * np.eye(units)[[pairs]]
    network = evorrn.Network(
        symbols + end,
        1,
        cell="elman",
        hidden=units,
        cell_options={"activation": "sigmoid"},
        loss="binary-cross-entropy",
        dtype=dtype,
    )
    weights = {
        "layer0.W_x": gain * inputs,
        "layer0.W_h": gain * recurrent,
        "layer0.b": gain * bias,
        "readout.W": readout,
        "readout.b": -np.ones(1) * end,
    }
    return network, network.pack(weights)


def second_order_of(table, accepting, start, gain=20.0, dtype="float32"):
    """Return a second-order network and a genome that compute an automaton; a symbol of its own begins a string.

    Unit q is on when the automaton is in state q. Its weight for state r and symbol a is the gain where r goes to q at
    a, and its bias minus half the gain, as Omlin and Giles set them; the unit of the start has a bias of plus half
    the gain, and minus the gain where r does not go there, so that it alone is on after the first step, which sees a
    state of zeros.
    """
    states, symbols = np.shape(table)
    network = evorrn.Network(
        symbols + 1, 1, cell="second-order", hidden=states, loss="binary-cross-entropy", dtype=dtype
    )
    weights, bias = np.zeros((states, states, symbols + 1)), np.full(states, -gain / 2)
    for before in range(states):
        for symbol in range(symbols):
            weights[table[before][symbol], before, symbol] = gain
    weights[start, :, :symbols] -= gain
    bias[start] = gain / 2
    readout = np.where(accepting, 1.0, -1.0)[None]
    given = {"layer0.W": weights, "layer0.b": bias, "readout.W": readout, "readout.b": np.zeros(1)}
    return network, network.pack(given)
