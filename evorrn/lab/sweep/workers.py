"""Workers: processes of this machine, or this process itself, behind the contract of standard executors.

The standard library's pool lacks what many runs need: the death of one worker fails its own call alone; workers
end when their parent does, however it dies; Ctrl-C reaches the parent only; a call can tell the parent how far it
is; and a script that uses workers needs no guard, since they import nothing but what their calls name.
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
from io import FileIO
from typing import IO, Any

from evorrn.lab.runs.hooks import ignore

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
START = "from evorrn.lab.sweep.workers import serve; serve()"
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
    listen : callable, optional
        Called, in a thread, with every value that a call passes to `tell`.
    """

    def __init__(
        self,
        jobs: int,
        threads: int = 1,
        load: tuple[str, ...] = (),
        listen: Callable[[Any], None] | None = None,
    ) -> None:
        self.jobs, self.threads, self.load, self.listen = jobs, threads, load, listen
        self._lock = threading.Lock()
        self._pending: deque[tuple[Future[Any], bytes]] = deque()
        self._workers = [_Worker(self) for _ in range(jobs if load else 0)]
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
                    answer = worker.collect()
                    if answer is not None:
                        answers.append(answer)
                    if worker.gone:
                        selector.unregister(key.fileobj)
                        self._workers.remove(worker)
                busy = self._hand_out(selector)  # a worker has its next call before its answer is given
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
                    free.append(_Worker(self))
                    self._workers += free
                    selector.register(free[-1].answers, selectors.EVENT_READ, free[-1])
                free.pop().give(future, call)
            return not self._closed or any(worker.future is not None for worker in self._workers)


@dataclass(frozen=True)
class _Answer:
    """What became of a call; without a future when the worker had no call."""

    future: Future[Any] | None
    good: bool
    value: Any

    def give(self) -> None:
        """Resolve the future of the call."""
        if self.future is not None and self.good:
            self.future.set_result(self.value)
        elif self.future is not None:
            self.future.set_exception(self.value)


class _Worker:
    """One worker process as its parent sees it."""

    def __init__(self, executor: LocalExecutor) -> None:
        self.future: Future[Any] | None = None
        self.listen = executor.listen
        self.gone, self.unused = False, True
        self.process = subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches a whole group of processes; the parent alone decides on it
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(executor.threads))},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.calls: IO[bytes] = self.process.stdin
        # Without a buffer, in which a second message would be hidden from the selector.
        self.answers = FileIO(os.dup(self.process.stdout.fileno()), "rb")
        self.process.stdout.close()
        self._send(pickle.dumps((sys.path, executor.load, self.listen is not None)))

    def give(self, future: Future[Any], call: bytes) -> None:
        """Send a call; that the worker is gone is noticed when its answer is waited for."""
        self.future, self.unused = future, False
        self._send(call)

    def collect(self) -> _Answer | None:
        """Take a message: the answer of a call, after which the worker is free or gone; None for a told value."""
        message = _receive(self.answers)
        good, value = (False, None) if message is None else pickle.loads(message)
        if good is None:
            if self.listen is not None:
                self.listen(value)
            return None
        future, self.future = self.future, None
        if message is not None:
            return _Answer(future, good, value)
        self.gone = True
        self.end()
        return _Answer(future, False, WorkerDied(_how(self.process.returncode)))

    def close(self) -> None:
        """Let the process end after its call; one that has had no call is killed."""
        if self.unused:
            self.process.kill()
        with suppress(OSError):
            self.calls.close()

    def end(self) -> None:
        """Let the process end after its call, and wait for it."""
        self.close()
        self.process.wait()
        self.answers.close()

    def _send(self, message: bytes) -> None:
        with suppress(OSError):
            self.calls.write(LENGTH.pack(len(message)) + message)
            self.calls.flush()


def _receive(stream: IO[bytes] | FileIO) -> bytes | None:
    """Return a whole message, None at the end of the stream."""
    head = _exactly(stream, LENGTH.size)
    return None if head is None else _exactly(stream, LENGTH.unpack(head)[0])


def _exactly(stream: IO[bytes] | FileIO, length: int) -> bytes | None:
    """Return the next bytes of a stream, None when it ends before."""
    found = b""
    while len(found) < length:
        more = stream.read(length - len(found))
        if not more:
            return None
        found += more
    return found


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
    sys.path[:], load, heard = pickle.loads(_receive(calls) or pickle.dumps((sys.path, (), False)))

    def send(message: bytes) -> None:
        answers.write(LENGTH.pack(len(message)) + message)
        answers.flush()

    if heard:
        global _listener
        _listener = lambda value: send(pickle.dumps((None, value)))  # noqa: E731
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
            send(answer)
        except OSError:  # the parent is gone
            return
    sys.stdout.flush()
    os._exit(0)  # everything is on disk, and an orderly exit of the libraries takes a third of a second


_doing = threading.Event()
_listener: Callable[[Any], None] = ignore


def tell(value: Any) -> None:
    """Send a value to the listener of the executor, from within a call."""
    _listener(value)


class InProcess(Executor):
    """No workers: a call is done where and when it is submitted.

    Parameters
    ----------
    listen : callable
        Called with every value that a call passes to `tell`.
    """

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


def _listen(calls: IO[bytes], waiting: queue.SimpleQueue[bytes | None]) -> None:
    """Receive calls; when the parent is gone, end the call under way as a batch scheduler does, by SIGTERM."""
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
