"""Worker processes of this machine behind the standard executor contract.

What the standard library's pool does not do and a sweep needs: the death of one worker is the failure of its own
call alone, and workers end when their parent does, however it dies.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from multiprocessing import connection
from typing import Any

from evorrn.lab.pool import one_thread_each


class WorkerDied(RuntimeError):
    """A worker process that ended in the middle of a call."""


class LocalExecutor(Executor):
    """Spawned processes, each with one call at a time.

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
        self._wake_up, self._woken = multiprocessing.Pipe()
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
            self._wake_up.send_bytes(b"!")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let workers end when their calls have; see `concurrent.futures.Executor.shutdown`."""
        with self._lock:
            if cancel_futures:
                for future, _ in self._pending:
                    future.cancel()
            if not self._closed:
                self._closed = True
                self._wake_up.send_bytes(b"!")
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
        # Workers inherit the mask: Ctrl-C reaches the whole group of processes, the parent alone decides on it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while self._hand_out():
            busy = {worker.pipe: worker for worker in self._workers}
            for ready in connection.wait([self._woken, *busy]):
                if ready is self._woken:
                    self._woken.recv_bytes()
                elif not busy[ready].collect():  # type: ignore[index]
                    self._workers.remove(busy[ready])  # type: ignore[index]
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join()

    def _hand_out(self) -> bool:
        """Give calls to free workers, starting some where there are too few; False when all is done."""
        free = [worker for worker in self._workers if worker.future is None]
        with self._lock:
            while self._pending:
                if self._pending[0][0].cancelled():
                    self._pending.popleft()[0].set_running_or_notify_cancel()
                    continue
                if not free:
                    if len(self._workers) == self.jobs:
                        break
                    free.append(_Worker(self.threads))
                    self._workers += free
                future, call = self._pending.popleft()
                if future.set_running_or_notify_cancel():
                    free.pop().give(future, call)
            return not (self._closed and not self._pending and all(w.future is None for w in self._workers))


class _Worker:
    """One worker process as its parent sees it."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy locks in an unknown state
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), name="evorrn-worker")
        self.future: Future[Any] | None = None
        with one_thread_each(threads):
            self.process.start()
        theirs.close()  # so that the pipe ends when the worker does

    def give(self, future: Future[Any], call: bytes) -> None:
        """Send a call; that the worker is gone is noticed when its answer is waited for."""
        self.future = future
        with suppress(OSError):
            self.pipe.send_bytes(call)

    def collect(self) -> bool:
        """Take an answer; return False when the worker is gone."""
        future, self.future = self.future, None
        try:
            good, value = pickle.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            self.process.join()
            if future is not None:
                future.set_exception(WorkerDied(_how(self.process.exitcode)))
            return False
        assert future is not None
        if good:
            future.set_result(value)
        else:
            future.set_exception(value)
        return True


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its worker process was ended by {signal.Signals(-code).name}"
    return f"its worker process ended with exit code {code}"


def _serve(pipe: connection.Connection) -> None:
    """Do calls until the parent closes the pipe."""
    threading.Thread(target=_follow_parent, name="evorrn-parent", daemon=True).start()
    while True:
        try:
            call = pipe.recv_bytes()
        except EOFError:
            return
        try:
            function, arguments, named = pickle.loads(call)
            answer = pickle.dumps((True, function(*arguments, **named)))
        except Exception as error:
            answer = _pickled(error)
        try:
            pipe.send_bytes(answer)
        except OSError:  # nobody is left to hear it
            return


def _pickled(error: Exception) -> bytes:
    try:
        answer = pickle.dumps((False, error))
        pickle.loads(answer)  # some errors can be written and not read
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer


def _follow_parent() -> None:
    """When the parent dies, end as batch schedulers end a process: a run under way leaves a checkpoint."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
