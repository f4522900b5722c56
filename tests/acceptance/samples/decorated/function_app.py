"""What the SDK's sample apps show, in words of our own: decorated functions."""

import json
import os
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="orchestrators/{functionName}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    given = json.loads(req.get_body() or b"null")
    instance_id = await client.start_new(req.route_params["functionName"], client_input=given)
    return client.create_check_status_response(req, instance_id)


# Chaining


@app.orchestration_trigger(context_name="context")
def greet_cities(context: df.DurableOrchestrationContext):
    lisbon = yield context.call_activity("greet", "Lisbon")
    oslo = yield context.call_activity("greet", "Oslo")
    lima = yield context.call_activity("greet", "Lima")
    return [lisbon, oslo, lima]


@app.activity_trigger(input_name="city")
def greet(city: str) -> str:
    return f"Hello {city}!"


# Fan-out, fan-in


@app.orchestration_trigger(context_name="context")
def back_up(context: df.DurableOrchestrationContext):
    folder = context.get_input()
    if not folder:
        raise ValueError("name a folder to back up")
    files = yield context.call_activity("list_files", folder)
    sizes = yield context.task_all([context.call_activity("copy_file", file) for file in files])
    return sum(sizes)


@app.activity_trigger(input_name="folder")
def list_files(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())


@app.activity_trigger(input_name="file")
def copy_file(file: str) -> int:
    content = Path(file).read_bytes()
    (Path(os.environ["BACKUPS"]) / Path(file).name).write_bytes(content)
    return len(content)


# Human interaction: a code is sent, and has to be given back within three minutes and three attempts


@app.orchestration_trigger(context_name="context")
def verify_phone(context: df.DurableOrchestrationContext):
    number = context.get_input() or ""
    if not (number.startswith("+") and number[1:].isdigit()):
        raise ValueError(f"{number!r} is no phone number with a country code, such as +3215550123")
    code = yield context.call_activity("send_code", number)
    deadline = context.create_timer(context.current_utc_datetime + timedelta(minutes=3))
    is_right = False
    for _ in range(3):
        answer = context.wait_for_external_event("CodeEntered")
        if (yield context.task_any([answer, deadline])) == deadline:
            break
        if is_right := answer.result == code:
            break
    if not deadline.is_completed:
        deadline.cancel()
    return is_right


@app.activity_trigger(input_name="number")
def send_code(number: str) -> str:
    raise NotImplementedError("tests stand in for the service that sends messages")


# Monitor: looks every minute, for five minutes


@app.orchestration_trigger(context_name="context")
def watch_repository(context: df.DurableOrchestrationContext):
    request = context.get_input()
    until = context.current_utc_datetime + timedelta(minutes=5)
    while context.current_utc_datetime < until:
        if (yield context.call_activity("has_many_issues", request["repository"])):
            yield context.call_activity("alert", request["phone"])
            break
        context.set_custom_status(f"{request['repository']} is fine so far")
        yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    return "watched"


@app.activity_trigger(input_name="repository")
def has_many_issues(repository: str) -> bool:
    raise NotImplementedError("tests stand in for the service that knows")


@app.activity_trigger(input_name="number")
def alert(number: str) -> str:
    raise NotImplementedError("tests stand in for the service that sends messages")


# Custom status


@app.orchestration_trigger(context_name="context")
def count_aloud(context: df.DurableOrchestrationContext):
    one = yield context.call_activity("add_one", 0)
    context.set_custom_status(f"{one},")
    two = yield context.call_activity("add_one", one)
    context.set_custom_status(f"{one}, {two},")
    three = yield context.call_activity("add_one", two)
    context.set_custom_status(f"{one}, {two}, {three}")
    return three


@app.activity_trigger(input_name="number")
def add_one(number: int) -> int:
    return number + 1


# An entity that counts


@app.entity_trigger(context_name="context")
def Counter(context: df.DurableEntityContext):
    value = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            value += context.get_input()
        case "reset":
            value = 0
    context.set_state(value)
    context.set_result(value)


@app.orchestration_trigger(context_name="context")
def add_and_ask(context: df.DurableOrchestrationContext):
    counter = df.EntityId("Counter", "visits")
    context.signal_entity(counter, "add", 3)
    return (yield context.call_entity(counter, "get"))


@app.orchestration_trigger(context_name="context")
def reset(context: df.DurableOrchestrationContext):
    return (yield context.call_entity(df.EntityId("Counter", "visits"), "reset"))


@app.route(route="entity/{name}/{key}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def look(req: func.HttpRequest, client) -> func.HttpResponse:
    found = await client.read_entity_state(df.EntityId(req.route_params["name"], req.route_params["key"]))
    if not found.entity_exists:
        return func.HttpResponse("no such entity", status_code=404)
    return func.HttpResponse(json.dumps({**req.route_params, "state": found.entity_state}))


# A message over a service that does not run here


@app.orchestration_trigger(context_name="context")
def text_somebody(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("text", "+3215550123"))


@app.activity_trigger(input_name="number")
@app.generic_output_binding(arg_name="message", type="twilioSms", accountSidSetting="Sid", authTokenSetting="Token")
def text(number: str, message: func.Out[str]) -> str:
    message.set(json.dumps({"to": number, "body": "hello"}))
    return "sent"
