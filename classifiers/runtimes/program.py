"""Bundles that read the same inputs as one computation: what a runtime on a device opens, uploads to and runs.

What the bundles have in common (channels, the trunk of the networks, redshift posteriors) is computed once: their
graphs are joined, and nodes that compute the same from the same are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from classifiers.bundle.folder import Bundle
from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.joining import CannotJoin, join_bundles, output_name
from classifiers.runtimes.sharing import without_repetition


@dataclass(frozen=True, slots=True)
class Output:
    """One output: which bundle it belongs to, what its manifest declares, and its name in the program's graph."""

    bundle: str
    tensor: Tensor
    name: str


@dataclass(frozen=True)
class Program:
    """Bundles as one graph in fp32, with a dynamic batch axis.

    Attributes:
        bundles: verified; all read the same inputs.
        inputs: of the graph, by name; float32.
        outputs: of all bundles.
    """

    bundles: tuple[Bundle, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Output, ...]

    @cached_property
    def graph(self) -> bytes:
        """Return the joined graph, ONNX: made when a runtime first asks for it, since torch never does.

        Raises:
            CannotJoin: the bundles differ in inputs or operator sets.
            BundleError: a graph is no valid ONNX model.
        """
        return without_repetition(join_bundles(self.bundles))

    @property
    def name(self) -> str:
        """Return the names of the bundles joined by "+"."""
        return "+".join(bundle.manifest.name for bundle in self.bundles)

    @classmethod
    def of(cls, bundles: Sequence[Bundle]) -> Program:
        """Make one program of one or more bundles that read the same inputs."""
        outputs = tuple(
            Output(bundle.manifest.name, tensor, output_name(bundle.manifest.name, tensor.name))
            for bundle in bundles
            for tensor in bundle.manifest.outputs
        )
        return cls(tuple(bundles), bundles[0].manifest.inputs, outputs)


def programs(bundles: Sequence[Bundle]) -> tuple[Program, ...]:
    """Return as few programs as the bundles' inputs allow, in the order of their first bundles."""
    groups: dict[tuple[Tensor, ...], list[Bundle]] = {}
    for bundle in bundles:
        groups.setdefault(bundle.manifest.inputs, []).append(bundle)
    return tuple(Program.of(group) for group in groups.values())


def joined_programs(bundles: Sequence[Bundle]) -> tuple[Program, ...]:
    """Return ``programs`` whose graphs are made: bundles whose graphs cannot be joined are programs of their own.

    Raises:
        BundleError: a graph is no valid ONNX model.
        CannotJoin: a single one has what no program can have.
    """
    made: list[Program] = []
    for program in programs(bundles):
        try:
            _made(program)
            made.append(program)
        except CannotJoin:
            made.extend(_made(Program.of([bundle])) for bundle in program.bundles)
    return tuple(made)


def _made(program: Program) -> Program:
    """Return the program once its graph is made."""
    _ = program.graph
    return program
