"""Client of libtpu's metrics service, whose messages come with tpu-info."""

from typing import Any

from harness.errors import ProbeUnavailable

ANSWER_S = 0.5
"""The service is on the same machine: slower than this, it is not there."""
RECONNECT_MS = (100, 1000)
"""gRPC's own pauses grow to two minutes, and the service comes with the work."""


class MetricService:
    """Asks libtpu for metrics; a service that is not there tells nothing."""

    def __init__(self, address: str) -> None:
        """Prepare to connect.

        Args:
            address: Host and port, such as `localhost:8431`.

        Raises:
            ProbeUnavailable: No gRPC, or no tpu-info for its messages.
        """
        try:
            import grpc
            from tpu_info.proto import tpu_metric_service_pb2 as messages
            from tpu_info.proto.tpu_metric_service_pb2_grpc import (
                RuntimeMetricServiceStub,
            )
        except ImportError as error:
            raise ProbeUnavailable(
                f"the TPU's service has no client here: {error}",
                hint="pip install 'joulebench[tpu]'",
            ) from error
        least_ms, most_ms = RECONNECT_MS
        options = (
            ("grpc.initial_reconnect_backoff_ms", least_ms),
            ("grpc.min_reconnect_backoff_ms", least_ms),
            ("grpc.max_reconnect_backoff_ms", most_ms),
            ("grpc.enable_http_proxy", 0),
        )
        local = grpc.local_channel_credentials()
        self._failure: Any = grpc.RpcError
        self._messages: Any = messages
        self._connection: Any = grpc.secure_channel(address, local, options)
        self._stub: Any = RuntimeMetricServiceStub(self._connection)

    def supported(self) -> list[str]:
        """Names of the metrics that it knows; none where it does not answer."""
        request = self._messages.ListSupportedMetricsRequest()
        try:
            answer = self._stub.ListSupportedMetrics(request, timeout=ANSWER_S)
        except self._failure:
            return []
        return [metric.metric_name for metric in answer.supported_metric]

    def values(self, metric: str) -> list[float] | None:
        """Values of all cores or chips by their number; None where there are none."""
        request = self._messages.MetricRequest(metric_name=metric)
        try:
            answer = self._stub.GetRuntimeMetric(request, timeout=ANSWER_S)
        except self._failure:
            return None
        told = sorted(answer.metric.metrics, key=lambda m: m.attribute.value.int_attr)
        values = [_number(entry.gauge) for entry in told]
        known = [value for value in values if value is not None]
        return known if known and len(known) == len(values) else None

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()


def _number(gauge: Any) -> float | None:
    kind = gauge.WhichOneof("value")
    return float(getattr(gauge, kind)) if kind in ("as_double", "as_int") else None
