"""The app behind the recordings: its orchestrators (`O`), activities (`A`) and entities (`E`); `RAW` ones answer with hand-written JSON."""

import sys, json, traceback, datetime, warnings
import azure.functions as func, azure.durable_functions as df
from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions import meta

TD = datetime.timedelta
O = {}
A = {}
E = {}
RAW = {}


def orch(f):
    O[f.__name__] = df.Orchestrator.create(f)
    return f


def act(f):
    A[f.__name__] = f
    return f


@orch
def chain(ctx):
    a = yield ctx.call_activity("say_hello", "Tokyo")
    ctx.set_custom_status({"at": 1})
    b = yield ctx.call_activity("say_hello", {"c": "Se\u00e4ttle \u6771\u4eac <&>'\" \U0001f600"})
    c = yield ctx.call_activity("say_hello", None)
    return [a, b, c, ctx.get_input()]


@orch
def fan(ctx):
    r = yield ctx.task_all([ctx.call_activity("add", i) for i in range(3)])
    return sum(r)


@orch
def child(ctx):
    r = yield ctx.call_activity("say_hello", "child")
    return {"child": r, "in": ctx.get_input(), "parent": ctx.parent_instance_id}


@orch
def childfail(ctx):
    yield ctx.call_activity("say_hello", "x")
    raise ValueError("child bad")


@orch
def sub(ctx):
    a = yield ctx.call_sub_orchestrator("child", {"k": 1})
    b = yield ctx.call_sub_orchestrator("child", 2, ctx.instance_id + "-kid")
    try:
        yield ctx.call_sub_orchestrator("childfail", None)
        c = "no"
    except Exception as e:
        c = str(e)
    return [a, b, c]


@orch
def subretry(ctx):
    try:
        yield ctx.call_sub_orchestrator_with_retry("childfail", df.RetryOptions(1000, 2), 3)
        return "ok"
    except Exception as e:
        return "gave up: " + str(e)


@orch
def subfixed(ctx):
    r = yield ctx.call_sub_orchestrator("child", 1, "subfixed-child")
    return r


@orch
def timer(ctx):
    yield ctx.create_timer(ctx.current_utc_datetime + TD(seconds=2))
    return str(ctx.current_utc_datetime)


@orch
def timerwin(ctx):
    e = ctx.wait_for_external_event("Approval")
    t = ctx.create_timer(ctx.current_utc_datetime + TD(seconds=2))
    w = yield ctx.task_any([e, t])
    return "event" if w == e else "timer"


@orch
def canceltimer(ctx):
    e = ctx.wait_for_external_event("Approval")
    t = ctx.create_timer(ctx.current_utc_datetime + TD(seconds=4))
    w = yield ctx.task_any([e, t])
    if w == e:
        t.cancel()
        return ["event", e.result]
    return "timer"


@orch
def timer_left(ctx):
    e = ctx.wait_for_external_event("Approval")
    t = ctx.create_timer(ctx.current_utc_datetime + TD(seconds=6))
    w = yield ctx.task_any([e, t])
    return "event" if w == e else "timer"


@orch
def event(ctx):
    r = []
    for i in range(ctx.get_input() or 1):
        r.append((yield ctx.wait_for_external_event("Approval")))
    return r


@orch
def eventtwice(ctx):
    yield ctx.create_timer(ctx.current_utc_datetime + TD(seconds=2))
    a = yield ctx.wait_for_external_event("go")
    return a


@orch
def retry(ctx):
    try:
        r = yield ctx.call_activity_with_retry("fail_always", df.RetryOptions(1000, 3), "x")
    except Exception as e:
        r = "gave up: " + str(e)
    s = yield ctx.call_activity("say_hello", "after")
    return [r, s]


@orch
def failact(ctx):
    try:
        yield ctx.call_activity("fail_always", "payload")
    except Exception as e:
        return str(e)


@orch
def failorch(ctx):
    yield ctx.call_activity("say_hello", "x")
    raise ValueError('kaboom \u00e9 "q"')


@orch
def failorch_empty(ctx):
    yield ctx.call_activity("say_hello", "x")
    raise ValueError()


@orch
def raisetype(ctx):
    r = yield ctx.call_activity("fail_always", "unhandled")
    return r


@orch
def can(ctx):
    n = ctx.get_input() or 0
    yield ctx.call_activity("say_hello", n)
    ctx.set_custom_status("gen%d" % n)
    if n < 2:
        ctx.continue_as_new(n + 1)
        return
    return "done %d" % n


@orch
def can_events(ctx):
    st = ctx.get_input() or []
    v = yield ctx.wait_for_external_event("add")
    if v == "end":
        return st
    ctx.continue_as_new(st + [v])


@orch
def customstatus(ctx):
    ctx.set_custom_status("first")
    yield ctx.call_activity("say_hello", "1")
    ctx.set_custom_status({"a": [1, None, "\u00e9"]})
    yield ctx.wait_for_external_event("next")
    ctx.set_custom_status(None)
    return "x"


@orch
def big(ctx):
    r = yield ctx.call_activity("bigout", 70000)
    ctx.set_custom_status("ok")
    return r


@orch
def echo_input(ctx):
    i = ctx.get_input()
    yield ctx.call_activity("none_result", "x")
    return i


@orch
def wait(ctx):
    r = yield ctx.wait_for_external_event("go")
    return r


@orch
def longwait(ctx):
    yield ctx.create_timer(ctx.current_utc_datetime + TD(days=10))
    return "x"


@orch
def http(ctx):
    r = yield ctx.call_http("POST", "http://127.0.0.1:7071/echo/x?y=1", {"a": 1}, {"X-H": "v", "Content-Type": "application/json"})
    r2 = yield ctx.call_http("GET", "http://127.0.0.1:7071/echo/500")
    return [r, r2]


@orch
def http202(ctx):
    r = yield ctx.call_http("GET", "http://127.0.0.1:7071/echo/202")
    return r


@orch
def httpfail(ctx):
    try:
        r = yield ctx.call_http("GET", "http://127.0.0.1:9/none")
    except Exception as e:
        return str(e)


@orch
def entity(ctx):
    e = df.EntityId("Counter", "k1")
    ctx.signal_entity(e, "add", 3)
    a = yield ctx.call_entity(e, "add", 5)
    b = yield ctx.call_entity(e, "get")
    return [a, b]


@orch
def entityfail(ctx):
    e = df.EntityId("Counter", "kf")
    try:
        yield ctx.call_entity(e, "fail", 1)
    except Exception as x:
        return str(x)


@orch
def signalonly(ctx):
    e = df.EntityId("Counter", "ks")
    ctx.signal_entity(e, "add", 1)
    ctx.signal_entity(e, "add", 2)
    yield ctx.call_activity("say_hello", "z")
    return 1


@orch
def waitany(ctx):
    ts = [ctx.call_activity("say_hello", str(i)) for i in range(2)]
    w = yield ctx.task_any(ts)
    r = w.result
    x = yield ctx.call_activity("say_hello", "next")
    y = yield ctx.task_all(ts)
    return [r, x, y]


@orch
def unknownact(ctx):
    try:
        r = yield ctx.call_activity("nope", 1)
        return r
    except Exception as e:
        return str(e)


@orch
def unknownsub(ctx):
    try:
        r = yield ctx.call_sub_orchestrator("nope", 1)
        return r
    except Exception as e:
        return str(e)


@orch
def badentity(ctx):
    try:
        r = yield ctx.call_entity(df.EntityId("Nope", "k"), "op", 1)
        return r
    except Exception as e:
        return str(e)


@orch
def dates(ctx):
    yield ctx.call_activity("say_hello", "2026-01-01T00:00:00Z")
    return ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1234567Z", 1.0, 1e30, 12345678901234567890, "\u2028"]


@orch
def nulls(ctx):
    yield ctx.call_activity("none_result", None)
    return None


@orch
def badactivity(ctx):
    yield ctx.call_activity("err_unicode", 1)


def nongen_f(ctx):
    raise RuntimeError("not a generator")


O["nongen"] = df.Orchestrator.create(nongen_f)


@orch
def nondet(ctx):
    global ND
    ND = globals().get("ND", 0) + 1
    if ND == 1:
        yield ctx.call_activity("say_hello", "a")
    else:
        yield ctx.call_activity("add", 1)


# raw: scripted JSON answers, history-driven
def hist(p):
    return json.loads(p)["history"]


def raw_entitylock(p):
    h = hist(p)
    acts = [
        {"actionType": 13, "lockSet": [{"name": "Counter", "key": "l1"}, {"name": "Counter", "key": "l0"}]},
        {"actionType": 7, "instanceId": "@counter@l0", "operation": "add", "input": "1"},
        {"actionType": 7, "instanceId": "@counter@l1", "operation": "add", "input": "2"},
        {"actionType": 14},
        {"actionType": 0, "functionName": "say_hello", "input": '"unlocked"'},
    ]
    ids = [json.loads(e["Input"]).get("id") for e in h if e["EventType"] == 14 and e["Name"] == "op"]
    raised = [e["Name"] for e in h if e["EventType"] == 15]
    n = sum(1 for i in ids if i in raised)
    done = any(e["EventType"] == 5 for e in h)
    k = min(n + 1, 3)
    if n >= 3:
        k = 5
    r = {"isDone": done, "schemaVersion": 3, "actions": [acts[:k]]}
    if done:
        r["output"] = "locked-ok"
    return json.dumps(r)


RAW["entitylock"] = raw_entitylock


def raw_v1fan(p):
    h = hist(p)
    n = sum(1 for e in h if e["EventType"] == 5)
    r = {
        "isDone": n >= 2,
        "actions": [[{"actionType": 0, "functionName": "add", "input": "1"}, {"actionType": 0, "functionName": "add", "input": "2"}]],
    }
    if n >= 2:
        r["output"] = "v1done"
    return json.dumps(r)


RAW["v1fan"] = raw_v1fan


@orch
def canslow(ctx):
    st = ctx.get_input() or []
    yield ctx.call_activity("slow", 1)
    v = yield ctx.wait_for_external_event("add")
    if len(st) >= 2:
        return st + [v]
    ctx.continue_as_new(st + [v])


@orch
def batchcan(ctx):
    st = ctx.get_input() or []
    v = yield ctx.wait_for_external_event("add")
    if len(st) >= 2:
        return st + [v]
    ctx.continue_as_new(st + [v])


@orch
def bigstatus(ctx):
    ctx.set_custom_status("x" * (ctx.get_input() or 9000))
    yield ctx.call_activity("say_hello", "1")
    return 1


@orch
def selfsub(ctx):
    try:
        r = yield ctx.call_sub_orchestrator("child", 1, ctx.instance_id)
        return r
    except Exception as e:
        return str(e)


@orch
def parentterm(ctx):
    r = yield ctx.call_sub_orchestrator("wait", None, ctx.instance_id + "-kid")
    return r


@orch
def flakyorch(ctx):
    a = yield ctx.call_activity("say_hello", "first")
    b = yield ctx.call_activity("flaky2", ctx.instance_id)
    return [a, b]


@orch
def parentflaky(ctx):
    a = yield ctx.call_activity("say_hello", "p")
    r = yield ctx.call_sub_orchestrator("flakyorch", None, ctx.instance_id + "-kid")
    return [a, r]


@orch
def canfire(ctx):
    n = ctx.get_input() or 0
    if n == 0:
        ctx.signal_entity(df.EntityId("Counter", "canfire"), "add", 1)
        ctx.continue_as_new(1)
        return
    yield ctx.call_activity("say_hello", "z")
    return "end"


@orch
def capact(ctx):
    r = yield ctx.call_activity("SAY_HELLO", "caps")
    return r


@orch
def renamed(ctx):
    r = yield ctx.call_activity("RenamedAct", "q")
    return r


@orch
def sigunknown(ctx):
    ctx.signal_entity(df.EntityId("Nope", "k"), "op", 1)
    yield ctx.call_activity("say_hello", "after")
    return 1


def raw_raw(p):
    d = json.loads(p)
    i = d["input"]
    if isinstance(i, str):
        i = json.loads(i)
    done = sum(1 for e in d["history"] if e["EventType"] in (5, 6, 8, 9, 11, 15))
    if "literal" in i:
        return i["literal"]
    if "raise" in i:
        raise RuntimeError(i["raise"])
    st = i["stages"]
    k = 0
    for idx, (need, resp) in enumerate(st):
        if done >= need:
            k = idx
    if isinstance(st[k][1], str) and st[k][1].startswith("RAISE:"):
        raise RuntimeError(st[k][1][6:])
    return json.dumps(st[k][1])


RAW["raw"] = raw_raw
FL = {}


@act
def flaky2(x):
    FL[x] = FL.get(x, 0) + 1
    if FL[x] == 1:
        raise ValueError("flaky first time")
    return "ok after %d" % FL[x]


@act
def rawfail(x):
    raise RuntimeError(x if isinstance(x, str) else json.dumps(x))


@act
def say_hello(x):
    return "Hello %s!" % x if not isinstance(x, dict) else {"x": [x]}


@act
def add(x):
    return 10**x


@act
def fail_always(x):
    raise ValueError("boom " + str(x))


@act
def err_unicode(x):
    try:
        {}["k\u00e9y"]
    except KeyError as e:
        raise RuntimeError("outer \u6771\nline2") from e


@act
def flaky(x):
    return 1


@act
def bigout(n):
    return "b" * n


@act
def none_result(x):
    return None


@act
def slow(x):
    import time

    time.sleep(1)
    return x


@act
def obj_result(x):
    return {"a": x}


@act
def NamedAct(x):
    return "named %s" % x


def counter(ctx):
    op = ctx.operation_name
    if op == "add":
        v = (ctx.get_state(lambda: 0) or 0) + (ctx.get_input() or 0)
        ctx.set_state(v)
        ctx.set_result(v)
    elif op == "get":
        ctx.set_result(ctx.get_state(lambda: 0))
    elif op == "delete":
        ctx.destruct_on_exit()
    elif op == "fail":
        ctx.set_state(999)
        raise ValueError("entity boom")
    else:
        ctx.set_result({"op": op, "in": ctx.get_input()})


E["Counter"] = df.Entity.create(counter)


def failer(ctx):
    raise ValueError("x")


def rawent(p):
    d = json.loads(p)
    op = d["batch"][0]["name"]
    n = len(d["batch"])
    if op == "boom":
        raise RuntimeError("entity invocation failed")
    ok = {"isError": False, "duration": 1.5, "startTime": 0, "result": "1"}
    if op == "sig":
        return json.dumps(
            {
                "entityExists": True,
                "entityState": "1",
                "results": [ok] * n,
                "signals": [
                    {
                        "target": {"name": "Counter", "key": "fromEnt"},
                        "name": "add",
                        "input": '"5"',
                        "requestId": "11111111-1111-1111-1111-111111111111",
                        "requestTime": 0,
                    }
                ],
            }
        )
    if op == "nores":
        return json.dumps({"entityExists": True, "entityState": "2", "results": [], "signals": []})
    if op == "nullres":
        return json.dumps(
            {"entityExists": True, "entityState": "3", "results": [{"isError": False, "duration": 0, "result": None}] * n, "signals": []}
        )
    if op == "notjson":
        return '"x"'
    return json.dumps({"entityExists": False, "entityState": None, "results": [ok] * n, "signals": []})


E["Failer"] = rawent
