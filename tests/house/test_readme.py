"""What README states of the configuration: its block is valid as it stands, and its values are the defaults."""

from __future__ import annotations

import tomllib
from pathlib import Path

from stream.settings import Settings, load_settings

README = Path(__file__).parents[2] / "README.md"


def block() -> str:
    """Return the indented block of the section on configuration."""
    section = README.read_text(encoding="utf-8").split("\n## Configuration\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ")]
    return "\n".join(line.removeprefix("    ") for line in lines) + "\n"


def test_the_configuration_in_the_readme_is_that_of_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "specstream.toml"
    path.write_text(block(), encoding="utf-8")
    assert load_settings(path) == Settings()


def test_its_examples_are_valid_too(tmp_path: Path) -> None:
    path = tmp_path / "specstream.toml"
    lines = [line.replace("image_alert = []", "").removeprefix("# ") for line in block().splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    assert {"instance", "librdkafka"} <= values["kafka"].keys()
    assert load_settings(path) != Settings()
