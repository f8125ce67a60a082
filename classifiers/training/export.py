"""Export of a trained module to one ONNX graph with weights inside and a dynamic batch axis."""

from __future__ import annotations

import gc
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor, nn

from classifiers.networks.channels import PIXELS


def to_onnx(module: nn.Module, names: Sequence[str], example: Mapping[str, Tensor] | None = None) -> bytes:
    """Export a graph.

    Args:
        module: takes the inputs of ``example`` in their order.
        names: of its outputs, in order.
        example: inputs by name, 8 rows each; None is flux and inverse variance, (8, 1557) float32.

    Returns:
        The serialised model, free of paths, dates and machine names.
    """
    module = module.eval()
    batch = torch.export.Dim("batch", min=2, max=65_536)
    if example is None:
        example = {"flux": torch.randn(8, PIXELS), "inverse_variance": torch.rand(8, PIXELS)}
    quiet = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in quiet]
    try:
        for logger in quiet:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad(), _without_collecting():
            # The exporter itself uses interfaces that torch and onnxscript deprecate.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(example.values()),
                dynamo=True,
                input_names=list(example),
                output_names=list(names),
                dynamic_shapes=tuple({0: batch} for _ in example),
                optimize=True,
                verbose=False,
                external_data=False,
            )
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)
    if program is None:
        raise ValueError(f"torch.onnx.export returned nothing for {type(module).__name__}")
    return _clean(program.model_proto)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Pause the collection of cycles: the exporter makes millions of objects that live, and a quarter of its time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _clean(model: onnx.ModelProto) -> bytes:
    """Drop what names files of the machine that exported, and check the model."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    model.doc_string = ""
    onnx.checker.check_model(model)
    buffer = io.BytesIO()
    onnx.save_model(model, buffer)
    return buffer.getvalue()
