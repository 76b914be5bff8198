"""What all tests share: signals as a terminal delivers them, and verified graphs."""

import os
import signal

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, and so every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every graph that the compiler makes in a test is checked, in the programs that a test starts as well.
os.environ["EVORRN_VERIFY"] = "1"


@pytest.fixture
def along_sequences(monkeypatch):
    """Run few sequences as many are run, whose kernels programs share: a program along units takes seconds to compile."""
    from evorrn.engine.rows.run import Rows

    monkeypatch.setattr(Rows, "fit", lambda self, sequences: False)
