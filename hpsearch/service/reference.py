"""The API's reference as a page, made of its description in OpenAPI: for a reader, without scripts.

Every text of the description is Markdown without HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from hpsearch.writing import html_text

__all__ = ["reference_html"]

Schema: TypeAlias = Mapping[str, Any]

MODEL = "#/components/schemas/"

SAID_ANYWAY = "Successful Response"
"""FastAPI's description of an answer that has none."""


def reference_html(described: Schema, url: str) -> str:
    """The page's content, safe HTML.

    Args:
        described: the whole description, as FastAPI's ``openapi()`` returns it.
        url: where the server is reached, for examples.
    """
    models = described["components"]["schemas"]
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    routes: dict[str, list[tuple[str, str, Schema]]] = {name: [] for name in tags}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            routes[operation["tags"][0]].append((method.upper(), path, operation))
    parts = [f"<h1>{html_text(described['info']['title'])}: the API</h1>"]
    parts.append(_markdown(described["info"].get("description", "")))
    parts.append(_contents(routes))
    for name, heading in tags.items():
        parts.append(f'<h2 id="{_id(name)}">{html_text(heading)}</h2>')
        parts += [_route(*each, models, url) for each in routes[name]]
    parts.append('<h2 id="models">What goes over the wire</h2>')
    parts += [_model(name, schema) for name, schema in models.items()]
    return "\n".join(parts)


def _contents(routes: Mapping[str, list[tuple[str, str, Schema]]]) -> str:
    """Links to all routes."""
    rows = "".join(
        f'<tr><td><a href="#{_id(operation["operationId"])}">{html_text(operation["summary"])}</a>'
        f"</td><td><code>{method} {html_text(path)}</code></td></tr>"
        for each in routes.values()
        for method, path, operation in each
    )
    return _table("All requests", ("what it does", "request"), rows)


def _route(
    method: str, path: str, operation: Schema, models: Mapping[str, Schema], url: str
) -> str:
    name = _id(operation["operationId"])
    scope = operation.get("x-scope")
    needs = f"Needs a token of scope <code>{html_text(scope)}</code>." if scope else ""
    body = operation.get("requestBody", {}).get("content", {})
    return (
        f'<section class="route" aria-labelledby="{name}"><h3 id="{name}">'
        f"{html_text(operation['summary'])}</h3>\n"
        f'<p class="path"><code>{method} {html_text(path)}</code></p>\n'
        f"{_markdown(operation.get('description', ''))}<p>{needs}</p>\n"
        f"{_parameters(operation.get('parameters', ()))}{_body(body)}{_answers(operation)}"
        f"{_example(method, path, body, models, url)}</section>"
    )


def _parameters(given: Any) -> str:
    rows = "".join(
        f"<tr><td><code>{html_text(each['name'])}</code></td><td>{html_text(each['in'])}</td>"
        f"<td>{_type(each['schema'])}{_limits(each['schema'])}</td>"
        f"<td>{_line(each.get('description', ''))}</td></tr>"
        for each in given
    )
    return _table("Parameters", ("name", "where", "type", "what"), rows)


def _body(content: Mapping[str, Schema]) -> str:
    if not content:
        return ""
    kinds = "; ".join(
        f"<code>{html_text(kind)}</code>: {_type(each['schema'])}" for kind, each in content.items()
    )
    fields = "".join(
        _fields(f"Fields of {kind}", each["schema"])
        for kind, each in content.items()
        if "properties" in each["schema"]
    )
    return f"<p>It takes {kinds}.</p>{fields}"


def _answers(operation: Schema) -> str:
    told = []
    for status, answer in operation["responses"].items():
        if status == "4XX":
            continue
        said = "" if answer["description"] == SAID_ANYWAY else f", {_line(answer['description'])}"
        kinds = ", ".join(
            _type(each["schema"])
            if kind == "application/json" and each.get("schema")
            else f"<code>{html_text(kind)}</code>"
            for kind, each in answer.get("content", {}).items()
        )
        told.append(f"<code>{status}</code>{' with ' if kinds else ''}{kinds}{said}")
    return f"<p>Answers {'; '.join(told)}.</p>"


def _example(
    method: str, path: str, body: Mapping[str, Schema], models: Mapping[str, Schema], url: str
) -> str:
    """A command for curl, of a request without a body or with one that has an example."""
    schema = body.get("application/json", {}).get("schema", {})
    refs = [each["$ref"] for each in (schema, *schema.get("anyOf", ())) if "$ref" in each]
    if refs:
        schema = models[refs[0].removeprefix(MODEL)]
    examples = schema.get("examples", ())
    if body and not examples:
        return ""
    words = ["curl" if method == "GET" else f"curl -X {method}"]
    words[0] += f' -H "Authorization: Bearer $TOKEN" "{url}{path}"'
    if examples:
        words.append(f"-H 'Content-Type: application/json' -d '{json.dumps(examples[0])}'")
    command = " \\\n  ".join(words)
    return f'<pre tabindex="0"><code>{html_text(command)}</code></pre>'


def _model(name: str, schema: Schema) -> str:
    identity = _id(f"model-{name}")
    return (
        f'<section class="route" aria-labelledby="{identity}"><h3 id="{identity}">'
        f"{html_text(name)}</h3>\n{_markdown(schema.get('description', ''))}"
        f"{_fields(f'Fields of {name}', schema)}</section>"
    )


def _fields(caption: str, schema: Schema) -> str:
    needed = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{html_text(name)}</code></td><td>{_type(each)}{_limits(each)}</td>"
        f"<td>{_line(' '.join(_said(each, name in needed)))}</td></tr>"
        for name, each in schema.get("properties", {}).items()
    )
    return _table(caption, ("field", "type", "what"), rows)


def _said(schema: Schema, needed: bool) -> Iterator[str]:
    if "description" in schema:
        yield schema["description"]
    default = schema.get("default")
    if not needed and default not in (None, "", [], {}):
        yield f"By default `{json.dumps(default)}`."


def _type(schema: Schema) -> str:
    """What a value may be, safe HTML."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(MODEL)
        return f'<a href="#{_id(f"model-{name}")}">{html_text(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{html_text(json.dumps(each))}</code>" for each in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        items = schema.get("items") or {"anyOf": schema.get("prefixItems", [{}])}
        pair = "[step, value]" if "prefixItems" in items else ""
        return f"list of {pair or _type(items)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return html_text(kind)


def _limits(schema: Schema) -> str:
    """Of a number, or of the one that may be null."""
    for each in (schema, *schema.get("anyOf", ())):
        if "minimum" in each:
            high = f" to {each['maximum']:,.15g}" if "maximum" in each else " on"
            return f", from {each['minimum']:,.15g}{high}"
    return ""


def _table(caption: str, headings: tuple[str, ...], rows: str) -> str:
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{html_text(each)}</th>' for each in headings)
    return (
        f'<div class="frame" tabindex="0" role="region" aria-label="{html_text(caption)}">'
        f'<table class="facts"><caption>{html_text(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )


def _id(text: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in text)


@lru_cache(maxsize=1)
def _reader() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False})


def _markdown(text: str) -> str:
    rendered: str = _reader().render(text)
    return rendered.replace("<pre>", '<pre tabindex="0">')


def _line(text: str) -> str:
    rendered: str = _reader().renderInline(text)
    return rendered
