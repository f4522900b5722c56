"""The sample app: Azure Functions finds `app` here and asks it for its functions."""

import azure.functions as func
from functions import hello

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(hello.blueprint)
