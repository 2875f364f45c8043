"""A study as it is submitted: its file, how it is to be run, and the files that come along."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import ValidationError

from hpsearch.errors import UsageError
from hpsearch.file_names import file_name
from hpsearch.service import models
from hpsearch.service.problems import Problem
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.study_file.loading import study_of

if TYPE_CHECKING:
    from fastapi import Request

__all__ = ["SUBMISSION", "keep_files", "read_submission"]

SUBMISSION = {
    "required": True,
    "content": {
        "application/json": {"schema": models.Submission.model_json_schema()},
        "application/toml": {"schema": {"type": "string"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["study"],
                "properties": {
                    "study": {"type": "string", "description": "The study file, as TOML."},
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                },
            }
        },
    },
}

OPTIONS = ("name", "seed", "priority", "max_parallel", "baselines", "first")
"""What may be said beside the study of how it is run."""


async def read_submission(
    request: Request, folder: Path
) -> tuple[StudyFile, dict[str, Any], dict[str, Path]]:
    """The study of a request, how it is to be run, and the files that came along.

    Args:
        request: whose body is read.
        folder: an empty one for the files.

    Raises:
        HpsearchError: the study is wrong.
        Problem: the request is.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    files: dict[str, Path] = {}
    text: str | None = None
    if kind == "multipart/form-data":
        given: dict[str, Any] = {}
        async with request.form(max_files=20, max_fields=20) as form:
            for key, value in form.multi_items():
                if key == "files" and not isinstance(value, str):
                    place = folder / str(len(files))
                    with place.open("wb") as out:
                        while piece := await value.read(1 << 20):
                            await asyncio.to_thread(out.write, piece)
                    files[value.filename or str(len(files))] = place
                elif key == "study":
                    content = value if isinstance(value, str) else await value.read()
                    text = content if isinstance(content, str) else _text(content)
                elif isinstance(value, str):
                    given[key] = value
        if text is None:
            raise Problem(422, "the form has no part `study`, which is the study file as TOML")
        options = _options(given)
    elif kind == "application/toml":
        text, options = _text(await request.body()), _options(dict(request.query_params))
    else:
        try:
            body = models.Submission.model_validate_json(await request.body())
        except ValidationError as error:
            raise _refused(error) from None
        options = body.model_dump(exclude={"study"}, exclude_none=True)
        study = await asyncio.to_thread(study_of, body.study)
    if text is not None:
        study = await asyncio.to_thread(parse_study_file, text)
    named = {key: options.pop(key) for key in ("name", "seed") if key in options}
    if named:
        tables = study.model_dump(mode="json", exclude_unset=True) | named
        study = await asyncio.to_thread(study_of, tables)
    return study, options, files


def _options(given: dict[str, Any]) -> dict[str, Any]:
    unknown = [key for key in given if key not in OPTIONS]
    if unknown:
        raise Problem(422, f"unknown option {unknown[0]!r}; known: {', '.join(OPTIONS)}")
    try:
        body = models.Submission.model_validate_strings({"study": {}} | given)
    except ValidationError as error:
        raise _refused(error) from None
    return body.model_dump(exclude={"study"}, exclude_none=True)


def _refused(error: ValidationError) -> Problem:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the body"
    return Problem(422, f"{where}: {first['msg']}", key=where)


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UsageError(
            "the study is not text in UTF-8; a study file is TOML", key="study"
        ) from None


def keep_files(files: Mapping[str, Path], home: Path) -> dict[str, Path]:
    """Keep files that came along, each once, by what is in it.

    Args:
        files: that are moved, by the names that the study has for them.
        home: the folder of all uploads.

    Returns:
        Where they are.
    """
    kept = {}
    for name, place in files.items():
        with place.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        folder = home / digest
        folder.mkdir(exist_ok=True)
        # Its kind is read from the end of its name, and the data are called as the rest of it.
        own = Path(name.replace("\\", "/"))
        suffix = "".join(own.suffixes[-2:])[:20]
        safe = "".join(sign for sign in suffix if sign.isalnum() or sign in ".-_")
        target = folder / f"{file_name(own.name.removesuffix(suffix))}{safe}"
        if not target.exists():
            part = target.with_name(f"{target.name}.{uuid4().hex}")
            shutil.move(place, part)
            part.replace(target)
        kept[name] = target
    return kept
