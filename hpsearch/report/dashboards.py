"""What is on a page: a title and a list of panels, from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.plots import panel
from hpsearch.shipped import shipped_files
from hpsearch.study_file.loading import LONGEST

__all__ = ["Dashboard", "load_dashboard", "parse_dashboard"]


class Dashboard(BaseModel):
    """A page: its title, and its panels in their order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str = Field(min_length=1)
    panels: list[str] = Field(min_length=1)

    @field_validator("panels")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            panel(name)
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is listed twice; remove one")
        if len({panel(name).of for name in names}) > 1:
            of = ", ".join(f"{name} of a {panel(name).of}" for name in names)
            raise ValueError(f"a page is of studies or of comparisons, not of both: {of}")
        return names

    @property
    def of(self) -> str:
        """What it is a page of: "study" or "comparison"."""
        return panel(self.panels[0]).of if self.panels else "study"


def load_dashboard(name: str) -> Dashboard:
    """A dashboard by its file, or by the name of one that comes with hpsearch.

    Raises:
        UnknownNameError: there is no such dashboard, or no such panel; the sentence lists them.
        UsageError: the file cannot be read, or is not a dashboard.
    """
    shipped = shipped_files("dashboards")
    path = Path(name)
    if not path.suffix:
        if name not in shipped:
            raise UnknownNameError("dashboard", name, [*shipped, "or a file name.toml"])
        path = shipped[name]
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise UsageError(f"{path} has more than a megabyte; that is no dashboard")
        text = content.decode("utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot read the dashboard {path}: {error.strerror}; name a TOML file, or one of "
            f"{', '.join(shipped)}"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8; a dashboard is TOML") from None
    return parse_dashboard(text, origin=str(path))


def parse_dashboard(text: str, *, origin: str = "dashboard") -> Dashboard:
    r"""Check the text of a dashboard.

    Args:
        text: TOML.
        origin: how messages call it.

    Raises:
        UnknownNameError: a panel is unknown; the sentence lists the known ones.
        UsageError: the text is no dashboard.

    >>> parse_dashboard('title = "Mine"\npanels = ["history"]').panels
    ['history']
    """
    try:
        return Dashboard.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{origin} is nested too deeply for a dashboard") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, UnknownNameError):
            raise cause from None
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(Dashboard.model_fields)
            raise UsageError(f"{origin}: unknown key {key!r}; known: {known}") from None
        said = str(cause) if cause else problem["msg"].removeprefix("Input ").lower()
        raise UsageError(f"{origin}: {key}: {said}") from None
    except ValueError:
        raise UsageError(f"{origin} has a number of too many digits") from None
