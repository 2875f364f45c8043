"""Workers on other machines: an executor over a Dask cluster, with the data sent to each once.

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
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from hpsearch.data import DataHandle
from hpsearch.errors import RunError, UsageError

__all__ = ["cluster_executor"]

T = TypeVar("T")

SCHEMES = {"dask://": "tcp://", "dask+tls://": "tls://"}
PATIENCE = 30.0
"""Seconds that the scheduler has to answer, and then a first worker to come."""


@contextmanager
def cluster_executor(address: str) -> Iterator[_Cluster]:
    """The workers of a Dask cluster.

    Dask starts a killed worker again and runs its job once more by itself; a job that has killed
    four workers comes back as broken.

    Args:
        address: ``dask://HOST:PORT`` of the scheduler, or ``dask+tls://HOST:PORT`` with the
            certificates that Dask's own configuration names.

    Raises:
        UsageError: the address is none, or Dask is not installed.
        RunError: the scheduler does not answer, no worker comes, or a worker has other versions.
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
        client: Any = Client(transport + place, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call,unused-ignore]
    except (OSError, TimeoutError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(
            f"no Dask scheduler answers at {place} ({reason}); start one with `dask scheduler` "
            "and check host, port and certificates"
        ) from error
    try:
        _check_workers(client, place)
        cluster = _Cluster(client)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        client.close()


class _Cluster:
    """The interface of `concurrent.futures`, over a Dask client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        # Not pure: a job that is handed out again is to run again.
        self._executor = client.get_executor(pure=False)
        self._folder = f"hpsearch-dask-{uuid4().hex}"
        self._sent: DataHandle | None = None
        self._workers, self._counted = 1, -1.0

    @property
    def workers(self) -> int:
        """How many jobs the cluster can run at once, now."""
        if time.monotonic() - self._counted > 1.0:
            self._workers = max(1, sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        return self._workers

    @property
    def ahead(self) -> int:
        """None: Dask blames a worker's death on every job that it was given."""
        return 0

    def submit(
        self, function: Callable[..., T], /, job: Any, *, limit: float | None = None
    ) -> Future[T]:
        """Run the function on a job in some worker, which ends if it takes ``limit`` seconds."""
        if self._sent != job.data:
            self._send(job.data)
        future: Future[T] = self._executor.submit(_there, function, job, self._folder, limit)
        return future

    def stop(self) -> None:
        """Take the jobs back that have not begun, and the data."""
        with suppress(Exception):  # the cluster may be gone
            self._executor.shutdown(wait=False)
            if self._sent is not None:
                self._client.unregister_worker_plugin(self._folder)

    def _send(self, data: DataHandle) -> None:
        """Write the data where every worker finds it; also those that come later."""
        home = Path(data.folder) / data.fingerprint
        files = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
        self._client.register_plugin(_plugin(self._folder, data.fingerprint, files))
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


def _there(function: Callable[[Any], T], job: Any, folder: str, limit: float | None) -> T:
    """Do a job in a worker's process, on its own copy of the data and with one BLAS thread."""
    from threadpoolctl import threadpool_limits

    data = DataHandle(str(Path(tempfile.gettempdir(), folder)), job.data.fingerprint)
    watchdog = None
    if limit is not None:  # nothing else ends a Python function that hangs
        watchdog = threading.Timer(limit, os._exit, [1])
        watchdog.daemon = True
        watchdog.start()
    try:
        with threadpool_limits(1):
            return function(replace(job, data=data))
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
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise RunError(
            f"the Dask scheduler at {place} has no workers; start some with "
            f"`dask worker {place} --nthreads 1`"
        ) from None
    here = _versions()
    found = client.run(_versions, on_error="return")
    for worker, there in found.items():
        if isinstance(there, BaseException):
            raise RunError(
                f"the Dask worker {worker} cannot use hpsearch ({there}); install it there too"
            ) from None
        for name, mine in here.items():
            if there[name] != mine:
                raise RunError(
                    f"the Dask worker {worker} has {name} {there[name]} and this machine {mine}; "
                    "install the same versions everywhere, or results would differ"
                )
