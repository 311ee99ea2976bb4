"""Python's own XML-RPC client: the URL in, JSON out."""
import json
import sys
import xmlrpc.client


def fault(call):
    try:
        return [0, repr(call())]
    except xmlrpc.client.Fault as error:
        return [error.faultCode, error.faultString]


def multicall(proxy):
    calls = xmlrpc.client.MultiCall(proxy)
    calls.add(1, 2)
    calls.uppercase("<a> & é")
    calls.get_metric("nowhere")
    calls.multiply(6, 7)
    results = calls()
    return [results[0], results[1], fault(lambda: results[2]), results[3]]


with xmlrpc.client.ServerProxy(sys.argv[1], use_builtin_types=True, allow_none=True) as proxy:
    batch = {
        "hostname": "older-1",
        "samples": [{"metric_type": "queue_depth", "value": 7.5, "labels": {"queue": "mail"}, "unit": None}],
    }
    hosts = proxy.list_hosts()
    print(json.dumps({
        "add": proxy.add(5, 3),
        "multiply": proxy.multiply(4, 7),
        "uppercase": proxy.uppercase("hello"),
        "methods": proxy.system.listMethods(),
        "help": proxy.system.methodHelp("get_metric"),
        "signature": proxy.system.methodSignature("add"),
        "metric": proxy.get_metric("server01", "memory"),
        "byname": proxy.get_metric({"metricType": "disk"}),
        "fullname": proxy.diagnostics.v1.DiagnosticsService.Add(2, 2),
        "calculated": proxy.calculate_metrics([45, 67, 89, 34, 56], [2.1, 2.3, 2.5, 2.2, 2.4]),
        "info": proxy.get_system_info()["protocols"],
        "reported": proxy.report_batch(batch)["receipt"],
        "seen": hosts["hosts"][0]["last_seen"].isoformat(),
        "multicall": multicall(proxy),
        "unknownhost": fault(lambda: proxy.get_metric("server02")),
        "unknownmethod": fault(lambda: proxy.ad(5, 3)),
        "wrongparams": fault(lambda: proxy.add("five", 3)),
        "manyparams": fault(lambda: proxy.add(1, 2, 3)),
        "invalid": fault(lambda: proxy.calculate_metrics([], [1.0])),
        "stream": fault(lambda: proxy.stream_metrics()),
    }))
