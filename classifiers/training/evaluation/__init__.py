"""Evaluation of the spectral bundles: labelled samples, what is measured on them, baselines, and the report's content.

No pictures here: ``ops.plots`` draws what the report holds.
"""
