"""Avro schemas, wire framings, the codec and the schema registry.

Imports neither ``stream``, ``classifiers`` nor ``ops``; knows nothing of engines or consumers.
"""
