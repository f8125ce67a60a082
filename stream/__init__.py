"""The stream: a pure core (decode, batching, records, ledger, pipeline) and its edges.

The edges are the transports, the FITS readers, the settings and the service loop.

Imports ``classifiers`` and ``schemas``, never ``ops``.
"""
