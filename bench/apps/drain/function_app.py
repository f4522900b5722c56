import azure.functions as func

app = func.FunctionApp()


@app.queue_trigger(arg_name="msg", queue_name="drain", connection="AzureWebJobsStorage")
def drain(msg: func.QueueMessage) -> None:
    msg.get_body()
