"""Bundles that read the same inputs as one computation: what a runtime on a device opens, uploads to and runs.

What the bundles have in common (channels, the trunk of the networks, redshift posteriors) is computed once: their
graphs are joined, and nodes that compute the same from the same are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Program:
    """Bundles as one graph in fp32, with a dynamic batch axis.

    Attributes:
        bundles: verified; all read the same inputs.
        graph: ONNX.
        inputs: of the graph, by name; float32.
        outputs: of all bundles.
    """

    bundles: tuple[Bundle, ...]
    graph: bytes
    inputs: tuple[Tensor, ...]
    outputs: tuple[Output, ...]

    @property
    def name(self) -> str:
        """Return the names of the bundles joined by "+"."""
        return "+".join(bundle.manifest.name for bundle in self.bundles)

    @classmethod
    def of(cls, bundles: Sequence[Bundle]) -> Program:
        """Make one program of one or more bundles.

        Raises:
            CannotJoin: they differ in inputs or operator sets.
            BundleError: a graph is no valid ONNX model.
        """
        graph = without_repetition(join_bundles(bundles))
        outputs = tuple(
            Output(bundle.manifest.name, tensor, output_name(bundle.manifest.name, tensor.name))
            for bundle in bundles
            for tensor in bundle.manifest.outputs
        )
        return cls(tuple(bundles), graph, bundles[0].manifest.inputs, outputs)


def programs(bundles: Sequence[Bundle]) -> tuple[Program, ...]:
    """Return as few programs as the bundles' inputs allow, in the order of their first bundles.

    Raises:
        BundleError: a graph is no valid ONNX model.
    """
    groups: dict[tuple[Tensor, ...], list[Bundle]] = {}
    for bundle in bundles:
        groups.setdefault(bundle.manifest.inputs, []).append(bundle)
    made: list[Program] = []
    for group in groups.values():
        try:
            made.append(Program.of(group))
        except CannotJoin:
            made.extend(Program.of([bundle]) for bundle in group)
    return tuple(made)
