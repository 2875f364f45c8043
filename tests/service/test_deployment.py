"""The files of docs/deployment, as far as that goes where no Docker is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hpsearch.cli.app import app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "deployment"

yaml = pytest.importorskip("yaml")


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def instructions() -> list[tuple[str, str]]:
    """Those of the Dockerfile, with what is behind them."""
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    words = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    return [(name, rest) for name, rest in words]


def check_command(words: list[str]) -> None:
    """A command of ours is one that there is, with options that there are."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    command.make_context(words[0], words[1:], resilient_parsing=False)


def test_the_dockerfile_copies_what_is_there_and_starts_what_there_is() -> None:
    known = "FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE HEALTHCHECK ENTRYPOINT CMD"
    found = instructions()
    assert {name for name, _ in found} <= set(known.split())
    for name, rest in found:
        if name == "COPY" and "--from" not in rest:
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest
    said = dict(found)
    assert said["USER"] != "root"
    assert json.loads(said["ENTRYPOINT"]) == ["hpsearch"]
    check_command(json.loads(said["CMD"]))
    probe = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    compile(probe[2], "probe", "exec")


def test_what_is_installed_are_extras_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in ("Dockerfile", "hpsearch.service"):
        found = re.findall(r"pip install [^\n]*'\S*?\[([a-z,]+)\]'", (FOLDER / name).read_text())
        assert found, name
        assert set(found[0].split(",")) <= set(project["optional-dependencies"])
    # What the wheel is built from is in the image when it is built.
    copied = " ".join(rest for name, rest in instructions() if name == "COPY")
    needed = [project["readme"], *project["license-files"], "hpsearch", "studies", "dashboards"]
    assert all(name in copied.split() for name in needed)


def test_the_compose_file_names_what_it_has(compose: Any) -> None:
    assert set(compose) == {"name", "services", "networks", "volumes"}
    known = (
        "build command environment ports volumes networks depends_on init read_only tmpfs cap_drop "
        "security_opt stop_grace_period restart image healthcheck"
    )
    for service in compose["services"].values():
        assert set(service) <= set(known.split())
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert set(service["networks"]) <= set(compose["networks"])
        for volume in service["volumes"]:
            assert volume.split(":")[0] in compose["volumes"]
    server = compose["services"]["server"]
    context = FOLDER / server["build"]["context"]
    assert context.resolve() == ROOT
    assert (context / server["build"]["dockerfile"]).samefile(FOLDER / "Dockerfile")
    check_command(server["command"])
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (FOLDER / "hpsearch.service").read_text()
    [start] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *words = start.split()
    check_command(words)
    unit = tmp_path / "hpsearch.service"
    unit.write_text(text.replace(program, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
    )
    told = [line for line in done.stderr.splitlines() if "hpsearch" in line]
    assert (done.returncode, told) == (0, [])
