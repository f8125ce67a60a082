"""Tiny bundles with graphs built by hand, so that runtimes and suites are tested before and beside the trained ones."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from classifiers.bundle.calibration import Calibration, calibration_file
from classifiers.bundle.folder import write_bundle
from classifiers.bundle.manifest import INPUTS, OUTPUTS
from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.onnx_cpu import FAILURES

PIXELS, BANDS = 1557, 6
CLASSES = ("GALAXY", "QSO", "STAR")
OTHER_TYPES = ("M", "SKY")
LOOSE = {"entropy": 10.0, "redshift": 10.0, "p_value": 1.0, "relative": 10.0}
SHAPES: dict[str, tuple[int, ...]] = {
    "flux": (PIXELS,), "inverse_variance": (PIXELS,), "stamps": (3, 63, 63), "mask": (3, 63, 63),
    "class_logits": (4,), "other_type_probability": (2,), "alternative_class": (2,), "alternative_redshift": (2,),
    "alternative_probability": (2,), "map": (2,),
}  # fmt: skip


def tiny_graph(role: str, seed: int = 0) -> bytes:
    """Return a graph of the role's signature: random linear maps of its inputs through tanh."""
    rng = np.random.default_rng(seed)
    nodes, weights = [], []
    first = INPUTS[role][0]
    flat = int(np.prod(shape_of(role, first)))
    constant = lambda name, array: weights.append(onnx.numpy_helper.from_array(array, name))  # noqa: E731
    constant("flat", np.array([-1, flat], np.int64))
    nodes += [onnx.helper.make_node("Reshape", [name, "flat"], [f"{name}_flat"]) for name in INPUTS[role]]
    nodes.append(onnx.helper.make_node("Tanh", [f"{first}_flat"], ["bounded"]))
    nodes.append(onnx.helper.make_node("Mul", ["bounded", f"{INPUTS[role][1]}_flat"], ["weighted"]))
    for name in OUTPUTS[role]:
        shape = shape_of(role, name)
        if name == "contribution":
            constant("contribution_shape", np.array([-1, *shape], np.int64))
            nodes.append(onnx.helper.make_node("Mul", ["weighted", "weighted"], ["squared"]))
            nodes.append(onnx.helper.make_node("Reshape", ["squared", "contribution_shape"], [name]))
            continue
        width = int(np.prod(shape)) if shape else 1
        constant(f"{name}_weight", (rng.standard_normal((flat, width)) / flat).astype(np.float32))
        nodes.append(onnx.helper.make_node("MatMul", ["weighted", f"{name}_weight"], [f"{name}_raw"]))
        constant(f"{name}_shape", np.array([-1, *shape], np.int64))
        last = f"{name}_real" if name == "alternative_class" else name
        nodes.append(onnx.helper.make_node("Reshape", [f"{name}_raw", f"{name}_shape"], [last]))
        if name == "alternative_class":
            nodes.append(onnx.helper.make_node("Cast", [last], [name], to=onnx.TensorProto.INT64))
    graph = onnx.helper.make_graph(
        nodes,
        role,
        [value(name, shape_of(role, name)) for name in INPUTS[role]],
        [value(name, shape_of(role, name)) for name in OUTPUTS[role]],
        weights,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    serialised: bytes = model.SerializeToString()
    return serialised


def value(name: str, shape: tuple[int, ...]) -> Any:
    kind = onnx.TensorProto.INT64 if name == "alternative_class" else onnx.TensorProto.FLOAT
    return onnx.helper.make_tensor_value_info(name, kind, ["batch", *shape])


def shape_of(role: str, name: str) -> tuple[int, ...]:
    if role == "narrowband" and name in ("flux", "inverse_variance", "contribution"):
        return (BANDS,)
    if name == "contribution":
        return (3, 63, 63) if role == "image_anomaly" else (PIXELS,)
    return SHAPES.get(name, ())


def tiny_fields(role: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": f"tiny-{role.replace('_', '-')}",
        "version": "1",
        "role": role,
        "inputs": [{"name": name, "shape": shape_of(role, name)} for name in INPUTS[role]],
        "outputs": [
            {
                "name": name,
                "shape": shape_of(role, name),
                "dtype": "int64" if name == "alternative_class" else "float32",
            }
            for name in OUTPUTS[role]
        ],
        "batch_buckets": (2, 16, 64),
        "tolerances": {dtype: {"class_agreement": 0.0, "probability": 1.0, **LOOSE} for dtype in DTYPES},
        "training": {"command": "tests", "seed": 0},
    }
    if role == "image_anomaly":
        return fields | {"stamp_shape": (3, 63, 63)}
    if role == "narrowband":
        return fields | {
            "class_scheme": "TINY-4", "class_names": ("LOW", "HIGH", "GALAXY", "STAR"), "star_classes": ("STAR",),
            "qso_classes": ("LOW", "HIGH"), "high_z_classes": ("HIGH",), "qso_z_threshold": 2.1, "zwarn_snr": 3.0,
            "domain": {"min_coverage": 0.5, "samplings": ("NARROWBAND",)},
            "bands": [
                {"name": f"B{place}", "wavelength_angstrom": 4000.0 + 100 * place, "tolerance_angstrom": 40.0}
                for place in range(BANDS)
            ],
        }  # fmt: skip
    fields |= {"grid": {"log10_start": 3.5501, "log10_step": 3e-4, "n": PIXELS}}
    if role == "spectral_classifier":
        fields |= {
            "class_scheme": "TINY", "class_names": CLASSES, "star_classes": ("STAR",), "other_types": OTHER_TYPES,
            "redshift_range": (0.0, 5.0),
        }  # fmt: skip
    return fields | ({"qso_z_threshold": 2.1} if role == "qso" else {})


def tiny_golden(role: str, graph: bytes) -> bytes | None:
    """Return what onnxruntime says of some inputs; None of a graph that it does not load."""
    try:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    except FAILURES:
        return None
    rng = np.random.default_rng(5)
    inputs = {name: rng.random((4, *shape_of(role, name)), np.float32) for name in INPUTS[role]}
    names = [output.name for output in session.get_outputs()]
    arrays = {f"input_{name}": array for name, array in inputs.items()}
    arrays |= {f"output_{name}": array for name, array in zip(names, session.run(names, inputs), strict=True)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


WriteTiny = Callable[..., Path]


@pytest.fixture
def write_tiny(tmp_path: Path) -> WriteTiny:
    """Return a writer of tiny bundles: role, calibration and manifest fields to a folder."""

    def write(role: str, calibration: Calibration | None = None, graph: bytes | None = None, **fields: Any) -> Path:
        files = {"model.onnx": graph or tiny_graph(role)}
        golden = tiny_golden(role, files["model.onnx"])
        if golden is not None:
            files["golden.npz"] = golden
        calibration = calibration or Calibration(id="tiny", n=1)
        files[calibration_file(calibration.runtime, calibration.dtype)] = calibration.model_dump_json().encode()
        folder = tmp_path / role
        shutil.rmtree(folder, ignore_errors=True)
        write_bundle(folder, {**tiny_fields(role), **fields}, files)
        return folder

    return write
