"""The stream: a pure core (decode, batching, records, ledger, pipeline) and its edges (transports, FITS readers, settings, service).

Imports ``classifiers`` and ``schemas``, never ``ops``.
"""
