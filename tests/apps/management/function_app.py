"""The functions behind the recorded exchanges of the management API, as decorators declare them."""

import datetime

import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def wait(context):
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def event(context):
    raised = []
    for _ in range(context.get_input() or 1):
        raised.append((yield context.wait_for_external_event("Approval")))
    return raised


@app.orchestration_trigger(context_name="context")
def eventtwice(context):
    yield context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=2))
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def chain(context):
    first = yield context.call_activity("say_hello", "Tokyo")
    context.set_custom_status({"at": 1})
    second = yield context.call_activity("say_hello", {"c": "Se\u00e4ttle \u6771\u4eac <&>'\" \U0001f600"})
    third = yield context.call_activity("say_hello", None)
    return [first, second, third, context.get_input()]


@app.orchestration_trigger(context_name="context")
def nulls(context):
    yield context.call_activity("none_result", None)
    return None


@app.orchestration_trigger(context_name="context")
def echo_input(context):
    given = context.get_input()
    yield context.call_activity("none_result", "x")
    return given


@app.orchestration_trigger(context_name="context")
def failorch(context):
    yield context.call_activity("say_hello", "x")
    raise ValueError('kaboom \u00e9 "q"')


@app.orchestration_trigger(context_name="context")
def big(context):
    text = yield context.call_activity("bigout", 70000)
    context.set_custom_status("ok")
    return text


@app.activity_trigger(input_name="x")
def say_hello(x):
    return {"x": [x]} if isinstance(x, dict) else f"Hello {x}!"


@app.activity_trigger(input_name="x")
def none_result(x):
    return None


@app.activity_trigger(input_name="size")
def bigout(size):
    return "b" * size


@app.entity_trigger(context_name="context")
def Counter(context):
    if context.operation_name == "add":
        total = (context.get_state(lambda: 0) or 0) + (context.get_input() or 0)
        context.set_state(total)
        context.set_result(total)
    elif context.operation_name == "get":
        context.set_result(context.get_state(lambda: 0))
    elif context.operation_name == "delete":
        context.destruct_on_exit()
    else:
        context.set_result({"op": context.operation_name, "in": context.get_input()})


@app.entity_trigger(context_name="context")
def Failer(context):
    raise ValueError("x")
