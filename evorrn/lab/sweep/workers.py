"""Workers: processes of this machine, or this process itself, behind the contract of standard executors.

The standard library's pool of processes lacks what many runs need: the death of one worker fails its own call
alone; workers end when their parent does, however it dies; Ctrl-C reaches the parent only; a call can tell the
parent how far it is; and a script that uses workers needs no guard, since they import nothing but what their calls
name.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from evorrn.base.text import note
from evorrn.lab.runs.hooks import ignore

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
START = "from evorrn.lab.sweep.workers import serve; serve({})"
TOLD = "told"
"""What a message holds that is not the answer of a call but a value passed to `tell`."""


class WorkerDied(RuntimeError):
    """A worker process that ended in the middle of a call."""


class LocalExecutor(Executor):
    """Processes with one call at a time each; a thread of this process waits for each of them.

    Parameters
    ----------
    jobs, threads : int
        Processes, each started when there is work for it, and the threads that each computes with.
    load : tuple of str
        Modules that every call needs. Where some are named, all processes start now and import them side by
        side, while the caller is still preparing its calls.
    listen : callable
        Called, in a thread, with every value that a call passes to `tell`.
    """

    def __init__(
        self,
        jobs: int,
        threads: int = 1,
        load: tuple[str, ...] = (),
        listen: Callable[[Any], None] = ignore,
    ) -> None:
        self.threads, self.load, self.listen = threads, load, listen
        self._calls = ThreadPoolExecutor(jobs, thread_name_prefix="evorrn-worker")
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._workers: list[_Worker] = []
        for _ in range(jobs if load else 0):
            self._free.put(self._start())

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a call to the next free worker."""
        return self._calls.submit(self._call, pickle.dumps((fn, args, kwargs)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers after their calls; see `concurrent.futures.Executor.shutdown`."""
        self._calls.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            for worker in list(self._workers):  # the thread of a worker that dies removes it
                worker.close()
            for worker in list(self._workers):
                worker.process.wait()

    def kill(self) -> None:
        """End the workers now, in the middle of what they do."""
        self._calls.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._workers):
            worker.process.kill()
        self.shutdown()

    def _start(self) -> _Worker:
        self._workers.append(_Worker(self))
        return self._workers[-1]

    def _call(self, call: bytes) -> Any:
        """Do a call in a worker, and return its answer or raise its error."""
        try:
            worker = self._free.get_nowait()
        except queue.Empty:
            worker = self._start()
        good, value = worker.call(call, self.listen)
        if isinstance(value, WorkerDied):
            self._workers.remove(worker)
        else:
            self._free.put(worker)
        if good:
            return value
        raise value


class _Worker:
    """One worker process as its parent sees it."""

    def __init__(self, executor: LocalExecutor) -> None:
        ours, theirs = socket.socketpair()
        self.idle = True
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START.format(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a call prints goes to stderr
                start_new_session=True,  # Ctrl-C reaches a group of processes; the parent alone decides on it
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(executor.threads))},
                pass_fds=[theirs.fileno()],
            )
        self.messages = Connection(ours.detach())
        with suppress(OSError):
            self.messages.send((sys.path, executor.load))

    def call(self, call: bytes, listen: Callable[[Any], None]) -> tuple[bool, Any]:
        """Return whether a call went well, and its answer or its error."""
        self.idle = False
        try:
            self.messages.send_bytes(call)
            while True:
                good, value = self.messages.recv()
                if good != TOLD:
                    return good, value
                listen(value)
        except (EOFError, OSError):
            self.messages.close()
            return False, WorkerDied(_how(self.process.wait()))

    def close(self) -> None:
        """Let the process end after its call; one that has had no call is killed."""
        if self.idle:
            self.process.kill()
        self.messages.close()


def _how(code: int) -> str:
    if code < 0:
        return f"its worker process was ended by {signal.Signals(-code).name}"
    return f"its worker process ended with exit code {code}"


class InProcess(Executor):
    """No workers: a call is done where and when it is submitted; `listen` gets every value that it passes to `tell`."""

    def __init__(self, listen: Callable[[Any], None] = ignore) -> None:
        self.listen = listen

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do a call, and return its future, which is done."""
        global _listener
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        before, _listener = _listener, self.listen
        try:
            future.set_result(fn(*args, **kwargs))
        finally:
            _listener = before
        return future


_listener: Callable[[Any], None] = ignore
_calling = threading.Event()


def tell(value: Any) -> None:
    """Send a value to the listener of the executor, from within a call."""
    _listener(value)


def serve(descriptor: int) -> None:
    """Do calls until the parent closes the connection; what a worker process does."""
    global _listener
    warnings.formatwarning = note
    messages = Connection(descriptor)
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    try:
        sys.path[:], load = messages.recv()
    except (EOFError, OSError):
        return

    def send(value: Any) -> None:
        with suppress(OSError):  # the parent is gone, and the call ends with a checkpoint
            messages.send((TOLD, value))

    _listener = send
    threading.Thread(target=_receive, args=(messages, waiting), name="evorrn-parent", daemon=True).start()
    for module in load:
        with suppress(Exception):  # a call that needs it will say so
            importlib.import_module(module)
    while (call := waiting.get()) is not None:
        try:
            function, arguments, named = pickle.loads(call)
            answer = pickle.dumps((True, function(*arguments, **named)))
        except Exception as error:
            answer = _pickled(error)
        _calling.clear()
        try:
            messages.send_bytes(answer)
        except OSError:  # the parent is gone
            return
    sys.stdout.flush()
    os._exit(0)  # everything is on disk, and an orderly exit of the libraries takes a third of a second


def _receive(messages: Connection, waiting: queue.SimpleQueue[bytes | None]) -> None:
    """Receive calls; when the parent is gone, end the call under way as a batch scheduler does, by SIGTERM."""
    with suppress(EOFError, OSError):
        while True:
            call = messages.recv_bytes()
            _calling.set()
            waiting.put(call)
    waiting.put(None)
    if _calling.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def _pickled(error: Exception) -> bytes:
    try:
        answer = pickle.dumps((False, error))
        pickle.loads(answer)  # some errors can be written and not read
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer
