"""Each kind of task is learned by some way of training, and by what ought to be too weak for it it is not."""

import pytest

import evorrn
from evorrn import BPTT, CMAES, EchoState, Network


def outcome(task, strategy, budget, seed=0, **network):
    net = Network.for_task(task, **(network or task.recommended(strategy.name).network))
    return strategy.fit(net, task, seed=seed, budget=budget).metrics["test"]


def recommended(task, kind, **further):
    return kind(**{**task.recommended(kind.name).strategy, **further})


def test_a_reservoir_tells_intervals_of_ten_and_eleven_steps():
    task = evorrn.task("spike-intervals")
    assert outcome(task, EchoState(reservoirs=3), None)["token_accuracy"] > 0.95


def test_a_reservoir_that_sees_its_output_holds_a_waveform_and_goes_on_with_it():
    task = evorrn.task("waveform", continued=100)
    strategy = recommended(task, EchoState, reservoirs=20)
    assert outcome(task, strategy, None)["nmse_std"] < 0.05


def test_a_reservoir_of_a_hundred_units_recalls_twenty_inputs():
    task = evorrn.task("delayed-recall")
    capacity = outcome(task, recommended(task, EchoState, reservoirs=3), None)["memory_capacity"]
    assert 18 < capacity <= 20
    few = outcome(
        task, EchoState(reservoirs=3, leak=1.0), None, cell="leaky", hidden=5, direct=True, dtype="float64"
    )
    assert few["memory_capacity"] < 6.5  # five units, and chance


def test_gradients_through_time_latch_nearly_as_well_as_can_be():
    task = evorrn.task("latching", test=1000)
    found = outcome(task, recommended(task, BPTT), "200M")["binary_accuracy"]
    assert 0.93 < found < 0.985  # the Bayes rate is 0.973


@pytest.mark.thorough
def test_evolved_lstm_cells_count_to_three_times_what_they_were_trained_on():
    task = evorrn.task("counting")
    assert outcome(task, CMAES(), "5G")["exact_match"] == 1.0


@pytest.mark.thorough
def test_units_without_gates_or_stack_do_not_reverse_a_string_but_remember_its_end():
    task = evorrn.task("reverse-string", longest=10, test_longest=30)
    found = outcome(task, BPTT(batch_size=32, rate=0.003), "5G", cell="elman", hidden=16)
    assert 0.52 < found["token_accuracy"] < 0.8 and found["exact_match"] < 0.05


@pytest.mark.thorough
def test_peepholes_tell_intervals_of_30_and_31_steps_and_an_lstm_without_them_does_not():
    task = evorrn.task("spike-intervals", base=30)
    strategy = BPTT(batch_size=16)
    assert outcome(task, strategy, "5G", cell="lstm-peephole", hidden=6)["token_accuracy"] > 0.98
    assert outcome(task, strategy, "5G", cell="lstm", hidden=6)["token_accuracy"] < 0.6
