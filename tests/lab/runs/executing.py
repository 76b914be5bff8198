"""What the tests of executed runs share."""

import json
import os
import signal


def lasting(folder):
    """Return the bytes of everything in a run folder that may depend on nothing but the spec."""
    content = {name: (folder / name).read_bytes() for name in ("spec.toml", "history.jsonl", "genome.npz")}
    content["predictions.npz"] = (folder / "predictions.npz").read_bytes()
    result = json.loads((folder / "result.json").read_text())
    assert set(result.pop("times")) == {"seconds", "compile_seconds"}
    return content | {"result.json": json.dumps(result)}


def stopping_after(*steps, number=signal.SIGINT):
    """Return a callback that sends this process a signal after certain steps."""

    def watch(progress):
        if progress.step in steps:
            os.kill(os.getpid(), number)

    return watch
