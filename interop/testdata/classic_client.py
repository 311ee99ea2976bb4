"""A client of the classic contract: stubs' folder and host:port in, JSON out."""
import json
import sys
import time

sys.path.insert(0, sys.argv[1])

import grpc  # noqa: E402
from monitoring import metrics_pb2, metrics_pb2_grpc  # noqa: E402

with grpc.insecure_channel(sys.argv[2]) as channel:
    stub = metrics_pb2_grpc.MonitoringServiceStub(channel)

    one = stub.GetMetric(metrics_pb2.MetricRequest(hostname="server01", metric_type="cpu"), timeout=10)

    begin = time.monotonic()
    values = [sample.value for sample in stub.StreamMetrics(metrics_pb2.MetricRequest(hostname="server01", metric_type="memory"))]
    seconds = time.monotonic() - begin

    health = stub.CheckHealth(metrics_pb2.HealthRequest(service="api"), timeout=10)

    try:
        stub.GetMetric(metrics_pb2.MetricRequest(hostname="server02"), timeout=10)
        code, text = "OK", ""
    except grpc.RpcError as error:
        code, text = error.code().name, error.details()

print(json.dumps({
    "one": {
        "hostname": one.hostname, "metrictype": one.metric_type, "unit": one.unit,
        "value": one.value, "timestamp": one.timestamp,
    },
    "values": values,
    "seconds": seconds,
    "health": {"healthy": health.healthy, "message": health.message},
    "notfound": code,
    "notfoundtext": text,
}))
