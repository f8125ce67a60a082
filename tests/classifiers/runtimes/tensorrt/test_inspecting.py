"""What inspectors of TensorRT 10 and 11 write of layers is read; what they do not write is not invented."""

from __future__ import annotations

import json

import pytest

from classifiers.runtimes.tensorrt.inspecting import inspect, layers_of
from classifiers.runtimes.tensorrt.library import load
from classifiers.runtimes.tensorrt.network import Layer


def test_layers_of_tensorrt_10_have_their_format_in_one_field() -> None:
    """With words around it, or alone."""
    layers = [
        {"Name": "conv", "Outputs": [{"Name": "a", "Format/Datatype": "Channel major FP16 format where C % 8 == 0"}]},
        {"Name": "soft", "Outputs": [{"Name": "b", "Format/Datatype": "Row major linear FP32"}]},
        {"Name": "brain", "Outputs": [{"Name": "c", "Format/Datatype": "BFloat16"}]},
        {"Name": "half", "Outputs": [{"Name": "d", "Format/Datatype": "Half"}]},
        {"Name": "index", "Outputs": [{"Name": "e", "Format/Datatype": "Int64"}]},
    ]
    assert layers_of(json.dumps({"Layers": layers, "Bindings": ["x"]})) == (
        Layer("conv", "fp16"),
        Layer("soft", "fp32"),
        Layer("brain", "bf16"),
        Layer("half", "fp16"),
    )


def test_layers_of_tensorrt_11_have_a_data_type_beside_the_format() -> None:
    """The data type decides."""
    layers = [{"Name": "conv", "Outputs": [{"Name": "a", "DataType": "BF16", "Format": "Row major linear"}]}]
    assert layers_of(json.dumps({"Layers": layers, "I/O Tensors": []})) == (Layer("conv", "bf16"),)


@pytest.mark.parametrize(
    "information", ["", "no JSON", "[]", "{}", '{"Layers": null}', '{"Layers": ["name alone", {"Outputs": [3]}]}']
)
def test_information_without_formats_gives_no_layers(information: str) -> None:
    """As of an engine that was built without details."""
    assert layers_of(information) == ()


def test_an_engine_that_the_library_does_not_load_has_no_layers() -> None:
    """Without a GPU none is loaded, and bytes that are no engine never are."""
    assert inspect(load("tensorrt_rtx"), b"no engine") == ()
