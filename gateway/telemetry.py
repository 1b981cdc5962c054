"""Every metric, and the set-up of the log. Neither holds content, keys, tokens or names."""

import logging
import sys

import structlog
import structlog.tracebacks
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry()

requests = Counter(
    "gateway_http_requests", "Requests by route template and status", ["route", "method", "code"],
    registry=registry,
)  # fmt: skip
duration = Histogram(
    "gateway_http_seconds", "Seconds per request by route template", ["route"], registry=registry
)
unauthenticated = Counter(
    "gateway_unauthenticated", "Requests whose token did not hold", registry=registry
)
refused = Counter("gateway_refused", "Signed requests that were refused", registry=registry)
limited = Counter(
    "gateway_limited", "Signed requests beyond a limit of their actor", ["limit"], registry=registry
)
broken_off = Counter(
    "gateway_connections_broken_off",
    "Connections refused or broken off",
    ["why"],
    registry=registry,
)
bytes_in = Counter("gateway_bytes_in", "Bytes of evidence received", registry=registry)
bytes_out = Counter("gateway_bytes_out", "Bytes of evidence sent", registry=registry)
ledger_size = Gauge("gateway_ledger_entries", "Entries in the ledger", registry=registry)
quarantined = Gauge("gateway_quarantined", "1 while the ledger is not written", registry=registry)


# Without local variables: they hold requests, keys and evidence.
_tracebacks = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def set_up_log() -> None:
    """Log JSON lines to standard error, from warnings of libraries to our own events."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
