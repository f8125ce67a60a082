"""The container files: what they copy is there, what they install is declared, and what they promise to operators."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from stream.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = ("ops/Dockerfile", "ops/Dockerfile.gpu")


def instructions(name: str) -> list[tuple[str, str]]:
    """Return (instruction, arguments) of a container file, continued lines joined, comments left out."""
    text = "\n".join(line for line in (ROOT / name).read_text().splitlines() if not line.lstrip().startswith("#"))
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line]


@pytest.mark.parametrize("name", FILES)
def test_what_is_copied_is_there_and_is_all_that_the_package_needs(name: str) -> None:
    """Every source exists, and together they hold each package that pyproject lists."""
    sources = [source for kind, rest in instructions(name) if kind == "COPY" for source in shlex.split(rest)[:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    assert packages | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} == set(sources)


@pytest.mark.parametrize("name", FILES)
def test_extras_that_are_installed_are_declared(name: str) -> None:
    """A name that pip does not know would only be warned of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runs = " ".join(rest for kind, rest in instructions(name) if kind == "RUN")
    wanted = [extra for group in re.findall(r"/src\[([\w,-]+)\]", runs) for extra in group.split(",")]
    assert set(wanted) <= set(project["optional-dependencies"])
    assert "--constraint /src/constraints.txt" in runs


@pytest.mark.parametrize("name", FILES)
def test_the_service_runs_as_nobody_is_checked_and_drains_when_it_is_stopped(name: str) -> None:
    """No root, a health check on the port that is exposed, SIGTERM, and the program without a shell around it."""
    found = dict(instructions(name))
    assert found["USER"] == "10001"
    assert f"127.0.0.1:{found['EXPOSE']}/health/live" in found["HEALTHCHECK"]
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(found["ENTRYPOINT"]) == ["specstream"]
    assert json.loads(found["CMD"])[0] == "run"


@pytest.mark.parametrize("name", FILES)
def test_the_environment_is_a_configuration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown keys are refused, so every variable of ours must be a key; metrics are seen from outside."""
    settings = dict(instructions(name))["ENV"]
    for pair in shlex.split(settings):
        key, _, value = pair.partition("=")
        if key.startswith("SPECSTREAM_"):
            monkeypatch.setenv(key, value)
    loaded = load_settings(None)
    assert loaded.metrics.host == "0.0.0.0"  # noqa: S104 - a container's own network
    assert str(loaded.metrics.port) == dict(instructions(name))["EXPOSE"]


@pytest.mark.parametrize("name", FILES)
def test_an_environment_is_made_only_where_python_can_make_one(name: str) -> None:
    """Ubuntu's and Debian's Python has no ensurepip until python3-venv is installed."""
    runs = " ".join(rest for kind, rest in instructions(name) if kind == "RUN")
    made, brought = (re.search(words, runs) for words in (r"python3 -m venv", r"apt-get install [^&]*python3-venv"))
    assert made is None or (brought is not None and brought.start() < made.start())
