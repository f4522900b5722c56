import azure.functions as func, json, time

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def obs(**k):
    with open(__import__("os").environ.get("REF_OBS", "obs.jsonl"), "a") as f:
        f.write(json.dumps(dict(t=round(time.time(), 3), **k), default=str) + "\n")


@app.queue_trigger(arg_name="m", queue_name="qd-fail", connection="AzureWebJobsStorage")
def qdfail(m: func.QueueMessage):
    obs(fn="qdfail", id=m.id, dq=m.dequeue_count, nv=m.time_next_visible)
    raise ValueError("x")


@app.queue_trigger(arg_name="m", queue_name="qd-ok", connection="AzureWebJobsStorage")
def qdok(m: func.QueueMessage):
    obs(fn="qdok", body=m.get_body().decode())
    time.sleep(0.5)
    obs(fn="qdok-end", body=m.get_body().decode())


@app.queue_trigger(arg_name="m", queue_name="qd-new", connection="AzureWebJobsStorage")
def qdnew(m: func.QueueMessage):
    pass


@app.route(route="chunk", methods=["POST"])
def chunk(req: func.HttpRequest):
    return func.HttpResponse(json.dumps({"len": len(req.get_body()), "body": repr(req.get_body()[:50]), "h": dict(req.headers)}))
