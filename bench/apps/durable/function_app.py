import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.orchestration_trigger(context_name="context")
def ten(context: df.DurableOrchestrationContext):
    total = 0
    for number in range(10):
        total += yield context.call_activity("double", number)
    return total


@app.orchestration_trigger(context_name="context")
def hello(context: df.DurableOrchestrationContext):
    greetings = []
    for city in ("Tokyo", "Seattle", "London"):
        greetings.append((yield context.call_activity("greet", city)))
    return greetings


@app.orchestration_trigger(context_name="context")
def fan(context: df.DurableOrchestrationContext):
    doubled = yield context.task_all([context.call_activity("double", number) for number in range(context.get_input())])
    return sum(doubled)


@app.orchestration_trigger(context_name="context")
def loop(context: df.DurableOrchestrationContext):
    total = 0
    for number in range(context.get_input()):
        total += yield context.call_activity("double", number)
    return total


@app.activity_trigger(input_name="number")
def double(number: int) -> int:
    return number * 2


@app.activity_trigger(input_name="city")
def greet(city: str) -> str:
    return f"Hello, {city}!"
