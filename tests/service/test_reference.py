"""The API's reference as a page: everything is there, and nothing of it is taken for HTML."""

from __future__ import annotations

import re
import shlex
from html import unescape
from typing import Any
from unittest.mock import MagicMock

import pytest

from hpsearch.service import models
from hpsearch.service.app import make_app
from hpsearch.service.reference import reference_html
from hpsearch.storage import open_storage


@pytest.fixture(scope="module")
def described() -> dict[str, object]:
    server = MagicMock()
    server.drawings.shelf.store = open_storage("sqlite://")
    described: dict[str, object] = make_app(server).openapi()
    return described


def test_every_request_tells_what_it_is_for(described: dict[str, object]) -> None:
    page = reference_html(described, "https://lab/hpsearch")
    for path, methods in described["paths"].items():  # type: ignore[attr-defined]
        for method, operation in methods.items():
            assert operation.get("description"), path
            assert operation["x-scope"], path
            assert f"<code>{method.upper()} {path}</code>" in page
    identities = re.findall(r' id="([^"]+)"', page)
    assert len(identities) == len(set(identities))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(identities)


def test_examples_are_what_the_server_takes(described: dict[str, object]) -> None:
    page = reference_html(described, "https://lab/hpsearch")
    requests = [
        model
        for model in vars(models).values()
        if isinstance(model, type) and getattr(model, "model_config", {}).get("extra") == "forbid"
    ]
    bodies = re.findall(r"<pre[^>]*><code>(curl -X POST .*?)</code></pre>", page, re.S)
    told = [shlex.split(unescape(text))[-1] for text in bodies if " -d " in text]
    assert len(told) == 10
    for text in told:
        assert any(_takes(model, text) for model in requests), text
    assert '"https://lab/hpsearch/v1/studies"' in unescape(page)


def _takes(model: Any, text: str) -> bool:
    try:
        model.model_validate_json(text)
    except ValueError:
        return False
    return True


def test_texts_are_texts() -> None:
    odd = "<img src=x onerror=alert(1)>"
    operation = {
        "tags": ["a"],
        "operationId": odd,
        "summary": odd,
        "description": f"{odd} `{odd}` [x](javascript:alert(1))",
        "responses": {"200": {"description": odd}},
        "parameters": [{"name": odd, "in": odd, "schema": {"type": odd}, "description": odd}],
    }
    model = {"description": odd, "properties": {odd: {"enum": [odd], "description": odd}}}
    page = reference_html(
        {
            "info": {"title": odd, "description": odd},
            "tags": [{"name": "a", "description": odd}],
            "paths": {f"/{odd}": {"get": operation}},
            "components": {"schemas": {odd: model}},
        },
        odd,
    )
    assert "<img" not in page
    assert 'href="javascript' not in page
