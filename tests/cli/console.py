"""Calls the command line inside the test's own process."""

from dataclasses import dataclass

import pytest

from evorrn.cli import main


@dataclass
class Said:
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


class Console:
    """A working folder and its own folder of runs, in which commands are typed."""

    def __init__(self, capsys):
        self.capsys = capsys

    def type(self, *words):
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        said = self.capsys.readouterr()
        return Said(said.out, said.err, left.value.code or 0)
