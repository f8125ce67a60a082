"""Arrays in, arrays out: preprocessing, engines, calibration and verdicts.

Imports neither ``stream``, ``schemas`` nor ``ops``; knows no bytes, no network and no clock.
"""
