"""A plain HTTP function."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.route(route="hello/{name?}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Greets whoever is named in the path or in the query."""
    name = req.route_params.get("name") or req.params.get("name") or "world"
    return func.HttpResponse(f"Hello, {name}!")
