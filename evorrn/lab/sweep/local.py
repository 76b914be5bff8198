"""Worker processes of this machine behind the standard executor contract.

What the standard library's pool does not do and a sweep needs: the death of one worker is the failure of its own
call alone; workers end when their parent does, however it dies; Ctrl-C reaches the parent only; and a script
that uses them needs no guard, since they import nothing but what their calls name.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from evorrn.lab.sweep.pool import THREAD_VARIABLES

START = "from evorrn.lab.sweep.local import serve; serve()"
LENGTH = struct.Struct("!Q")


class WorkerDied(RuntimeError):
    """A worker process that ended in the middle of a call."""


class LocalExecutor(Executor):
    """Processes with one call at a time each.

    Parameters
    ----------
    jobs : int
        Processes, each started when there is work for it.
    threads : int
        Threads that each computes with.
    load : tuple of str
        Modules that every call needs. Where some are named, all processes start now and import them side by
        side, while the caller is still preparing its calls.
    """

    def __init__(self, jobs: int, threads: int = 1, load: tuple[str, ...] = ()) -> None:
        self.jobs, self.threads, self.load = jobs, threads, load
        self._lock = threading.Lock()
        self._pending: deque[tuple[Future[Any], bytes]] = deque()
        self._workers = [_Worker(threads, load) for _ in range(jobs if load else 0)]
        self._closed = False
        self._wake_up, self._woken = socket.socketpair()
        self._manager = threading.Thread(target=self._manage, name="evorrn-workers", daemon=True)
        self._manager.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a call to the next free worker."""
        future: Future[Any] = Future()
        call = pickle.dumps((fn, args, kwargs))
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot submit after shutdown")
            self._pending.append((future, call))
        self._wake_up.send(b"!")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let workers end when their calls have; see `concurrent.futures.Executor.shutdown`."""
        with self._lock:
            if cancel_futures:
                for future, _ in self._pending:
                    future.cancel()
            if not self._closed:
                self._closed = True
                self._wake_up.send(b"!")
        if wait:
            self._manager.join()

    def kill(self) -> None:
        """End the workers now, in the middle of what they do."""
        self.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._workers):
            worker.process.kill()
        self._manager.join()

    def _manage(self) -> None:
        """Hand out calls and collect results, in a thread of its own."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for loading in self._workers:
                selector.register(loading.answers, selectors.EVENT_READ, loading)
            busy = self._hand_out(selector)
            while busy:
                answers: list[_Answer] = []
                for key, _ in selector.select():
                    worker: _Worker | None = key.data
                    if worker is None:
                        self._woken.recv(4096)
                        continue
                    answers.append(worker.collect())
                    if worker.gone:
                        selector.unregister(key.fileobj)
                        self._workers.remove(worker)
                busy = self._hand_out(
                    selector
                )  # a worker has its next call before anybody looks at its answer
                for answer in answers:
                    answer.give()
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            worker.end()
        self._wake_up.close()
        self._woken.close()

    def _hand_out(self, selector: selectors.BaseSelector) -> bool:
        """Give calls to free workers, starting some where there are too few; False when all is done."""
        free = [worker for worker in self._workers if worker.future is None]
        with self._lock:
            while self._pending:
                future, call = self._pending[0]
                if not free and len(self._workers) == self.jobs and not future.cancelled():
                    break
                self._pending.popleft()
                if not future.set_running_or_notify_cancel():
                    continue
                if not free:
                    free.append(_Worker(self.threads, self.load))
                    self._workers += free
                    selector.register(free[-1].answers, selectors.EVENT_READ, free[-1])
                free.pop().give(future, call)
            return not self._closed or any(worker.future is not None for worker in self._workers)


@dataclass(frozen=True)
class _Answer:
    """What became of a call; without a future it was nobody's."""

    future: Future[Any] | None
    good: bool
    value: Any

    def give(self) -> None:
        """Tell whoever waits for it."""
        if self.future is not None and self.good:
            self.future.set_result(self.value)
        elif self.future is not None:
            self.future.set_exception(self.value)


class _Worker:
    """One worker process as its parent sees it."""

    def __init__(self, threads: int, load: tuple[str, ...]) -> None:
        self.future: Future[Any] | None = None
        self.gone, self.unused = False, True
        self.process = subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches a whole group of processes; the parent alone decides on it
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.calls: IO[bytes] = self.process.stdin
        self.answers: IO[bytes] = self.process.stdout
        self._send(pickle.dumps((sys.path, load)))

    def give(self, future: Future[Any], call: bytes) -> None:
        """Send a call; that the worker is gone is noticed when its answer is waited for."""
        self.future, self.unused = future, False
        self._send(call)

    def collect(self) -> _Answer:
        """Take an answer; the worker is free then, or gone."""
        future, self.future = self.future, None
        message = _receive(self.answers)
        if message is not None:
            return _Answer(future, *pickle.loads(message))
        self.gone = True
        self.end()
        return _Answer(future, False, WorkerDied(_how(self.process.returncode)))

    def close(self) -> None:
        """Let the process come to its end when its call has; one that still loads what it needs ends now."""
        if self.unused:
            self.process.kill()
        with suppress(OSError):
            self.calls.close()

    def end(self) -> None:
        """Let the process come to its end, and wait for it."""
        self.close()
        self.process.wait()
        self.answers.close()

    def _send(self, message: bytes) -> None:
        with suppress(OSError):
            self.calls.write(LENGTH.pack(len(message)) + message)
            self.calls.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    """Return a whole message, None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None


def _how(code: int) -> str:
    if code < 0:
        return f"its worker process was ended by {signal.Signals(-code).name}"
    return f"its worker process ended with exit code {code}"


def serve() -> None:
    """Do calls until the parent closes the pipe; what a worker process does."""
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what a call prints must not get between the answers
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    sys.path[:], load = pickle.loads(_receive(calls) or pickle.dumps((sys.path, ())))
    threading.Thread(target=_listen, args=(calls, waiting), name="evorrn-parent", daemon=True).start()
    for module in load:
        with suppress(Exception):  # a call that needs it will say so
            importlib.import_module(module)
    while (call := waiting.get()) is not None:
        try:
            function, arguments, named = pickle.loads(call)
            answer = pickle.dumps((True, function(*arguments, **named)))
        except Exception as error:
            answer = _pickled(error)
        _doing.clear()
        try:
            answers.write(LENGTH.pack(len(answer)) + answer)
            answers.flush()
        except OSError:  # nobody is left to hear it
            return
    sys.stdout.flush()
    os._exit(0)  # everything is on disk, and the libraries take a third of a second to take themselves apart


_doing = threading.Event()


def _listen(calls: IO[bytes], waiting: queue.SimpleQueue[bytes | None]) -> None:
    """Take calls in, and see when the parent is gone: then what is under way is ended as by a batch scheduler."""
    while (call := _receive(calls)) is not None:
        _doing.set()
        waiting.put(call)
    waiting.put(None)
    if _doing.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def _pickled(error: Exception) -> bytes:
    try:
        answer = pickle.dumps((False, error))
        pickle.loads(answer)  # some errors can be written and not read
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer
