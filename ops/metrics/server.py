"""The HTTP server that operators and Prometheus ask: /metrics, /health/live, /health/ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from prometheus_client.exposition import choose_encoder

from ops.metrics.declared import Metrics
from ops.metrics.telemetry import PrometheusTelemetry
from stream.errors import ConfigurationError

LIVE_WITHIN_S = 60.0


class HealthServer:
    """Serves metrics and health in a thread of its own; use it as a context manager.

    Live: the service loop gave a sign within ``LIVE_WITHIN_S``. Ready: as the service says, with its reason.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Metrics,
        telemetry: PrometheusTelemetry,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._telemetry = telemetry
        self._monotonic = monotonic
        try:
            self._server = ThreadingHTTPServer((host, port), self._handler())
        except OSError as error:
            raise ConfigurationError(
                f"metrics.port: expected a free port on {host}, {port} gave: {error.strerror or error}; "
                "set another one or 0 for any"
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that is bound, also when 0 was asked for."""
        return int(self._server.server_address[1])

    def answer(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path == "/metrics":
            encoder, content_type = choose_encoder(accept)
            return HTTPStatus.OK, content_type, encoder(self._metrics.registry)
        if path == "/health/live":
            silence_s = self._monotonic() - self._telemetry.last_event_s
            live = silence_s <= LIVE_WITHIN_S
            status = HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE
            return status, "text/plain; charset=utf-8", f"{'live' if live else 'silent'}: {silence_s:.1f} s\n".encode()
        if path == "/health/ready":
            ready = self._telemetry.is_ready
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            word = "ready" if ready else "not ready"
            return status, "text/plain; charset=utf-8", f"{word}: {self._telemetry.why}\n".encode()
        return HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"/metrics /health/live /health/ready\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = answer(self.path.split("?")[0], self.headers.get("Accept", ""))
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing: one line per scrape is noise."""

        return Handler

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
