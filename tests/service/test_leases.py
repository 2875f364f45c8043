"""The ledger, which writes what is asked and told."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hpsearch.service.leases import Ledger
from hpsearch.storage import WriteBehindStorage


def test_who_waits_no_longer_holds_up_nobody(storage: WriteBehindStorage) -> None:
    ledger, goes_on = Ledger(storage), threading.Event()

    async def give_up() -> None:
        written = asyncio.wrap_future(ledger.write(lambda _: goes_on.wait(10.0)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(written, 0.05)

    asyncio.run(give_up())
    goes_on.set()
    assert ledger.write(lambda _: "written").result(10.0) == "written"
    ledger.close()


def test_what_is_given_is_written_and_then_nothing_more(storage: WriteBehindStorage) -> None:
    ledger = Ledger(storage)
    given = [ledger.write(lambda _, k=k: k) for k in range(100)]  # type: ignore[misc]
    ledger.close()
    assert [one.result(0.0) for one in given] == list(range(100))
    with pytest.raises(RuntimeError, match="closed"):
        ledger.write(lambda _: None).result(0.0)
