"""A graph with its learned layers in half precision, for libraries that take the types from the graph.

TensorRT 11 knows strongly typed networks only: what shall be computed in fp16 or bf16 must be so in the graph. A layer
is computed in half precision if its weights are learned and what it says goes into other layers alone; layers whose
answers are read by anything else (softmax, entropies, redshifts, residuals), and all arithmetic on flux and inverse
variance, whose values no half precision holds, stay in fp32. Convolutions with kernels of ones are such arithmetic.
What is computed between two such layers element by element (rectifiers, residual sums, pooling, shapes) follows them.

Inputs and outputs keep their types. fp32 and tf32 leave the graph as it is: tf32 is how a device multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from classifiers.runtimes.graphs import load_graph, refusals

Dtype: TypeAlias = Literal["fp32", "tf32", "fp16", "bf16"]
DTYPES: Final[tuple[Dtype, ...]] = get_args(Dtype)
LAYERS: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
BETWEEN: Final = frozenset(
    {"Add", "AveragePool", "Concat", "Flatten", "Identity", "MaxPool", "Relu", "Reshape", "Slice", "Squeeze",
     "Transpose", "Unsqueeze"}
)  # fmt: skip
BF16_OPERATORS: Final = 22
"""Operator set of ONNX from which convolutions and pooling may be in bf16."""
NOT_IN_BF16: Final = frozenset({"ConvTranspose"})
"""Layers that stay in fp32 where others are in bf16: TensorRT for RTX 1.7 has no kernel for them."""
LEARNED_SIZE: Final = 32
"""Elements that learned weights have at least; tables of interpolation and sums have fewer."""


def cast_graph(graph: bytes, dtype: Dtype, name: str = "the graph") -> bytes:
    """Return the graph with its learned layers in another number format.

    Args:
        graph: serialised model in fp32, as bundles hold it.
        dtype: fp16 or bf16 casts; fp32 and tf32 return the graph itself.
        name: of the graph, for errors.

    Raises:
        BundleError: it is no valid ONNX model, or none that can be in that format.
    """
    if dtype in ("fp32", "tf32"):
        return graph
    import onnx  # takes a third of a second, which only programs that classify spend

    model = load_graph(name, graph)
    with refusals(name, f"a graph that can be computed in {dtype}"):
        if dtype == "bf16":
            model = onnx.version_converter.convert_version(model, BF16_OPERATORS)
        half = onnx.TensorProto.FLOAT16 if dtype == "fp16" else onnx.TensorProto.BFLOAT16
        _Casting(onnx, onnx.shape_inference.infer_shapes(model, data_prop=True), half, dtype).write(model)
        del model.graph.value_info[:]
        onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


class _Casting:
    """Decides which nodes of one graph are computed in half precision, and writes them."""

    def __init__(self, onnx: Any, inferred: Any, half: int, suffix: str) -> None:
        self._onnx, self._half, self._suffix = onnx, half, suffix
        body = inferred.graph
        self._nodes = list(body.node)
        self._stored = {tensor.name: tensor for tensor in body.initializer}
        self._answers = {value.name for value in body.output}
        self._maker = {name: i for i, node in enumerate(self._nodes) for name in node.output}
        self._readers: dict[str, list[int]] = {}
        for i, node in enumerate(self._nodes):
            for name in filter(None, node.input):
                self._readers.setdefault(name, []).append(i)
        known = (*body.value_info, *body.input, *body.output)
        self._type = {value.name: value.type.tensor_type.elem_type for value in known}
        self._type |= {name: tensor.data_type for name, tensor in self._stored.items()}
        self._constant = set(self._stored)
        self._learned = {name for name, tensor in self._stored.items() if self._is_learned(tensor)}
        for node in self._nodes:
            inputs = [name for name in node.input if name]
            if all(name in self._constant for name in inputs):
                self._constant.update(node.output)
                if any(name in self._learned for name in inputs):
                    self._learned.update(node.output)
        self._layers = {i for i, node in enumerate(self._nodes) if self._is_layer(node)}
        self._low = self._chosen()

    def _is_learned(self, tensor: Any) -> bool:
        if tensor.data_type != self._onnx.TensorProto.FLOAT or np.prod(tensor.dims, dtype=np.int64) < LEARNED_SIZE:
            return False
        values = self._onnx.numpy_helper.to_array(tensor)
        return not np.isin(values, (0.0, 1.0)).all()

    def _is_layer(self, node: Any) -> bool:
        inputs = [name for name in node.input if name]
        learned = any(name in self._learned for name in inputs)
        known = node.op_type in LAYERS - (NOT_IN_BF16 if self._suffix == "bf16" else frozenset())
        return known and learned and node.output[0] not in self._constant

    def _chosen(self) -> set[int]:
        """Return the largest set of nodes all of whose readers are layers or in the set themselves."""
        low = set(self._layers)
        low |= {i for i, node in enumerate(self._nodes) if node.op_type in BETWEEN and not self._is_constant(node)}
        while True:
            leaving = {i for i in low if self._is_read_elsewhere(i, low) or self._comes_from_elsewhere(i, low)}
            if not leaving:
                return low
            low -= leaving

    def _is_constant(self, node: Any) -> bool:
        return all(name in self._constant for name in node.output)

    def _is_read_elsewhere(self, i: int, low: set[int]) -> bool:
        names = self._nodes[i].output
        readers = [reader for name in names for reader in self._readers.get(name, [])]
        return any(name in self._answers for name in names) or any(
            reader not in self._layers and reader not in low for reader in readers
        )

    def _comes_from_elsewhere(self, i: int, low: set[int]) -> bool:
        """Return whether a node between layers reads a number that none of the set computes; layers may."""
        return i not in self._layers and any(self._maker.get(name) not in low for name in self._numbers(i))

    def _numbers(self, i: int) -> Iterator[str]:
        """Yield the inputs of a node that are computed floats."""
        for name in self._nodes[i].input:
            if name and name not in self._constant and self._type.get(name) == self._onnx.TensorProto.FLOAT:
                yield name

    def write(self, model: Any) -> None:
        """Replace the nodes of a model by those that compute in half precision, with casts at the borders."""
        single = self._onnx.TensorProto.FLOAT
        written: list[Any] = []
        made: dict[tuple[str, int], str] = {}

        def cast(name: str, to: int, suffix: str) -> str:
            if (name, to) not in made:
                made[name, to] = f"{name}.{suffix}"
                written.append(self._onnx.helper.make_node("Cast", [name], [made[name, to]], to=to))
            return made[name, to]

        for i, node in enumerate(self._nodes):
            new = self._onnx.NodeProto()
            new.CopyFrom(node)
            for place, name in enumerate(node.input):
                maker_low = self._maker.get(name) in self._low
                if self._type.get(name) != single or maker_low == (i in self._low):
                    continue
                if maker_low:
                    new.input[place] = cast(name, single, "fp32")
                elif i in self._low:
                    new.input[place] = self._half_of(name, made, model) or cast(name, self._half, self._suffix)
            written.append(new)
        del model.graph.node[:]
        model.graph.node.extend(written)
        read = {name for node in written for name in node.input} | self._answers
        unread = [tensor for tensor in model.graph.initializer if tensor.name not in read]
        for tensor in unread:
            model.graph.initializer.remove(tensor)

    def _half_of(self, name: str, made: dict[tuple[str, int], str], model: Any) -> str | None:
        """Return the name of a stored constant in half precision, which is added to the model; None for no constant."""
        if name not in self._stored:
            return None
        if (name, self._half) not in made:
            made[name, self._half] = f"{name}.{self._suffix}"
            values = self._onnx.numpy_helper.to_array(self._stored[name])
            target = self._onnx.helper.tensor_dtype_to_np_dtype(self._half)
            tensor = self._onnx.numpy_helper.from_array(values.astype(target), made[name, self._half])
            model.graph.initializer.append(tensor)
        return made[name, self._half]
