"""The package is built as its design says: imports go one way, files are short, tests mirror modules."""

import ast
import re
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "mtl_keras"

# The levels of the house, by its rooms (a folder or a file beside them): imports go to a level above, never back. Of
# their own level, rooms may import only what NEIGHBORS says.
LEVELS = (
    (
        "errors",
        "quiet",
        "workers",
        "extras",
        "colors",
        "columns",
        "precision",
        "choices",
        "files",
        "state_files",
        "owner",
        "tables",
        "tasks",
        "intervals",
        "rotations",
        "boxes",
        "kinds",
    ),
    ("datasets", "portraits", "data", "faces", "models"),
    ("training",),
    ("evaluation",),
    ("studies", "serving"),
    ("commands",),
)
NEIGHBORS = {
    "errors": {"quiet"},
    "columns": {"errors"},
    "choices": {"errors", "tables"},
    "extras": {"errors"},
    "files": {"errors"},
    "state_files": {"errors", "files"},
    "owner": {"errors", "files"},
    "tables": {"errors"},
    "tasks": {"errors", "state_files"},
    "intervals": {"errors", "files", "tasks"},
    "rotations": {"colors"},
    "boxes": {"errors", "files"},
    "kinds": {"errors", "files", "rotations", "tables", "tasks"},
    "portraits": {"datasets"},
    "faces": {"data"},
}
# It gathers what the others made.
ENTRANCES = ("__init__", "__main__")

# Tests that mirror no module, and what tests share.
FREE_TESTS = {
    "laws.py",
    "test_readme.py",
    "test_structure.py",
    "test_quickstart.py",
    "test_fuzz.py",
    "test_wheel.py",
    "datasets/test_laws.py",
    "studies/test_plots.py",
    "studies/test_settings_change_training.py",
}
MIRRORED = {"experiments": "experiments", "data_tools": "data_tools"}
# What reads a file without a schema; `json.loads(json.dumps(...))` makes a value plain.
UNCHECKED = re.compile(r"pd\.read_csv\(|np\.load\(|json\.loads?\((?!json\.dumps|_text)")
# What Keras fixes the arguments of.
KERAS_METHODS = {"compile", "fit", "evaluate"}
MAXIMUM_LINES, MEDIAN_LINES, MAXIMUM_FUNCTION, MAXIMUM_ARGUMENTS = 300, 100, 60, 7


def imported(source: str, module: tuple[str, ...], is_folder: bool) -> set[str]:
    """Names of the package's top modules that a module imports anywhere, also inside functions.

    `module` is its dotted name below the package; importing the package itself gives the name "".
    """
    here = (PACKAGE, *module) if is_folder else (PACKAGE, *module)[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            # `from mtl_keras import losses` imports a module; the version is the one name that is none.
            targets = [(*base, alias.name) for alias in node.names if alias.name != "__version__"]
        else:
            continue
        found |= {(*target, "")[1] for target in targets if target[0] == PACKAGE}
    return found


def forbidden(top: str, imports: set[str]) -> set[str]:
    """Those of the imported rooms that a module of the room `top` must not import."""
    if top in ENTRANCES:
        return set()
    level = next(index for index, rooms in enumerate(LEVELS) if top in rooms)
    return imports - {top}.union(NEIGHBORS.get(top, ()), *LEVELS[:level])


def mirrored(test: Path) -> list[Path]:
    """Where the module may lie that a test file (relative to tests/) mirrors."""
    name = test.stem.removeprefix("test_")
    folder = test.parent if test.parts[0] in MIRRORED else Path(PACKAGE, test.parent)
    return [ROOT / folder / f"{name}.py", ROOT / folder / name / "__init__.py"]


def undocumented(source: str) -> list[str]:
    """Names of what lacks a docstring: the module, or its public functions and classes."""
    tree = ast.parse(source)
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public = [node for node in definitions if not node.name.startswith("_")]
    missing = [node.name for node in public if not ast.get_docstring(node)]
    return missing if ast.get_docstring(tree) else ["(module)", *missing]


def lambda_layers(source: str) -> list[int]:
    """Numbers of the lines that name Keras' Lambda layer, which no saved model may hold: it would carry code."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr == "Lambda")
        or (isinstance(node, ast.Name) and node.id == "Lambda")
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "Lambda" for alias in node.names))
    ]


def oversized(source: str) -> list[str]:
    """Names of the functions that are too long, or take too many arguments.

    Those of a network are the settings that its saved configuration holds, one argument each.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        arguments = [name for name in names if name not in ("self", "cls")]
        known = {"shared_units", "head_units", "dropout"} <= {*names}
        if known or node.name in KERAS_METHODS:
            arguments = []
        if node.end_lineno - node.lineno >= MAXIMUM_FUNCTION or len(arguments) > MAXIMUM_ARGUMENTS:
            found.append(node.name)
    return found


MODULES = sorted((ROOT / PACKAGE).rglob("*.py"))
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in MODULES}
TESTS = sorted(path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py"))


def found_in_modules(check: Callable[[str], object]) -> dict[str, object]:
    """What a check of a module's text finds, by the module; nothing where it finds nothing."""
    found = {path: check(source) for path, source in SOURCES.items()}
    return {path: each for path, each in found.items() if each}


def test_imports_go_one_way():
    known = {room for rooms in LEVELS for room in rooms}.union(ENTRANCES)
    for path, source in SOURCES.items():
        module = Path(path).relative_to(PACKAGE).with_suffix("").parts
        is_folder, top = module[-1] == "__init__" and len(module) > 1, module[0]
        assert top in known, f"{path} is in no level; LEVELS of this file says where rooms stand"
        imports = imported(source, module[:-1] if is_folder else module, is_folder)
        assert forbidden(top, imports) == set(), path


def test_files_are_short():
    lengths = [len(source.splitlines()) for source in SOURCES.values()]
    assert found_in_modules(lambda source: len(source.splitlines()) > MAXIMUM_LINES) == {}
    assert statistics.median(lengths) <= MEDIAN_LINES


def test_functions_are_short():
    assert found_in_modules(oversized) == {}


def test_every_room_says_what_it_is_for_in_one_sentence():
    rooms = {path.parent for path in MODULES}
    for room in rooms:
        said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        first, _, rest = said.partition("\n\n")
        assert first.endswith(".") and first.count(". ") == 0, f"{room}: {first}"


def test_every_folder_is_a_package():
    for folder in {path.parent for path in MODULES}:
        assert (folder / "__init__.py").exists(), f"{folder} has no __init__.py, so a built wheel leaves it out"


def test_what_is_public_has_a_docstring():
    assert found_in_modules(undocumented) == {}


def test_no_lambda_layers():
    assert found_in_modules(lambda_layers) == {}


def test_tests_mirror_the_package():
    for test in TESTS:
        if test.name == "conftest.py" or test.as_posix() in FREE_TESTS:
            continue
        assert test.name.startswith("test_"), f"tests/{test} is no test, and not in FREE_TESTS"
        places = mirrored(test)
        assert any(place.exists() for place in places), f"tests/{test} mirrors none of {', '.join(map(str, places))}"


# A backup has a checksum of its own, and workers tell each other what no file holds.
CHECKED_THERE = {"table.py", "backup.py", "cluster.py", "scaling_workers.py"}


def test_files_of_our_own_are_read_by_the_checked_reader():
    found = {}
    for path in MODULES:
        place = path.relative_to(ROOT / PACKAGE)
        if place.parts[0] in ("datasets", "state_files.py") or place.name in CHECKED_THERE:
            continue
        found[place.as_posix()] = UNCHECKED.findall(path.read_text(encoding="utf-8"))
    assert {place: calls for place, calls in found.items() if calls} == {}


# === That the checks above can fail ===


@pytest.mark.parametrize(
    ("source", "module", "is_folder", "expected"),
    [
        ("import numpy\nfrom keras import ops", ("losses",), False, set()),
        ("import mtl_keras.trainer", ("losses",), False, {"trainer"}),
        ("from mtl_keras.data.table import split", ("cli",), False, {"data"}),
        ("from mtl_keras import losses, tasks", ("trainer",), False, {"losses", "tasks"}),
        ("from mtl_keras import __version__", ("export",), False, set()),
        ("import mtl_keras as mtl", ("export",), False, {""}),
        ("def f():\n    from mtl_keras import cli", ("losses",), False, {"cli"}),
        ("from . import cli", ("losses",), False, {"cli"}),
        ("from .images import decode", ("data", "table"), False, {"data"}),
        ("from ..losses import masked", ("data", "table"), False, {"losses"}),
        ("from .table import split", ("data",), True, {"data"}),
        ("from ..losses import masked", ("data",), True, {"losses"}),
        ("from .. import losses", ("data", "sub"), True, {"data"}),
        ("from ... import losses", ("data", "sub"), True, {"losses"}),
    ],
)
def test_imports_are_seen(source, module, is_folder, expected):
    assert imported(source, module, is_folder) == expected


@pytest.mark.parametrize(
    ("top", "imports", "expected"),
    [
        ("tasks", {"errors"}, set()),
        ("errors", {"tasks"}, {"tasks"}),
        ("kinds", {"tasks", "files", "data"}, {"data"}),
        ("data", {"data", "datasets", "kinds"}, {"datasets"}),
        ("portraits", {"datasets", "models"}, {"models"}),
        ("training", {"models", "evaluation"}, {"evaluation"}),
        ("studies", {"evaluation", "training", "serving"}, {"serving"}),
        ("serving", {"studies", "faces"}, {"studies"}),
        ("commands", {"studies", "serving", "data"}, set()),
        ("commands", {""}, {""}),
        ("__init__", {"commands", "training"}, set()),
    ],
)
def test_levels_are_kept(top, imports, expected):
    assert forbidden(top, imports) == expected


def test_missing_docstrings_are_seen():
    source = '"""Module."""\nclass A:\n    pass\ndef _b(): pass\ndef c():\n    """C."""\n'
    assert undocumented(source) == ["A"]
    assert undocumented("def c(): pass") == ["(module)", "c"]


@pytest.mark.parametrize("source", ["from keras.layers import Lambda", "layers.Lambda(f)", "Lambda(f)"])
def test_lambda_layers_are_seen(source):
    assert lambda_layers(source)
    assert not lambda_layers("square = lambda x: x * x")


def test_long_functions_and_long_lists_of_arguments_are_seen():
    long = "def f():\n" + "    pass\n" * MAXIMUM_FUNCTION
    assert oversized(long) == ["f"] and oversized(long.removesuffix("    pass\n")) == []
    arguments = ", ".join("abcdefg")
    assert oversized(f"class A:\n    def f(self, {arguments}): pass") == []
    assert oversized(f"def f({arguments}, *, h): pass") == ["f"]
