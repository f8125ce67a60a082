"""Graphs small enough to build in a fraction of a second, and the programs of the bundles that ship."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from onnx import TensorProto, helper

from classifiers.bundle.folder import load_bundle
from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.program import Output, Program, joined_programs
from classifiers.suite import default_bundles

WIDTH = 8
LONGEST_S = 60.0


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., bytes]:
    """Return a function that makes a graph of one operator from x to y, both (batch, 8) float32."""

    def make(operator: str = "Exp", name: str = "the_node") -> bytes:
        x, y = (helper.make_tensor_value_info(each, TensorProto.FLOAT, ["batch", WIDTH]) for each in "xy")
        graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], name=name)], "g", [x], [y])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()

    return make


@pytest.fixture(scope="session")
def small_program(make_graph: Callable[..., bytes]) -> Callable[..., Program]:
    """Return a function that makes a program of one operator; it has no bundle, which building needs none of."""

    def make(operator: str = "Exp", graph: bytes | None = None) -> Program:
        x, y = (Tensor(name=name, shape=(WIDTH,)) for name in "xy")
        program = Program((), (x,), (Output("small", y, "y"),))
        program.__dict__["graph"] = graph or make_graph(operator)
        return program

    return make


@pytest.fixture(scope="session")
def shipped_programs() -> tuple[Program, ...]:
    """Return the programs that the bundles that ship make."""
    return joined_programs([load_bundle(folder) for folder in default_bundles()])


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Return a function that asks again until the answer is True, with a deadline."""

    def wait(condition: Callable[[], bool]) -> None:
        pause, deadline = threading.Event(), time.monotonic() + LONGEST_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            pause.wait(0.05)

    return wait


@pytest.fixture(scope="session")
def vendor() -> ModuleType:
    """Return the library that is written by hand, as far as running goes."""
    return beside("vendor.py")


@pytest.fixture(scope="session")
def vendor_builder() -> ModuleType:
    """Return the library that is written by hand, as far as building goes."""
    return beside("vendor_builder.py")


def beside(file: str) -> ModuleType:
    """Import a file of this folder."""
    spec = importlib.util.spec_from_file_location(f"by_hand_{Path(file).stem}", Path(__file__).with_name(file))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
