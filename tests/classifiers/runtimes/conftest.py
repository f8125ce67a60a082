"""Programs of bundles that ship, and rows for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.runtimes.program import Program, joined_programs
from classifiers.suite import default_bundles


@pytest.fixture(scope="session")
def spectral_program() -> Program:
    """Return the three spectral bundles as one program."""
    bundles = [load_bundle(folder) for folder in default_bundles()]
    return next(program for program in joined_programs(bundles) if len(program.bundles) > 1)


@pytest.fixture
def bands_program() -> Program:
    """Return the narrow-band bundle, the smallest."""
    return Program.of([load_bundle(next(each for each in default_bundles() if each.name == "jpas-qso-finder"))])


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Program, int], dict[str, Any]]:
    """Return what makes n rows of inputs of a program."""

    def made(program: Program, n: int) -> dict[str, Any]:
        rng = np.random.default_rng(2)
        return {each.name: rng.uniform(0.5, 1.5, (n, *each.shape)).astype(np.float32) for each in program.inputs}

    return made
