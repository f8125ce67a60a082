"""What TensorRT itself is asked for when an engine is built, on a library written by hand to its documentation."""

from __future__ import annotations

from typing import Any

import pytest

from classifiers.runtimes.tensorrt.card import Card
from classifiers.runtimes.tensorrt.library import load
from classifiers.runtimes.tensorrt.network import CannotBuild, Layer, build

READS = {"x": ("float32", (8,))}
ANSWERS = {"y": ("float32", (8,))}
TURING = Card("Tesla T4", "7.5", "570.86.15")


def test_a_network_is_strongly_typed_with_a_profile_of_each_bucket(vendor_builder: Any) -> None:
    """A profile spans its bucket and one row less, and a batch of one row is one row."""
    made = vendor_builder.VendorBuilder()
    built = build(made.library(), b"graph", READS, ANSWERS, (1, 16, 64))
    assert made.network_flags == 1 << vendor_builder.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    assert made.config.profiles == [
        {"x": ((1, 8), (1, 8), (1, 8))},
        {"x": ((15, 8), (16, 8), (16, 8))},
        {"x": ((63, 8), (64, 8), (64, 8))},
    ]
    assert made.config.max_aux_streams == 0
    assert made.config.profiling_verbosity == "detailed"
    assert built.engine == b"an engine"
    assert built.layers == (Layer("conv", "fp32"),)


@pytest.mark.parametrize("tf32", [False, True])
def test_tf32_is_on_where_it_is_asked_for_alone(vendor_builder: Any, tf32: bool) -> None:
    """The library's own default is on."""
    made = vendor_builder.VendorBuilder()
    build(made.library(), b"graph", READS, ANSWERS, (16,), tf32=tf32)
    flags = vendor_builder.BuilderFlag
    assert made.config.flags == {flags.STRICT_NANS} | ({flags.TF32} if tf32 else set())


@pytest.mark.parametrize(
    ("name", "card", "capabilities"),
    [("tensorrt_rtx", TURING, {0: "CURRENT"}), ("tensorrt_rtx", None, {}), ("tensorrt", TURING, {})],
)
def test_rtx_builds_for_the_card_that_is_there(
    vendor_builder: Any, name: str, card: Card | None, capabilities: dict[int, str]
) -> None:
    """Its default leaves Turing out; without a card the default serves, and TensorRT knows the card itself."""
    made = vendor_builder.VendorBuilder()
    build(made.library(name), b"graph", READS, ANSWERS, (16,), card=card)
    assert {index: each.name for index, each in made.config.capabilities.items()} == capabilities
    assert made.config.num_compute_capabilities == len(capabilities)


@pytest.mark.parametrize(("model", "capability"), [("Tesla V100", "7.0"), ("Quadro P4000", "6.1"), ("H100", "9.0")])
def test_rtx_refuses_a_card_that_it_names_no_kernels_for(vendor_builder: Any, model: str, capability: str) -> None:
    """Whether older or for data centres: expected and found; TensorRT is not asked."""
    made = vendor_builder.VendorBuilder()
    card = Card(model, capability, "570.86.15")
    found = rf"capability 7.5, 8.0, 12.0, found {model} \(compute capability {capability}, driver 570.86.15\)"
    with pytest.raises(CannotBuild, match=found):
        build(made.library("tensorrt_rtx"), b"graph", READS, ANSWERS, (16,), card=card)
    assert made.library().why_not_on(card) == ""


def test_the_real_library_names_what_it_builds_for(vendor_builder: Any) -> None:
    """Turing is among them; names and calls are those of the library written by hand."""
    rtx = load("tensorrt_rtx")
    assert rtx.why_not_on(TURING) == ""
    assert rtx.why_not_on(Card("Tesla V100", "7.0", "570.86.15"))
    assert all(hasattr(rtx.module.ComputeCapability, each.name) for each in vendor_builder.ComputeCapability)
    assert hasattr(rtx.module.IBuilderConfig, "set_compute_capability")
    assert hasattr(rtx.module.IBuilderConfig, "num_compute_capabilities")


def test_what_was_timed_goes_in_and_comes_out(vendor_builder: Any) -> None:
    """With what this build added."""
    made = vendor_builder.VendorBuilder()
    built = build(made.library(), b"graph", READS, ANSWERS, (16,), timing_cache=vendor_builder.THIS_CARD)
    assert built.timing_cache == vendor_builder.THIS_CARD + b"+1"


@pytest.mark.parametrize("content", [b"timed elsewhere", b"no cache at all"])
def test_what_was_timed_elsewhere_is_left(vendor_builder: Any, content: bytes) -> None:
    """A cache of another card or version is begun anew, not an error."""
    built = build(vendor_builder.VendorBuilder().library(), b"graph", READS, ANSWERS, (16,), timing_cache=content)
    assert built.timing_cache == b"+1"


def test_a_failed_build_says_what_the_library_said(vendor_builder: Any) -> None:
    """As where a profile is too large for the card."""
    made = vendor_builder.VendorBuilder(says="[executionContext] Error Code 1: Cuda Runtime (out of memory)")
    with pytest.raises(CannotBuild, match=r"Cuda Runtime \(out of memory\)"):
        build(made.library(), b"graph", READS, ANSWERS, (4096,))


def test_a_builder_that_finds_no_driver_says_so(vendor_builder: Any) -> None:
    """TensorRT builds on a GPU alone; the binding then returns nothing where a builder should be."""
    with pytest.raises(CannotBuild, match="the builder does not start: CUDA initialization failure"):
        build(vendor_builder.VendorBuilder(starts=False).library(), b"graph", READS, ANSWERS, (16,))


def test_the_real_library_has_every_call_that_the_hand_written_one_answers(vendor: Any) -> None:
    """Names are checked where nothing can be computed."""
    trt = load("tensorrt_rtx").module
    for fake, real in (
        (vendor.Engine, trt.ICudaEngine),
        (vendor.Context, trt.IExecutionContext),
        (vendor.RuntimeConfig, trt.IRuntimeConfig),
        (vendor.RuntimeCache, trt.IRuntimeCache),
    ):
        missing = [name for name in vars(fake) if not name.startswith("_") and not hasattr(real, name)]
        assert missing == [], real
    for name in ("num_io_tensors", "num_optimization_profiles"):
        assert hasattr(trt.ICudaEngine, name)
    for name in ("dynamic_shapes_kernel_specialization_strategy", "cuda_graph_strategy"):
        assert hasattr(trt.IRuntimeConfig, name)
    assert hasattr(trt.ExecutionContextAllocationStrategy, "USER_MANAGED")
    assert hasattr(trt.DynamicShapesKernelSpecializationStrategy, "EAGER")
    assert hasattr(trt.CudaGraphStrategy, "DISABLED")
    assert hasattr(trt.TensorIOMode, "INPUT")
