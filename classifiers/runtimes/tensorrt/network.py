"""From an ONNX graph to an engine: parse, check, declare a profile per bucket, build; whichever library is loaded.

The graph says what is computed in which number format (``classifiers.runtimes.casting``), the network is strongly
typed, so a library can only refuse, never choose another format. TF32 is how a GPU multiplies fp32: on for tf32 alone,
and then for all of its products, since a strongly typed network knows no format per layer: whether that is good enough
is for the golden answers to say.

Each bucket has an optimisation profile of its own, for which kernels are chosen. It spans the bucket and one row less,
because a profile of one size makes the batch a constant, and what is broadcast over it is then stored in the engine
(measured with RTX 1.7: 442 MB instead of 11 MB for stamp-anomaly with all buckets).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from classifiers.errors import ClassifierError
from classifiers.runtimes.tensorrt.card import Card
from classifiers.runtimes.tensorrt.library import Library, Words, listen, one_line
from classifiers.runtimes.tensorrt.progress import Phases

Shapes: TypeAlias = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name to (dtype as numpy names it, shape without the batch axis)."""
DTYPES: Final[Mapping[str, str]] = {
    "FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16", "INT32": "int32", "INT64": "int64", "BOOL": "bool"
}  # fmt: skip
FORMATS: Final[Mapping[str, str]] = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16"}
MULTIPLYING: Final = frozenset({"CONVOLUTION", "DECONVOLUTION", "EINSUM", "MATRIX_MULTIPLY"})
"""Layers whose time their number format decides."""


class CannotBuild(ClassifierError):
    """A library makes no engine of a graph.

    Attributes:
        reason: in one line, with the node where it is known.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that multiplies: its name and the number format it is computed in (fp32, fp16 or bf16)."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Built:
    """An engine.

    Attributes:
        engine: serialised.
        layers: those that multiply, in the order of the network.
        timing_cache: what the next build may know already; empty where the library has none.
    """

    engine: bytes
    layers: tuple[Layer, ...]
    timing_cache: bytes


def build(
    library: Library,
    graph: bytes,
    inputs: Shapes,
    outputs: Shapes,
    buckets: Sequence[int],
    *,
    tf32: bool = False,
    card: Card | None = None,
    timing_cache: bytes = b"",
    progress: Callable[[str, float], None] | None = None,
) -> Built:
    """Build the engine of a graph.

    Args:
        library: loaded.
        graph: ONNX, in the number formats that it is to be computed in.
        inputs: what the graph must read.
        outputs: what it must answer.
        buckets: batch sizes, one profile each, in ascending order.
        tf32: whether fp32 products may be rounded to TF32.
        card: the GPU of this machine, which RTX builds for; None: for all that it builds for by default.
        timing_cache: of an earlier build, or empty.
        progress: told what is being done and the fraction done [0..1].

    Raises:
        CannotBuild: the graph is not ONNX, has an operator or type that the library lacks, other inputs or outputs,
            no kernel fits, or the library does not run on the card.
    """
    logger, words = listen(library)
    words.take()  # what was said before is of something else
    trt = library.module
    try:
        builder = trt.Builder(logger)
    except (TypeError, RuntimeError) as error:  # how the binding says that there is no driver
        raise CannotBuild(f"the builder does not start: {words.take()}") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(trt, network, logger, graph, words)
    _check("input", inputs, [network.get_input(i) for i in range(network.num_inputs)])
    _check("output", outputs, [network.get_output(i) for i in range(network.num_outputs)])
    config = builder.create_builder_config()
    _configure(library, config, words, tf32=tf32, card=card)
    for bucket in buckets:
        _add_profile(builder, config, inputs, bucket, words)
    cache = _attach_timing_cache(library, config, timing_cache)
    if progress is not None:
        monitor = _monitor(trt, Phases(progress))
        config.progress_monitor = monitor
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        raise CannotBuild(words.take())
    return Built(bytes(serialised), _layers(network), b"" if cache is None else bytes(cache.serialize()))


def _parse(trt: Any, network: Any, logger: Any, graph: bytes, words: Words) -> None:
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        raise CannotBuild(parser_words(errors) if errors else words.take())
    if not network.num_outputs:
        raise CannotBuild("the ONNX graph is empty")


def parser_words(errors: Sequence[Any]) -> str:
    """Return a parser's errors in one line: node, operator and the library's words."""
    said = []
    for error in errors:
        code, words = error.code().name.lower().replace("_", " "), error.desc().strip()
        where = f"node {error.node_name()!r} ({error.node_operator()}): " if error.node_operator() else ""
        said.append(f"{where}{code}" if words in ("", "false") else f"{where}{code}: {words}")
    return one_line("; ".join(dict.fromkeys(said)))


def _check(what: str, wanted: Shapes, tensors: Sequence[Any]) -> None:
    """Compare a network's inputs or outputs with what the program declares."""
    found = {
        tensor.name: (DTYPES.get(tensor.dtype.name, tensor.dtype.name), tuple(int(n) for n in tensor.shape))
        for tensor in tensors
    }
    for name, (dtype, shape) in wanted.items():
        if found.get(name) != (dtype, (-1, *shape)):
            has = "none" if name not in found else f"{found[name][0]} {found[name][1]}"
            raise CannotBuild(f"expected {what} {name} {dtype} {(-1, *shape)}, found {has}")
    extra = sorted(set(found) - set(wanted))
    if extra:
        raise CannotBuild(f"expected no other {what}, found {', '.join(extra)}")


def _configure(library: Library, config: Any, words: Words, *, tf32: bool, card: Card | None) -> None:
    trt = library.module
    if tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    config.set_flag(trt.BuilderFlag.STRICT_NANS)  # what is not a number must reach the outputs, where it is looked for
    config.max_aux_streams = 0  # streams of our own overlap batches; an engine stays on the one that it is given
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # so that the inspector can tell formats
    if library.compiles_when_loaded:
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
    if library.compiles_when_loaded and card is not None:
        reason = library.why_not_on(card)
        if reason:
            raise CannotBuild(reason)
        config.num_compute_capabilities = 1
        if not config.set_compute_capability(trt.ComputeCapability.CURRENT, 0):
            raise CannotBuild(f"it does not build for {card.name}: {words.take()}")


def _add_profile(builder: Any, config: Any, inputs: Shapes, bucket: int, words: Words) -> None:
    profile = builder.create_optimization_profile()
    try:
        for name, (_, shape) in inputs.items():
            full = (bucket, *shape)
            profile.set_shape(name, (max(bucket - 1, 1), *shape), full, full)
    except (RuntimeError, ValueError, TypeError) as error:  # TypeError: a number that fits no dimension
        raise CannotBuild(f"it has no profile of {bucket} rows: {one_line(str(error))}") from error
    if config.add_optimization_profile(profile) < 0:
        raise CannotBuild(f"it has no profile of {bucket} rows: {words.take()}")


def _attach_timing_cache(library: Library, config: Any, content: bytes) -> Any:
    """Give the builder what earlier builds measured; RTX measures nothing while it builds and has none."""
    if library.compiles_when_loaded:
        return None
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, False):  # noqa: FBT003  # the binding's own positional flag
        cache = config.create_timing_cache(b"")  # of another version or card: begin anew
        config.set_timing_cache(cache, False)  # noqa: FBT003
    return cache


def _layers(network: Any) -> tuple[Layer, ...]:
    found = []
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        if layer.type.name in MULTIPLYING:
            dtype = layer.get_output(0).dtype.name
            found.append(Layer(layer.name, FORMATS.get(dtype, DTYPES.get(dtype, dtype))))
    return tuple(found)


def _monitor(trt: Any, phases: Phases) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the base is known at run time only
        """Hands the library's phases on."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """A phase began."""
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            """A step is done; True goes on."""
            phases.step(phase_name, step)
            return True

        def phase_finish(self, phase_name: str) -> None:
            """A phase ended."""
            phases.finish(phase_name)

    return Monitor()
