"""Export of the image VAE to one ONNX graph with weights inside and a dynamic batch axis, free of the machine."""

from __future__ import annotations

import io
import logging
import warnings

import onnx
import torch

from classifiers.training.stamps.vae import StampScorer

INPUTS = ("stamps", "mask")
OUTPUTS = ("score", "contribution", "map")
_EXPORTER_LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")


def stamp_graph(scorer: StampScorer) -> bytes:
    """Return the serialised ONNX model of a trained scorer; the same weights give the same bytes."""
    batch = torch.export.Dim("batch", min=2, max=65_536)
    example = torch.zeros(8, 3, 63, 63), torch.ones(8, 3, 63, 63)
    loggers = [logging.getLogger(name) for name in _EXPORTER_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter uses interfaces that torch and onnxscript deprecate
            program = torch.onnx.export(
                scorer.eval(),
                example,
                dynamo=True,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes={"stamps": {0: batch}, "mask": {0: batch}},
                optimize=True,
                verbose=False,
                external_data=False,
            )
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    if program is None:
        raise ValueError("torch.onnx.export returned no program for the image VAE")
    model = program.model_proto
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.metadata_props[:]
    del model.metadata_props[:]
    model.doc_string = ""
    onnx.checker.check_model(model)
    buffer = io.BytesIO()
    onnx.save_model(model, buffer)
    return buffer.getvalue()
