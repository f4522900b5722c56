import azure.functions as func, json, logging, os, time

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
H = func.HttpResponse
OUT = os.environ.get("REF_OBS", "obs.jsonl")


def obs(**k):
    with open(OUT, "a") as f:
        f.write(json.dumps(dict(t=time.time(), **k), default=str) + "\n")


def tm(t):
    return {"past_due": t.past_due, "schedule_status": t.schedule_status, "schedule": t.schedule}


@app.timer_trigger(arg_name="t", schedule="*/5 * * * * *", use_monitor=False)
def t6(t: func.TimerRequest):
    obs(fn="t6", **tm(t))


@app.timer_trigger(arg_name="t", schedule="* * * * *", run_on_startup=False)
def t5monitored(t: func.TimerRequest):
    obs(fn="t5monitored", **tm(t))


@app.timer_trigger(arg_name="t", schedule="0 0 0 1 1 *", run_on_startup=True)
def tstart(t: func.TimerRequest):
    obs(fn="tstart", **tm(t))


@app.timer_trigger(arg_name="t", schedule="00:01:30")
def tspan(t: func.TimerRequest):
    obs(fn="tspan", **tm(t))


@app.timer_trigger(arg_name="t", schedule="0 0 0 1 2 *")
def tmanual(t: func.TimerRequest):
    obs(fn="tmanual", **tm(t))


def qm(m):
    return {
        "id": m.id,
        "dequeue_count": m.dequeue_count,
        "expiration_time": m.expiration_time,
        "insertion_time": m.insertion_time,
        "time_next_visible": m.time_next_visible,
        "pop_receipt": m.pop_receipt,
        "body": repr(m.get_body()),
    }


@app.queue_trigger(arg_name="msg", queue_name="q-in", connection="AzureWebJobsStorage")
def qin(msg: func.QueueMessage, context: func.Context):
    obs(fn="qin", **qm(msg))


@app.queue_trigger(arg_name="msg", queue_name="q-str", connection="AzureWebJobsStorage")
def qstr(msg: str):
    obs(fn="qstr", typ=type(msg).__name__, msg=repr(msg))


@app.queue_trigger(arg_name="msg", queue_name="q-fail", connection="AzureWebJobsStorage")
def qfail(msg: func.QueueMessage):
    obs(fn="qfail", **qm(msg))
    raise ValueError("nope")


@app.route(route="out/{kind}")
@app.queue_output(arg_name="o", queue_name="q-out", connection="AzureWebJobsStorage")
def qout(req: func.HttpRequest, o: func.Out[str]) -> func.HttpResponse:
    k = req.route_params["kind"]
    if k == "str":
        o.set("hello é")
    elif k == "json":
        o.set(json.dumps({"a": 1}))
    elif k == "bytes":
        o.set(b"\x00\xff")
    elif k == "list":
        o.set(["m1", "m2"])
    elif k == "dictlist":
        o.set([json.dumps({"a": 1}), json.dumps({"b": 2})])
    elif k == "jsonarr":
        o.set('[1, {"b": 2}, "x"]')
    elif k == "jsonnum":
        o.set("5")
    elif k == "badjson":
        o.set('{"a": ')
    elif k == "jsondate":
        o.set('{"d": "2020-01-02T03:04:05Z", "n": 1.0, "big": 12345678901234567890, "dup": 1, "dup": 2}')
    elif k == "listmix":
        o.set(["a", 1, {"b": 2}, None])
    elif k == "none":
        pass
    elif k == "empty":
        o.set("")
    return H("set " + k)


@app.route(route="outmsg/{kind}")
@app.queue_output(arg_name="o", queue_name="q-out", connection="AzureWebJobsStorage")
def qoutmsg(req: func.HttpRequest, o: func.Out[func.QueueMessage]) -> func.HttpResponse:
    k = req.route_params["kind"]
    o.set(func.QueueMessage(id="x", body={"str": "hello", "bytes": b"\x00\xff", "json": '{"a":1}'}[k]))
    return H("ok")


@app.queue_trigger(arg_name="msg", queue_name="q-chain", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="$return", queue_name="q-ret", connection="AzureWebJobsStorage")
def qchain(msg: func.QueueMessage) -> str:
    return "ret:" + msg.get_body().decode()


@app.blob_trigger(arg_name="b", path="bin/{name}.{ext}", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="o", path="bout/{name}-copy.{ext}", connection="AzureWebJobsStorage")
def bin_(b: func.InputStream, o: func.Out[bytes]):
    d = b.read()
    obs(fn="bin_", name=b.name, length=b.length, uri=b.uri, blob_properties=b.blob_properties, metadata=b.metadata, data=repr(d[:40]))
    o.set(d)


@app.blob_trigger(arg_name="b", path="bfail/{name}", connection="AzureWebJobsStorage")
def bfail(b: func.InputStream):
    obs(fn="bfail", name=b.name)
    raise ValueError("blob nope")


@app.route(route="ping")
def ping(req: func.HttpRequest) -> func.HttpResponse:
    return H("pong")
