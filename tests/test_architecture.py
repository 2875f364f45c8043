"""The shape of the house: what is public, what imports what, what starts quickly."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hpsearch

PACKAGE = Path(hpsearch.__file__).parent

LAYERS = [
    ["cli", "study", "notebook", "__main__"],
    ["service"],
    ["dashboard", "lab"],
    ["report", "export"],
    ["plots"],
    ["wording"],
    ["compare", "advice", "search_cv"],
    ["engine", "objectives"],
    ["checks"],
    ["storage"],
    ["training", "estimators", "outcome", "trials"],
    ["study_file"],
    ["search"],
    ["space"],
    ["data"],
    ["nn"],
    ["metrics"],
    ["errors", "file_names", "kinds", "setting", "shapes", "shipped", "writing"],
]
"""From the top of the house to its ground; a module imports from its own floor or from below."""

FLOOR = {name: len(LAYERS) - i for i, names in enumerate(LAYERS) for name in names}


def test_public_names_are_pinned() -> None:
    assert hpsearch.__all__ == [
        "AsyncClient",
        "Categorical",
        "Client",
        "CoarseToFineSampler",
        "CoarseToFineSearchCV",
        "Condition",
        "Float",
        "GuidedSampler",
        "HpsearchError",
        "Int",
        "MLPClassifier",
        "MLPObjective",
        "MLPRegressor",
        "Model",
        "Space",
        "Study",
        "StudyFile",
        "Summary",
        "load_study",
        "load_study_file",
        "make_strategy",
        "parse_study_file",
        "run_search",
        "run_study",
    ]
    assert all(getattr(hpsearch, name).__doc__ for name in hpsearch.__all__)
    assert dir(hpsearch) == sorted(hpsearch.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hpsearch.nothing


def modules() -> list[Path]:
    """Every module but the package's own front door, which opens all rooms."""
    return sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})


def test_imports_point_down() -> None:
    upwards = []
    for path in modules():
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        rooms = {m.split(".")[1] for m in imported(path) if m.startswith("hpsearch.")}
        upwards += [f"{path} imports {there}" for there in rooms if FLOOR[there] > FLOOR[here]]
    assert upwards == []


def test_no_import_goes_round_in_a_circle() -> None:
    """Not within a folder either, be it for types or inside a function."""
    names = {".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts): p for p in modules()}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {name: imported(path) & names.keys() - {name} for name, path in names.items()}
    circles = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
            break
        except CycleError as error:
            imports = error.args[1]
            circles.append(" is imported by ".join(imports))
            graph[imports[1]].discard(imports[0])
    assert circles == []


def test_the_network_needs_numpy_only() -> None:
    for path in (PACKAGE / "nn").glob("*.py"):
        outside = {m.split(".")[0] for m in imported(path)} - set(sys.stdlib_module_names)
        assert outside <= {"numpy", "hpsearch"}, path


@pytest.mark.parametrize("name", ["efficiency", "progress", "relevance", "statistics"])
def test_the_statistics_know_numbers_and_spaces_only(name: str) -> None:
    ours = {
        m.split(".")[1] for m in imported(PACKAGE / "compare" / f"{name}.py") if "hpsearch" in m
    }
    assert ours <= {"compare", "space", "errors"}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it, for types or for real."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # Of a folder a name may be a module; where it is none, it is from the folder's own.
            own = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if is_module(name) else node.module for name in own}
    return names


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys, hpsearch; heavy = {'numpy', 'optuna', 'sklearn', 'pydantic', 'typer'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
