"""Signals while programs are compiled, and networks that would compile for many minutes."""

import signal
import subprocess
import sys
import time

import pytest
from tiny import WALK, WAVE

from evorrn import Network
from evorrn.base.errors import ConfigError

PATCH = """
import sys, time
from evorrn.engine import model

def endless(module, call):
    print("compiling", file=sys.stderr, flush=True)
    while True:
        sum(range(10_000))

model._called = endless
"""
COMMAND = "from evorrn.cli import main; main(sys.argv[1:])"


def begin(tmp_path, *words):
    """Start the command line with a compiler that never ends, and wait until it is at work."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PATCH}\n{COMMAND}", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line == "compiling\n":
            return process
    raise AssertionError("it ended before it compiled")


@pytest.mark.parametrize(
    ("number", "strategy"),
    [
        (signal.SIGTERM, WALK),
        (signal.SIGINT, "bptt"),
        pytest.param(signal.SIGTERM, "bptt", marks=pytest.mark.thorough),
        pytest.param(signal.SIGINT, WALK, marks=pytest.mark.thorough),
    ],
)
def test_a_signal_ends_compiling_with_nothing_half_written(tmp_path, number, strategy):
    process = begin(tmp_path, "run", WAVE, "--strategy", strategy, "--budget", "3gen")
    process.send_signal(number)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("runs/*/*/*/claim*")) and not list(tmp_path.rglob("*.tmp"))
    for status in tmp_path.glob("runs/*/*/*/status.json"):
        assert '"interrupted"' in status.read_text()


def test_a_comparison_in_one_process_ends_as_well(tmp_path):
    process = begin(
        tmp_path, "compare", WAVE, "--strategies", WALK, "--budget", "200k", "--seeds", 2, "--jobs", 1
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130 and "Traceback" not in err, err


def test_errors_of_compiling_reach_the_caller_and_work_in_other_threads_is_done_there():
    import threading

    from evorrn.base.patience import is_waiting, patiently

    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 // 0)
    assert patiently(threading.current_thread) is not threading.main_thread()
    found = []
    other = threading.Thread(target=lambda: found.append(patiently(threading.current_thread)))
    other.start()
    other.join()
    assert found == [other] and not is_waiting()


def test_work_that_is_no_longer_wanted_is_given_up():
    import threading

    from evorrn.base.patience import given_up_when, is_waiting, patiently

    end = threading.Event()
    with pytest.raises(KeyboardInterrupt), given_up_when(lambda: True):
        patiently(end.wait)
    assert is_waiting()
    end.set()
    while is_waiting():
        time.sleep(0.01)


@pytest.mark.parametrize("layers", [33, 101, 20_000])
def test_a_stack_that_would_compile_for_many_minutes_is_refused_with_an_estimate(layers):
    with pytest.raises(ConfigError, match=rf"at most 32 layers, got {layers}; .* minutes"):
        Network(1, 1, hidden=[8] * layers)
    assert len(Network(1, 1, hidden=[2] * 32).hidden) == 32
