"""The edge of the service: three threads around the pure pipeline; the only place of ``stream`` that waits."""
