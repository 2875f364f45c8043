"""What an agent has to tell and could not yet: files that survive the agent.

A result is written here before it is sent, and deleted once the server has answered. An agent that
starts tells what others have left for the same server whose processes are gone; requests have keys,
so that two who tell the same tell it once. It also gives back what they had begun, so that nobody
waits for the ends of their leases.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpsearch.engine.processes import machine_here, process_identity
from hpsearch.errors import RunError
from hpsearch.service import requests
from hpsearch.service.models import Told, Work
from hpsearch.service.requests import Request
from hpsearch.shapes import fits

__all__ = ["Spool"]

OLD = 30 * 86_400.0
"""Seconds after which nobody waits for a result any more."""

BEGUN = {"trial": str, "lease": str, "machine": str, "process": str}
SHAPE = {
    "path": str,
    "content": str,
    "key": str,
    "title": str,
    "machine": str,
    "process": str,
}


@dataclass(frozen=True)
class Spool:
    """The results that one server is to be told.

    Attributes:
        folder: has them; made with the first.
    """

    folder: Path

    @classmethod
    def of(cls, cache: Path, url: str) -> Spool:
        """That of a server.

        Args:
            cache: the folder of all agents of this machine.
            url: of the server.
        """
        return cls(cache / "spool" / hashlib.sha256(url.encode()).hexdigest()[:16])

    def keep(self, request: Request[Told], title: str) -> Path:
        """Write down a request that tells a result.

        Args:
            request: to be sent.
            title: what the result is of, for people.

        Returns:
            Where it is, until `drop`.

        Raises:
            RunError: the disk is full.
        """
        assert request.content is not None, "a tell has content"
        document = {
            "path": request.path,
            "content": request.content.decode(),
            "key": request.key,
            "title": title,
            **_owner(),
        }
        place = self.folder / f"{request.key}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, draft = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(place)
        except OSError as error:
            raise RunError(
                f"the result cannot be kept in {self.folder}: {error.strerror or error}; free some "
                "space there, or name another folder with --cache"
            ) from error
        return place

    def begin(self, work: Work) -> None:
        """Note that this process has a trial."""
        document = {"trial": work.trial, "lease": work.lease, **_owner()}
        with suppress(OSError):  # a full disk: then its lease ends by itself, if need be
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._begun(work.lease).write_text(json.dumps(document), encoding="utf-8")

    def end(self, work: Work) -> None:
        """It has it no more."""
        self.drop(self._begun(work.lease))

    def orphans(self) -> Iterator[Request[None]]:
        """Requests that give back what processes had begun that are gone; each comes once."""
        for place in sorted(self.folder.glob("*.begun")):
            with suppress(OSError, ValueError, RecursionError):
                found = json.loads(place.read_bytes())
                if not fits(found, BEGUN):
                    self.drop(place)
                elif found["machine"] == machine_here() and not _is_at_work(found):
                    self.drop(place)
                    if not (self.folder / f"{found['lease']}-tell.json").exists():
                        yield requests.release_of(found["trial"], found["lease"])

    def _begun(self, lease: str) -> Path:
        return self.folder / f"{lease}.begun"

    def drop(self, place: Path) -> None:
        """A result has been told."""
        with suppress(OSError):
            place.unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[Path, Request[Told], str]]:
        """What nobody else will tell: where it is, the request, and what it is of."""
        for place in sorted(self.folder.glob("*.json")):
            with suppress(OSError, ValueError, RecursionError):
                if time.time() - place.stat().st_mtime > OLD:
                    place.unlink(missing_ok=True)
                    continue
                found = json.loads(place.read_bytes())
                ours = fits(found, SHAPE) and found["path"].startswith("/v1/trials/")
                if ours and not _is_at_work(found):
                    read, content = Told.model_validate_json, found["content"].encode()
                    request = Request(
                        "POST", found["path"], read, content=content, key=found["key"]
                    )
                    yield place, request, found["title"]


def _owner() -> dict[str, str]:
    return {"machine": machine_here(), "process": process_identity(os.getpid())}


def _is_at_work(owner: dict[str, str]) -> bool:
    """Whether a process of this machine still is there."""
    pid = owner["process"].partition(":")[0]
    here = owner["machine"] == machine_here() and pid.isdecimal()
    return here and process_identity(int(pid)) == owner["process"]
