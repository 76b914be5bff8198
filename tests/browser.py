"""A headless browser, driven through its debugging pipe: nothing but the browser itself is needed.

The protocol is Chrome's DevTools protocol, JSON messages that end in a zero byte, on descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from contextlib import suppress

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell",
    "microsoft-edge",
)  # fmt: skip
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip


def find_browser():
    """Return the path of an installed browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a headless browser.

    Attributes
    ----------
    errors : list of str
        What the console said that is an error.
    requests : list of str
        Every address that the page asked for.
    """

    def __init__(self, path, profile, patience=60.0):
        self.patience = patience
        self.errors, self.requests, self._number, self._buffer = [], [], 0, b""
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
        actions = [(os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(high, (3, 4))]
        nowhere = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        arguments = [path, f"--user-data-dir={profile}", *FLAGS]
        self._pid = os.posix_spawn(path, arguments, os.environ, file_actions=[*actions, nowhere], setpgroup=0)
        for end in (theirs_in, theirs_out, *high):
            os.close(end)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            self._call(f"{domain}.enable")

    def open(self, path):
        """Load a file, with no network to reach."""
        self._call(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )
        self._call("Page.navigate", url=f"file://{path}")
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def reload(self):
        """Load the page anew."""
        self._call("Page.reload")
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression):
        """Return the value of a JavaScript expression in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def resize(self, width, height=900):
        """Give the page a window of another size."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name):
        """Prefer a ``light`` or a ``dark`` scheme."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self):
        """Return the visible part of the page as the bytes of a PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def close(self):
        """End the browser and everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._in)
        os.close(self._out)

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if method.partition(".")[0] != "Target":
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda message: message.get("id") == self._number)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _until(self, wanted):
        """Read messages until one is wanted, and take note of the others."""
        end = time.monotonic() + self.patience
        while True:
            head, found, rest = self._buffer.partition(b"\0")
            if found:
                self._buffer = rest
                message = json.loads(head)
                self._note(message)
                if wanted(message):
                    return message
                continue
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._in, 1 << 20) if ready else b""
            assert part, "the browser said nothing more" if ready else "the browser took too long"
            self._buffer += part

    def _note(self, message):
        method, content = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(content["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and content["type"] in ("error", "warning", "assert"):
            self.errors.append(str(content["args"]))
        elif method == "Log.entryAdded" and content["entry"]["level"] in ("error", "warning"):
            self.errors.append(content["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(content["request"]["url"])
