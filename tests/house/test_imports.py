"""The house's own rules: imports go one way, no cycles, our package names are ours alone, packages are listed."""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MAY_IMPORT = {
    "ops": {"ops", "stream", "classifiers", "schemas"},
    "stream": {"stream", "classifiers", "schemas"},
    "classifiers": {"classifiers"},
    "schemas": {"schemas"},
}
ONE_ADAPTER = {
    "confluent_kafka": ("stream/transports/broker/", "ops/bench/"),
    "onnx": ("classifiers/runtimes/", "classifiers/training/"),
    "onnxruntime": ("classifiers/runtimes/",),
    "torch": ("classifiers/networks/", "classifiers/training/", "classifiers/runtimes/"),
    "tensorrt": ("classifiers/runtimes/tensorrt/library.py",),
    "tensorrt_rtx": ("classifiers/runtimes/tensorrt/library.py",),
    "matplotlib": ("ops/plots/",),
    "numba": ("classifiers/compiled.py",),
    "astropy.io.fits": ("stream/fits/",),
    "prometheus_client": ("ops/metrics/",),
    "typer": ("ops/",),
}
FORBIDDEN_NAMES = {"kafka.py", "logging.py", "types.py", "utils.py", "manager.py", "helper.py", "helpers.py"}


def sources() -> list[Path]:
    """Return every Python file of the four packages."""
    return sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file, read once for all tests."""
    return ast.parse(path.read_text())


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the dotted names that a file imports anywhere in it."""
    return frozenset(imported(ast.walk(parsed(path))))


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the dotted names that the import statements among the nodes bring; ``from a import b`` brings ``a.b``."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_go_one_way() -> None:
    """A room imports only what lies below it; each import that goes another way is named."""
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources()
        for name in sorted(imports_of(path))
        if (room := name.split(".")[0]) in MAY_IMPORT and room not in MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    ]
    assert strays == []


def test_modules_import_each_other_without_cycles() -> None:
    """Following module-level imports never leads back to where it began."""
    files = {module_name(path): path for path in sources()}
    edges: dict[str, set[str]] = {}
    for name, path in files.items():
        targets = set()
        for wanted in imported(parsed(path).body):
            module = wanted if wanted in files else wanted.rpartition(".")[0]
            if module in files and module != name:
                targets.add(module)
        edges[name] = targets
    done: set[str] = set()

    def follow(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(edges[name]):
                follow(target, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        follow(name, ())


@pytest.mark.parametrize("library", sorted(ONE_ADAPTER))
def test_a_vendor_library_is_imported_in_its_own_room_only(library: str) -> None:
    """Whoever wants to change a library finds every use of it in one place."""
    strays = [
        str(path.relative_to(ROOT))
        for path in sources()
        if any((name + ".").startswith(library + ".") for name in imports_of(path))
        and not str(path.relative_to(ROOT)).startswith(ONE_ADAPTER[library])
    ]
    assert strays == []


def test_our_package_names_belong_to_our_distribution_alone() -> None:
    """No other installed distribution brings a package called stream, classifiers, schemas or ops."""
    owners = metadata.packages_distributions()
    for name in MAY_IMPORT:
        assert set(owners.get(name, ["specstream"])) == {"specstream"}
    assert metadata.version("specstream")


def test_every_package_is_listed_for_installation() -> None:
    """A folder with code that pyproject.toml forgets would be missing from an installed specstream."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py")
    }
    assert listed == found


def test_a_file_name_says_what_is_inside() -> None:
    """Names that say nothing, or that hide a library of the same name, are not used."""
    assert [path for path in sources() if path.name in FORBIDDEN_NAMES] == []
