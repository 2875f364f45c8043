"""Do the trials of a study of a server, with nothing but Python: client.py [URL [STUDY]]."""

from __future__ import annotations

import json
import math
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8765"
STUDY = sys.argv[2] if len(sys.argv) > 2 else "ask-and-tell"
PATIENCE = 60.0


def train(configuration: dict[str, Any], steps: int) -> Iterator[tuple[int, float]]:
    """Step and loss, again and again: here a descent into Rosenbrock's valley."""
    rate, momentum = configuration["rate"], configuration["momentum"]
    x, y, dx, dy = -1.0, 1.5, 0.0, 0.0
    for step in range(1, steps + 1):
        a, b = 1 - x, y - x * x
        dx = momentum * dx + rate * (2 * a + 400 * x * b)
        dy = momentum * dy - rate * 200 * b
        x, y = x + dx, y + dy
        a, b = 1 - x, y - x * x
        yield step, a * a + 100 * b * b


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post a body, again until there is an answer: the key makes the server do it once."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    if token := os.environ.get("HPSEARCH_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = Request(URL + path, json.dumps(body).encode(), headers)
    pause, end = 0.1, time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.loads(answer.read() or "{}")
                return found
        except HTTPError as error:
            if error.code not in (429, 502, 503, 504) or time.monotonic() > end:
                return {"order": "stop", "refused": json.loads(error.read())["detail"]}
            pause = float(error.headers.get("Retry-After") or pause)
        except OSError as error:  # nobody answers
            if time.monotonic() > end:
                sys.exit(f"no server answers at {URL}: {error}")
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, 5.0)


def do(work: dict[str, Any]) -> str:
    """Do a trial; what became of it."""
    path, lease = f"/v1/trials/{work['trial']}", {"lease": work["lease"]}
    done, orders = threading.Event(), {"order": "continue"}

    def beat() -> None:  # a step may take longer than the lease lasts
        while not done.wait(work["interval"]):
            orders.update(post(f"{path}:heartbeat", lease))

    threading.Thread(target=beat, daemon=True).start()
    try:
        loss = math.nan
        for step, loss in train(work["configuration"], work["resource"]):
            if not math.isfinite(loss):
                post(f"{path}:tell", lease | {"pruned": True})
                return "diverged"
            if step % 10 == 0:
                orders.update(post(f"{path}:report", lease | {"step": step, "value": loss}))
            if orders["order"] == "stop":
                return "nobody wants it any more"
        told = post(f"{path}:tell", lease | {"result": {work["metric"]: loss}})
        return str(told.get("refused") or f"{work['metric']} {loss:.6g}")
    except Exception as error:  # of the training: the study goes on
        post(f"{path}:tell", lease | {"error": {"sentence": f"{type(error).__name__}: {error}"}})
        return f"failed: {error}"
    finally:
        done.set()


while (asked := post(f"/v1/studies/{STUDY}/trials:ask?wait=20", {})).get("order") == "continue":
    if (work := asked.get("work")) is not None:
        print(f"trial {work['number']}: {do(work)}", flush=True)
    else:
        time.sleep(asked.get("retry", 1.0))
print(asked.get("refused") or asked.get("why"))
