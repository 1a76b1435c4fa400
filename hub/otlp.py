"""Hands spans to OpenTelemetry's SDK, which sends them over OTLP/HTTP as OTEL_… says. Nobody waits for it.

The one module that loads OpenTelemetry; `hub.tracing` loads it, only where traces are asked for.
"""

import atexit
import threading
from datetime import datetime

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from webhooks.spans import Place, Span

_SCOPE = InstrumentationScope("weir")
_KINDS = {"server": SpanKind.SERVER, "internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
_FLUSH_MS = 2_000  # a process that ends waits no longer for a collector


class Exporter:
    """The queue and its thread are made with the first span, in the process that has it: a fork has no threads."""

    def __init__(self) -> None:
        resource = Resource.create()
        if resource.attributes.get(SERVICE_NAME, "").startswith("unknown_service"):  # type: ignore[union-attr]
            resource = resource.merge(Resource({SERVICE_NAME: "weir"}))
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._resource, self._sampler = resource, provider.sampler
        self._lock = threading.Lock()
        self._queue: BatchSpanProcessor | None = None

    def emit(self, span: Span) -> None:
        if self._sampler.should_sample(None, span.at.trace_id, span.name).decision.is_sampled():  # type: ignore[no-untyped-call]
            self._open().on_end(self._readable(span))

    def flush(self) -> None:
        if self._queue is not None:
            self._queue.force_flush(_FLUSH_MS)

    def close(self) -> None:
        """Ends the queue and its thread. For tests."""
        if self._queue is not None:
            self._queue.shutdown()  # type: ignore[no-untyped-call]

    def _open(self) -> BatchSpanProcessor:
        if self._queue is None:
            with self._lock:
                if self._queue is None:
                    self._queue = BatchSpanProcessor(OTLPSpanExporter())
                    atexit.register(self.flush)
        return self._queue

    def _readable(self, span: Span) -> ReadableSpan:
        parent = span.parent_id and Place(span.at.trace_id, span.parent_id)
        return ReadableSpan(
            name=span.name,
            context=_context(span.at),
            parent=_context(parent) if parent else None,
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_context(each)) for each in span.links],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=_nanoseconds(span.began_at),
            end_time=max(_nanoseconds(span.began_at), _nanoseconds(span.ended_at)),
            instrumentation_scope=_SCOPE,
        )


def _context(at: Place) -> SpanContext:
    return SpanContext(at.trace_id, at.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000
