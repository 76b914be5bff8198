"""What all tests share: signals as a terminal delivers them, and verified graphs."""

import os
import signal

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, and so every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every graph that the compiler makes in a test is checked, in the programs that a test starts as well.
os.environ["EVORRN_VERIFY"] = "1"

FOLDERS = ("bench", "compile", "docs", "engine", "kernels", "lab/sweep", "network", "testing")
BY_SIZES = tuple(f"tests/{name}" for name in FOLDERS)
"""Tests of layouts, of cells' contracts, of processes and of the pages: there sizes choose a network's layout."""


@pytest.fixture(autouse=True)
def few_sequences_as_many(request, monkeypatch):
    """Elsewhere run few sequences in the layout of many: its programs share kernels, where others take seconds to compile.

    Sparse matrices keep a layout of their own everywhere.
    """
    if not request.path.relative_to(request.config.rootpath).as_posix().startswith(BY_SIZES):
        from evorrn.engine.rows.run import Rows

        monkeypatch.setattr(Rows, "fit", lambda self, sequences: False)
