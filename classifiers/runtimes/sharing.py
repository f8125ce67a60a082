"""Nodes of a graph that compute the same from the same, kept once: what bundles share is then computed once.

Pure: a serialised graph in, another out. ONNX operators are functions of their inputs and attributes, but for the
random ones, which no bundle may hold. Equal constants must have one name already (``joining``).
"""

from __future__ import annotations

from typing import Any

from classifiers.runtimes.graphs import load_graph


def without_repetition(graph: bytes, name: str = "the graph") -> bytes:
    """Return the graph with every repeated node removed and its readers led to the first one.

    Outputs of the graph keep their names: a node that repeats another and answers an output becomes an Identity.

    Args:
        graph: serialised model.
        name: of the graph, for errors.

    Raises:
        BundleError: it is no valid ONNX model.
    """
    import onnx  # takes a third of a second, which only programs that classify spend

    model = load_graph(name, graph)
    answers = {value.name for value in model.graph.output}
    renamed: dict[str, str] = {}
    first: dict[tuple[Any, ...], Any] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        key = _key(node)
        earlier = first.setdefault(key, node)
        if earlier is node:
            kept.append(node)
            continue
        for mine, theirs in zip(node.output, earlier.output, strict=True):
            if mine in answers:
                kept.append(onnx.helper.make_node("Identity", [theirs], [mine], name=f"{mine}/same"))
            renamed[mine] = theirs
    del model.graph.node[:]
    model.graph.node.extend(kept)
    del model.graph.value_info[:]
    serialised: bytes = model.SerializeToString()
    return serialised


def _key(node: Any) -> tuple[Any, ...]:
    """Return what a node computes: operator, inputs, attributes and number of outputs."""
    attributes = tuple(sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute))
    return node.domain, node.op_type, tuple(node.input), attributes, tuple(bool(name) for name in node.output)
