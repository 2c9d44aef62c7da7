"""A stand-in for libtpu's metrics service: the real messages over gRPC on loopback."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from tpu_info.proto import tpu_metric_service_pb2 as messages
from tpu_info.proto import tpu_metric_service_pb2_grpc as services

DUTY = "tpu.runtime.tensorcore.dutycycle.percent"
MEMORY = "tpu.runtime.hbm.memory.usage.bytes"


class FakeLibtpu(services.RuntimeMetricServiceServicer):  # type: ignore[misc]
    """Tells `metrics`: values of cores 0, 1, ... by name; last core first."""

    def __init__(self, metrics: Mapping[str, Sequence[float]]) -> None:
        self.metrics = dict(metrics)
        self.asked: list[str] = []

    def ListSupportedMetrics(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append("list")
        named = [messages.SupportedMetric(metric_name=name) for name in self.metrics]
        return messages.ListSupportedMetricsResponse(supported_metric=named)

    def GetRuntimeMetric(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request.metric_name)
        if request.metric_name not in self.metrics:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such metric")
        cores = [*enumerate(self.metrics[request.metric_name])]
        told = messages.TPUMetric(name=request.metric_name)
        for core, value in reversed(cores):
            entry = told.metrics.add()
            entry.attribute.value.int_attr = core
            if isinstance(value, int):
                entry.gauge.as_int = value
            else:
                entry.gauge.as_double = value
        return messages.MetricResponse(metric=told)


@contextmanager
def serving(libtpu: FakeLibtpu, address: str = "localhost:0") -> Iterator[str]:
    """The address under which it answers, until the block ends."""
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    services.add_RuntimeMetricServiceServicer_to_server(libtpu, server)
    port = server.add_secure_port(address, grpc.local_server_credentials())
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()
