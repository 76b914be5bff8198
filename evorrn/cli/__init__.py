"""The command line: parses arguments, calls the laboratory, prints results."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass

from evorrn.base.errors import EvorrnError, Unfinished
from evorrn.base.patience import leave
from evorrn.base.text import note

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130


@dataclass
class Invocation:
    """How the command line was called: the arguments after ``evorrn``, and whether errors show tracebacks."""

    arguments: list[str]
    debug: bool = False


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 something ran and failed, 2 wrong input, 130 interrupted."""
    from evorrn.cli.app import command

    given = sys.argv[1:] if arguments is None else arguments
    invocation = Invocation(given, "--debug" in given)
    words = [word for word in given if word != "--debug"]
    if invocation.debug:  # moved to the front, so that it can be added at the end of a command that failed
        words = ["--debug", *words]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    warnings.formatwarning = note  # as workers write them, too
    try:
        if "EVORRN_VECTOR" in os.environ:  # a bad value is reported before anything runs
            from evorrn.kernels.machine import registers

            registers()
        command(args=words, prog_name="evorrn", obj=invocation)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)
        raise
    except KeyboardInterrupt:
        leave(INTERRUPTED)
        sys.exit(INTERRUPTED)
    except Exception as error:
        sys.exit(_complain(error, invocation.debug))


def _complain(error: Exception, debug: bool) -> int:
    """Print an error on stderr, and return the exit code."""
    expected = isinstance(error, EvorrnError)
    problems = getattr(error, "problems", [])
    if debug:
        import traceback

        traceback.print_exception(error)
    elif len(problems) > 1:
        print("\n  ".join([f"evorrn: {len(problems)} problems", *problems]), file=sys.stderr)
    elif expected:
        print(f"evorrn: {error}", file=sys.stderr)
    else:
        print(f"evorrn: unexpected {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
    return WRONG_INPUT if expected and not isinstance(error, Unfinished) else FAILED
