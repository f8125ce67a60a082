"""What a GPU would be asked for: every tensor on it, nothing that waits for it, no size that depends on data.

torch knows of each operator what it does to tensors of a GPU without having one (fake tensors). A captured CUDA graph
can hold what is found here: a tensor of the host, a number that is read back or a size that data decide could not be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from classifiers.bundle.folder import load_bundle
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.runtimes.casting import DTYPES, Dtype
from classifiers.runtimes.device.prepare import DevicePreparation
from classifiers.runtimes.device.raw import KINDS
from classifiers.runtimes.program import Program, programs
from classifiers.runtimes.torch_modules import ProgramModule
from classifiers.suite import default_bundles

PROGRAMS = programs([load_bundle(folder) for folder in default_bundles()])
ROWS, WIDTH, DEPTH = 16, 5120, 12


class Asked(TorchDispatchMode):
    """Notes operators that read or write a tensor of the host."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0
        self.of_host: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        self.operators += 1
        tensors = [leaf for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, Tensor)]
        if any(tensor.device.type != "cuda" for tensor in tensors):
            self.of_host.add(str(function))
        return found


def asked_of(compute: Callable[[], object]) -> Asked:
    """Return what is asked for within fake tensors."""
    with Asked() as asked:
        compute()
    assert asked.operators > 0
    return asked


def empty(shape: Sequence[int], dtype: str = "float32") -> Tensor:
    return torch.empty(tuple(shape), dtype=getattr(torch, dtype), device="cuda")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_programs_ask_a_gpu_for_kernels_alone(program: Program, dtype: Dtype) -> None:
    module = ProgramModule(program.bundles, dtype)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    answers: dict[str, Tensor] = {}
    with FakeTensorMode():
        there = {name: torch.empty(held.shape, dtype=held.dtype, device="cuda") for name, held in state.items()}
        inputs = {tensor.name: empty((ROWS, *tensor.shape), tensor.dtype) for tensor in program.inputs}
        asked = asked_of(lambda: answers.update(functional_call(module, there, (inputs,))))
    assert asked.of_host == set()
    declared = {
        output.name: ((ROWS, *output.tensor.shape), f"torch.{output.tensor.dtype}") for output in program.outputs
    }
    assert {name: (tuple(found.shape), str(found.dtype)) for name, found in answers.items()} == declared


@pytest.mark.parametrize("factored", [False, True])
@pytest.mark.parametrize("kind", KINDS.values())
def test_preparation_asks_a_gpu_for_kernels_alone(kind: str, factored: bool) -> None:
    preparation, edges = DevicePreparation(), (ROWS, COMMON_GRID.n + 1)
    with FakeTensorMode():
        raw = {
            "raw_flux": empty((ROWS, WIDTH)),
            kind: empty((ROWS, WIDTH)),
            "raw_quality": empty((ROWS, WIDTH), "int32"),
            "raw_pixels": empty((ROWS,), "int32"),
            "raw_under": empty(edges, "int32"),
            "raw_share": empty(edges, "float64"),
            "raw_depth": empty((ROWS, DEPTH), "int32"),
        }
        if factored:
            raw["raw_factor"] = empty((ROWS, WIDTH))
        inputs = {name: empty((ROWS, COMMON_GRID.n)) for name in ("flux", "inverse_variance")}
        outputs = {name: empty((ROWS,), column.dtype) for name, column in preparation.outputs.items()}
        asked = asked_of(lambda: preparation.launch(raw, inputs, outputs))
    assert asked.of_host == set()


def test_what_a_graph_cannot_hold_is_noticed() -> None:
    with FakeTensorMode():
        x = empty((ROWS,))
        assert asked_of(lambda: x * torch.ones(())).of_host == {"aten.ones.default", "aten.mul.Tensor"}
        assert asked_of(lambda: x.cpu()).of_host == {"aten._to_copy.default"}
        with pytest.raises(DataDependentOutputException):
            x.sum().item()
        with pytest.raises(DynamicOutputShapeException):
            x[x > 0]
