"""Model bundles: a folder with a graph, its manifest and its calibration, verified by digest; data, never code."""
