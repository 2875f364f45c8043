"""The whole API under requests that its own description leads to: no answer is a fault of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from server import serving

pytestmark = pytest.mark.slow

STUDY = """
name = "s"
[objective]
external = true
metric = "loss"
direction = "minimize"
[space]
x = { low = -1.0, high = 1.0 }
[search]
strategy = "random"
trials = 1000
"""


SETTINGS = settings(
    max_examples=10,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_request_is_answered_with_a_fault(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        submitted = httpx.post(
            f"{url}/v1/studies", content=STUDY, headers={"Content-Type": "application/toml"}
        )
        assert submitted.status_code == 201
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        asked = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path.endswith("/events"):  # an answer without an end
                continue

            @SETTINGS
            @given(case=operation.as_strategy())
            def ask(case: Any) -> None:
                case.call_and_validate(checks=[not_a_server_error], timeout=60)

            ask()
            asked += 1
        assert asked > 20
        assert httpx.get(f"{url}/readyz").status_code == 200
    assert "fault" not in (tmp_path / "server.log").read_text()
