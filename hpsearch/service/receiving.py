"""Bodies of requests that are looked at before the application that answers gets them."""

from __future__ import annotations

from starlette.types import Message, Receive

__all__ = ["again"]


def again(messages: list[Message], receive: Receive) -> Receive:
    """Gives what has come already, and then what comes.

    Args:
        messages: ASGI's, in order.
        receive: gives those behind them.
    """
    left = iter(messages)

    async def next_one() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return next_one
