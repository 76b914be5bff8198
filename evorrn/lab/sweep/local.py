"""Worker processes of this machine behind the standard executor contract.

What the standard library's pool does not do and a sweep needs: the death of one worker is the failure of its own
call alone; workers end when their parent does, however it dies; Ctrl-C reaches the parent only; and a script
that uses them needs no guard, since they import nothing but what their calls name.
"""

from __future__ import annotations

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
from typing import IO, Any

from evorrn.lab.pool import THREAD_VARIABLES

START = "from evorrn.lab.sweep.local import serve; serve()"
LENGTH = struct.Struct("!Q")


class WorkerDied(RuntimeError):
    """A worker process that ended in the middle of a call."""


class LocalExecutor(Executor):
    """Processes with one call at a time each.

    Parameters
    ----------
    jobs : int
        Processes, started when there is work for them.
    threads : int
        Threads that each computes with.
    """

    def __init__(self, jobs: int, threads: int = 1) -> None:
        self.jobs = jobs
        self.threads = threads
        self._lock = threading.Lock()
        self._pending: deque[tuple[Future[Any], bytes]] = deque()
        self._workers: list[_Worker] = []
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
            while self._hand_out(selector):
                for key, _ in selector.select():
                    worker: _Worker | None = key.data
                    if worker is None:
                        self._woken.recv(4096)
                    elif not worker.collect():
                        selector.unregister(key.fileobj)
                        self._workers.remove(worker)
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
                    free.append(_Worker(self.threads))
                    self._workers += free
                    selector.register(free[-1].answers, selectors.EVENT_READ, free[-1])
                free.pop().give(future, call)
            return not self._closed or any(worker.future is not None for worker in self._workers)


class _Worker:
    """One worker process as its parent sees it."""

    def __init__(self, threads: int) -> None:
        self.future: Future[Any] | None = None
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
        self._send(pickle.dumps(sys.path))

    def give(self, future: Future[Any], call: bytes) -> None:
        """Send a call; that the worker is gone is noticed when its answer is waited for."""
        self.future = future
        self._send(call)

    def collect(self) -> bool:
        """Take an answer; return False when the worker is gone."""
        future, self.future = self.future, None
        message = _receive(self.answers)
        if message is None:
            self.end()
            if future is not None:
                future.set_exception(WorkerDied(_how(self.process.returncode)))
            return False
        assert future is not None
        good, value = pickle.loads(message)
        if good:
            future.set_result(value)
        else:
            future.set_exception(value)
        return True

    def end(self) -> None:
        """Let the process come to its end, and wait for it."""
        with suppress(OSError):
            self.calls.close()
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
    sys.path[:] = pickle.loads(_receive(calls) or pickle.dumps(sys.path))
    threading.Thread(target=_listen, args=(calls, waiting), name="evorrn-parent", daemon=True).start()
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
