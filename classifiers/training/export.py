"""Export of a trained module to one ONNX graph with weights inside and a dynamic batch axis."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence

import onnx
import torch
from torch import nn

from classifiers.training.networks.channels import PIXELS


def to_onnx(module: nn.Module, names: Sequence[str]) -> bytes:
    """Export a spectral graph.

    Args:
        module: takes flux and inverse variance, (b, 1557) float32 each.
        names: of its outputs, in order.

    Returns:
        The serialised model, free of paths, dates and machine names.
    """
    module = module.eval()
    batch = torch.export.Dim("batch", min=2, max=65_536)
    example = torch.randn(8, PIXELS), torch.rand(8, PIXELS)
    quiet = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in quiet]
    try:
        for logger in quiet:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            # The exporter itself uses interfaces that torch and onnxscript deprecate.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                input_names=["flux", "inverse_variance"],
                output_names=list(names),
                dynamic_shapes={"flux": {0: batch}, "inverse_variance": {0: batch}},
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
