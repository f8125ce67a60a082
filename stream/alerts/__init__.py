"""Image alerts of the surveys, from a decoded Avro record to an identity and stamps.

Pure: no clock, no network, no state. The only failure is ``stream.errors.Rejectable``, whatever the bytes are.
"""

from stream.alerts.decode import decode_alert

__all__ = ["decode_alert"]
