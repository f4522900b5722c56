"""What the tests of worker channels run: one function for each thing a channel must carry."""

import asyncio
import json
import logging
import os
import sys
import threading
from contextvars import ContextVar

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
remembered: ContextVar[str] = ContextVar("remembered", default="")


@app.route(route="hello/{name}")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "params": dict(req.route_params),
        "size": len(req.get_body()),
    }
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers={"X-Seen": "yes"})


@app.route(route="hello_async")
async def hello_async(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(0)
    return func.HttpResponse(req.get_body())


@app.route(route="text")
def text(req: func.HttpRequest) -> str:
    return req.get_body().decode() or "text"


@app.route(route="cookies")
def cookies(req: func.HttpRequest):
    response = func.HttpResponse("x")
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Lax")
    response.headers.add("Set-Cookie", f"b=2; expires={req.params['expires']}; max-age=10; domain=example.com; secure")
    return response


@app.route(route="value/{kind}")
def value(req: func.HttpRequest):
    return {"none": None, "bytes": b"x", "dict": {"a": 1}, "int": 1}[req.route_params["kind"]]


@app.route(route="raises")
def raises(req: func.HttpRequest):
    def inner():
        raise KeyError("missing")

    try:
        inner()
    except KeyError as error:
        raise ValueError("my secret message") from error


@app.route(route="raises_async")
async def raises_async(req: func.HttpRequest):
    await asyncio.sleep(0)
    raise ZeroDivisionError("division by zero")


@app.route(route="context")
def context(req: func.HttpRequest, context: func.Context) -> str:
    trace, retry = context.trace_context, context.retry_context
    return json.dumps(
        {
            "is_context": isinstance(context, func.Context),
            "function_name": context.function_name,
            "function_directory": context.function_directory,
            "invocation_id": context.invocation_id,
            "trace": [trace.trace_parent, trace.trace_state, trace.attributes, trace.Traceparent, trace.Tracestate],
            "retry": [retry.retry_count, retry.max_retry_count, retry.rpc_exception.message],
            "local": context.thread_local_storage.invocation_id,
            "cwd": os.getcwd(),
            "first_on_path": sys.path[0],
        }
    )


@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
@app.queue_output(arg_name="one", queue_name="one", connection="X")
@app.queue_output(arg_name="other", queue_name="other", connection="X")
@app.blob_output(arg_name="blob", path="c/b", connection="X")
def outputs(timer: func.TimerRequest, one: func.Out[str], other: func.Out[str], blob: func.Out[bytes]) -> None:
    one.set(f"past due: {timer.past_due}")
    blob.set(b"\x00\xff")


@app.queue_trigger(arg_name="message", queue_name="in", connection="X")
@app.queue_output(arg_name="$return", queue_name="out", connection="X")
def queue(message: func.QueueMessage) -> str:
    return json.dumps([message.id, message.dequeue_count, message.get_body().decode()])


@app.blob_trigger(arg_name="blob", path="c/{name}", connection="X")
@app.blob_output(arg_name="$return", path="d/{name}", connection="X")
def blob(blob: func.InputStream):
    return blob.read()


@app.generic_trigger(arg_name="value", type="anything")
def generic(value):
    if isinstance(value, str) and value.startswith("return "):
        return json.loads(value.removeprefix("return "))
    return [type(value).__name__, value.decode() if isinstance(value, bytes) else value]


@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
def returns_something(timer):
    return "something"


@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
def logs(timer, context: func.Context):
    log = logging.getLogger("my.logger")
    log.debug("too small")
    log.info("one %d", 1)
    log.warning("two")
    print("printed", end=" ")
    print("line")
    print("error on stderr", file=sys.stderr)
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        log.exception("three")

    def own_thread():
        context.thread_local_storage.invocation_id = context.invocation_id
        log.info("from a thread")

    thread = threading.Thread(target=own_thread)
    thread.start()
    thread.join()
    print("unfinished", end="")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
async def logs_async(timer):
    async def child():
        await asyncio.sleep(0)
        logging.info("from a task")

    await asyncio.gather(child(), asyncio.create_task(child()))
    await asyncio.to_thread(logging.info, "from to_thread")
    print("at the end")


@app.route(route="remember")
def remember(req: func.HttpRequest) -> str:
    before = remembered.get()
    remembered.set("something")
    return before


@app.route(route="meet/{count}")
def meet(req: func.HttpRequest) -> str:
    """Returns once `count` invocations have come here: they all run at once."""
    meeting = meetings.setdefault(req.route_params["count"], threading.Barrier(int(req.route_params["count"])))
    meeting.wait(30)
    return "met"


meetings: dict[str, threading.Barrier] = {}


@app.route(route="meet_async/{count}")
async def meet_async(req: func.HttpRequest) -> str:
    count = int(req.route_params["count"])
    waiting.append(asyncio.Event())
    mine = waiting[-1]
    if len(waiting) == count:
        for event in waiting:
            event.set()
    await mine.wait()
    return "met"


waiting: list[asyncio.Event] = []


@app.route(route="exit/{code}")
def leave(req: func.HttpRequest) -> str:
    sys.exit(int(req.route_params["code"]))


@app.route(route="hold")
async def hold(req: func.HttpRequest) -> str:
    print("holding")
    await released().wait()
    return "released"


@app.route(route="release")
async def release(req: func.HttpRequest) -> str:
    released().set()
    return "ok"


def released() -> asyncio.Event:
    global _released
    _released = _released or asyncio.Event()
    return _released


_released: asyncio.Event | None = None


@app.route(route="raw")
def raw(req: func.HttpRequest) -> str:
    os.write(1, b"raw output\n")
    os.write(2, b"a raw failure\n")
    return "ok"


@app.route(route="pid")
def pid(req: func.HttpRequest) -> str:
    return f"pid {os.getpid()}"


@app.route(route="prints")
def prints(req: func.HttpRequest, context: func.Context) -> str:
    for number in range(20):
        print(context.invocation_id, number, "end")
    print("last", end="")
    return "ok"
