"""Forward simulation, training, evaluation and export of the bundles: the only place that trains.

``classifiers.training.simulation`` needs numpy alone (the demo and the load generator use it); everything that imports
torch or onnx lives in ``networks``, ``train`` and ``export`` and needs the extra ``train``.
"""
