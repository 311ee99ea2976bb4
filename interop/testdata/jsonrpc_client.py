"""jsonrpclib, a JSON-RPC client of others: the URL in, JSON out.

What rpc.discover answers is held to the rules of OpenRPC's meta-schema, as far as the
document uses it, and the answers of calls to the schemas in it.
"""
import json
import sys

import jsonrpclib
import jsonschema


def fault(call):
    try:
        return [0, repr(call())]
    except jsonrpclib.ProtocolError as error:
        return list(error.args[0])


def batch(server):
    calls = jsonrpclib.MultiCall(server)
    calls.add(1, 2)
    calls._notify.add(3, 4)
    calls.uppercase("hi")
    return list(calls())


def closed(needed, **properties):
    """An object of OpenRPC's, which has these members and its own extensions."""
    return {
        "type": "object",
        "required": needed.split(),
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
CONTENT = closed("name schema", name=TEXT, description=TEXT, schema={"type": "object"}, required={"type": "boolean"})
OPENRPC = closed(
    "openrpc info methods",
    openrpc={"const": "1.3.2"},
    info=closed("title version", title=TEXT, version=TEXT, description=TEXT),
    methods={"type": "array", "minItems": 10, "uniqueItems": True, "items": closed(
        "name params result",
        name=TEXT, summary=TEXT, description=TEXT,
        tags={"type": "array", "items": closed("name", name=TEXT)},
        params={"type": "array", "items": CONTENT},
        result=CONTENT,
        paramStructure={"enum": ["by-position", "by-name", "either"]},
    )},
    components=closed("schemas", schemas={
        "type": "object", "patternProperties": {"^[a-zA-Z0-9._-]+$": {"type": "object"}}, "additionalProperties": False,
    }),
)


def check_schema(document):
    """Hold what is answered to what rpc.discover says of it."""
    jsonschema.Draft7Validator(OPENRPC).validate(document)
    names = [method["name"] for method in document["methods"]]
    assert len(set(names)) == len(names), names
    checked = []
    answers = {
        "add": server.add(5, 3),
        "get_metric": server.get_metric(),
        "list_hosts": server.list_hosts(),
        "list_metrics": server.list_metrics(),
        "query_range": server.query_range("cpu"),
        "query_prom_ql": server.query_prom_ql(query="cpu / 0"),
        "get_system_info": server.get_system_info(),
        "calculate_metrics": server.calculate_metrics([1], [2]),
    }
    jsonschema.Draft7Validator.check_schema({"definitions": document["components"]["schemas"]})
    for method in document["methods"]:
        for content in [method["result"], *method["params"]]:
            jsonschema.Draft7Validator.check_schema(content["schema"])
        if method["name"] in answers:
            schema = {**method["result"]["schema"], "components": document["components"]}
            jsonschema.Draft7Validator(schema).validate(answers[method["name"]])
            checked.append(method["name"])
    return checked


server = jsonrpclib.Server(sys.argv[1])
print(json.dumps({
    "calculated": server.calculate_metrics([45, 67, 89, 34, 56], [2.1, 2.3, 2.5, 2.2, 2.4]),
    "info": server.get_system_info(),
    "metric": server.get_metric("server01", "memory"),
    "byname": server.get_metric(hostname="server01", metric_type="disk"),
    "add": server.add(5, 3),
    "multiply": server.multiply(4, 7),
    "uppercase": server.uppercase("hello"),
    "notified": server._notify.add(1, 2),
    "batch": batch(server),
    "unknownhost": fault(lambda: server.get_metric("server02")),
    "unknownmethod": fault(lambda: server.ad(5, 3)),
    "wrongparams": fault(lambda: server.add("five", 3)),
    "invalid": fault(lambda: server.calculate_metrics([], [1.0])),
    "stream": fault(lambda: server.stream_metrics()),
    "checked": check_schema(server.rpc.discover()),
}))
