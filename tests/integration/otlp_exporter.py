"""Sends a metric of each kind and a log record with OpenTelemetry's own exporters: METRICS_URL LOGS_URL."""

import logging
import sys

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

try:
    from opentelemetry.sdk._logs import LoggingHandler
except ImportError:  # moved out of the SDK
    LoggingHandler = None

metrics_url, logs_url = sys.argv[1:]
resource = Resource.create(
    {"service.name": "checkout", "service.version": "1.2.3", "deployment.environment.name": "stage"}
)

reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=metrics_url, compression=None))
provider = MeterProvider(resource=resource, metric_readers=[reader])
meter = provider.get_meter("test")
meter.create_counter("orders", unit="1").add(7, {"http.route": "/orders", "zone": "a"})
meter.create_histogram("latency", unit="ms").record(12.5)
meter.create_observable_gauge("depth", callbacks=[lambda options: [Observation(4.5)]])
if not provider.force_flush():
    sys.exit("the metrics were not taken")
provider.shutdown()

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=logs_url)))
if LoggingHandler is not None:
    logger = logging.getLogger("orders")
    logger.addHandler(LoggingHandler(logger_provider=logs))
    logger.error("connection refused", extra={"exception.type": "IOError"})
else:
    from opentelemetry._logs import LogRecord, SeverityNumber

    logs.get_logger("orders").emit(
        LogRecord(
            timestamp=int(__import__("time").time() * 1e9),
            severity_number=SeverityNumber.ERROR,
            body="connection refused",
            attributes={"exception.type": "IOError"},
        )
    )
logs.shutdown()
