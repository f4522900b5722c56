"""The sample app: Azure Functions finds `app` here and asks it for its functions."""

import azure.durable_functions as df
import azure.functions as func

from functions import approval, heartbeat, hello, orders, sales, stock

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (approval, heartbeat, hello, orders, sales, stock):
    app.register_functions(module.blueprint)
