"""Engines: one adapter file for each vendor library that can compute a bundle's graph."""
