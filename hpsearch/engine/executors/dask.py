"""Workers on other machines: a Dask cluster, with the data sent to each once.

The driver stays where the database is; workers only train. What it needs of the cluster is the
address of its scheduler, and the same versions of Python, NumPy and hpsearch on every worker.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from hpsearch.errors import RunError, UsageError
from hpsearch.outcome import Place

__all__ = ["dask_pool"]

T = TypeVar("T")

SCHEMES = {"dask://": "tcp://", "dask+tls://": "tls://"}
ANSWER_SECONDS = 30.0
"""Seconds that the scheduler has to answer, then a first worker to come, then each to say what it
has installed."""

SENDING = 300.0
"""Seconds that the data may take to every worker."""

FOLDER = "hpsearch-dask-"
"""What the data are called on the cluster begins so, and goes on with the driver's client."""


@contextmanager
def dask_pool(address: str) -> Iterator[_Cluster]:
    """The workers of a Dask cluster.

    Dask starts a killed worker again and runs its job once more by itself; a job that has killed
    four workers comes back as broken.

    Args:
        address: ``dask://HOST:PORT`` of the scheduler, or ``dask+tls://HOST:PORT`` with the
            certificates that Dask's own configuration names.

    Raises:
        UsageError: the address is none, or Dask is not installed.
        RunError: the scheduler does not answer, no worker comes, or a worker has other versions.
            The executor raises it too, when the scheduler is gone.
    """
    scheme, separator, place = address.partition("://")
    transport = SCHEMES.get(scheme + separator)
    host, _, port = place.rpartition(":")
    if transport is None or not host or not port.isdigit():
        raise UsageError(
            f"{address!r} is no executor; give dask://HOST:PORT of a Dask scheduler, or leave it "
            "out to use this machine"
        )
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("to use a cluster, install Dask with pip install hpsearch[dask]") from None
    try:
        client: Any = Client(transport + place, timeout=ANSWER_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call,unused-ignore]
    except (OSError, TimeoutError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(
            f"no Dask scheduler answers at {place} ({reason}); start one with `dask scheduler` "
            "and check host, port and certificates"
        ) from error
    try:
        _check_workers(client, place)
        _sweep(client)
        cluster = _Cluster(client, place)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        client.close()


class _Cluster:
    """The interface of `concurrent.futures`, over a Dask client."""

    def __init__(self, client: Any, place: str) -> None:
        self._client, self._place = client, place
        # Not pure: a job that is handed out again is to run again.
        self._executor = client.get_executor(pure=False)
        self._folder = f"{FOLDER}{client.id}"
        self._sent: Place | None = None
        self._workers, self._counted = 1, -1.0

    @property
    def workers(self) -> int:
        """How many jobs the cluster can run at once, now."""
        if time.monotonic() - self._counted > 1.0:
            threads = self._ask(self._client.nthreads)
            self._workers = max(1, sum(threads.values()))
            self._counted = time.monotonic()
        return self._workers

    kills = True

    @property
    def ahead(self) -> int:
        """None: Dask blames a worker's death on every job that it was given."""
        return 0

    def submit(
        self,
        function: Callable[..., T],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[T]:
        """Run the function on a job in some worker, which ends if it takes ``limit`` seconds."""
        del key
        if self._sent != job.data:
            self._ask(lambda: self._send(job.data))
        future: Future[T] = self._ask(
            lambda: self._executor.submit(_there, function, job, self._folder, limit)
        )
        return future

    def _ask(self, call: Callable[[], T]) -> T:
        """Call what needs the scheduler.

        Raises:
            RunError: it is gone. A client looks for it again for a while; then it is closed.
        """
        try:
            while self._client.status == "connecting":
                time.sleep(0.1)
            if self._client.status == "running":
                return call()
            raise ConnectionError
        except OSError as error:
            raise RunError(
                f"the Dask scheduler at {self._place} is gone; finished trials are kept: start it "
                "and its workers again, and run the same command"
            ) from error

    def stop(self) -> None:
        """Take the jobs back that have not begun, and the data."""
        with suppress(Exception):  # the cluster may be gone
            self._executor.shutdown(wait=False)
            if self._sent is not None:
                self._client.unregister_worker_plugin(self._folder)

    def _send(self, data: Place) -> None:
        """Write the data where every worker finds it; also those that come later."""
        home = Path(data.folder) / data.fingerprint
        files = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
        plugin = _plugin(self._folder, data.fingerprint, files)
        _bounded(
            lambda: self._client.register_plugin(plugin),
            SENDING,
            f"the data did not reach every Dask worker within {SENDING:.0f} seconds; look for a "
            "worker that hangs, and run the same command again",
        )
        self._sent = data


def _plugin(folder: str, fingerprint: str, files: dict[str, bytes]) -> Any:
    from distributed import WorkerPlugin

    class DataPlugin(WorkerPlugin):
        """Dask gives it to every worker once, now or when the worker comes."""

        name = folder

        def setup(self, worker: Any) -> None:  # noqa: ARG002 - Dask gives it by name
            target = Path(tempfile.gettempdir(), folder, fingerprint)
            if target.is_dir():
                return  # another worker of this machine was first
            draft = target.with_name(f"{fingerprint}-{uuid4().hex}")
            draft.mkdir(parents=True)
            for name, content in files.items():
                (draft / name).write_bytes(content)
            with suppress(OSError):  # another was first after all
                draft.rename(target)

        def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask gives it by name
            shutil.rmtree(Path(tempfile.gettempdir(), folder), ignore_errors=True)

    return DataPlugin()


def _there(function: Callable[..., T], job: Any, folder: str, limit: float | None) -> T:
    """Do a job in a worker's process, on its own copy of the data and with one BLAS thread.

    Dask cannot stop a function; but when the driver leaves, it takes the data away.
    """
    from threadpoolctl import threadpool_limits

    data = replace(job.data, folder=str(Path(tempfile.gettempdir(), folder)))
    files = Path(data.folder, data.fingerprint)
    watchdog = None
    if limit is not None:  # nothing else ends a Python function that hangs
        watchdog = threading.Timer(limit, os._exit, [1])
        watchdog.daemon = True
        watchdog.start()
    try:
        with threadpool_limits(1):
            return function(replace(job, data=data), lambda: not files.exists())
    finally:
        if watchdog is not None:
            watchdog.cancel()


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = {name: version(name) for name in ("hpsearch", "numpy")}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **packages}


def _check_workers(client: Any, place: str) -> None:
    """Make sure that there is a worker, and that all of them would compute the same."""
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError:
        raise RunError(
            f"the Dask scheduler at {place} has no workers; start some with "
            f"`dask worker {place} --nthreads 1`"
        ) from None
    here = _versions()
    # One task a worker, not `client.run`: that waits for minutes where a worker lacks hpsearch.
    asked = {
        worker: client.submit(_versions, workers=[worker], pure=False, retries=0)
        for worker in client.scheduler_info(n_workers=-1)["workers"]
    }
    deadline = time.monotonic() + ANSWER_SECONDS
    for worker, future in asked.items():
        try:
            there = future.result(timeout=max(0.1, deadline - time.monotonic()))
        except TimeoutError:
            raise RunError(
                f"the Dask worker {worker} did not answer within {ANSWER_SECONDS:.0f} seconds; it "
                "is busy with something else, or hangs"
            ) from None
        except Exception as error:
            raise RunError(
                f"the Dask worker {worker} cannot use hpsearch ({error}); install it there too"
            ) from None
        for name, mine in here.items():
            if there[name] != mine:
                raise RunError(
                    f"the Dask worker {worker} has {name} {there[name]} and this machine {mine}; "
                    "install the same versions everywhere, or results would differ"
                )


def _sweep(client: Any) -> None:
    """Take the data away that drivers which were killed have left on the cluster."""

    def left(dask_scheduler: Any) -> list[str]:
        clients = {f"hpsearch-dask-{name}" for name in dask_scheduler.clients}
        names = [name for name in dask_scheduler.worker_plugins if name.startswith("hpsearch-dask")]
        return [name for name in names if name not in clients]

    with suppress(Exception):  # tidying up; a scheduler may forbid it
        for name in client.run_on_scheduler(left):
            client.unregister_worker_plugin(name)


def _bounded(call: Callable[[], T], seconds: float, complaint: str) -> T:
    """Call what has no time limit of its own.

    Raises:
        RunError: it took too long; the complaint says of what.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        raise RunError(complaint) from None
