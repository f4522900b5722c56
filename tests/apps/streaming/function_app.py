"""HTTP functions of the FastAPI extension: every kind of response, and streams in both directions."""

import asyncio
import logging
import threading

import azure.functions as func
from azurefunctions.extensions.http.fastapi import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Request,
    Response,
    StreamingResponse,
)
from fastapi import HTTPException
from pydantic import BaseModel

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


class Item(BaseModel):
    name: str
    price: float = 1.5


@app.route(route="str")
def returns_str(req: Request) -> str:
    return "text"


@app.route(route="dict")
def returns_dict(req: Request) -> dict:
    return {"a": [1, None]}


@app.route(route="list")
async def returns_list(req: Request) -> list:
    return [1, "two"]


@app.route(route="bool")
def returns_bool(req: Request) -> bool:
    return True


@app.route(route="int")
def returns_int(req: Request) -> int:
    return 7


@app.route(route="float")
def returns_float(req: Request) -> float:
    return 1.5


@app.route(route="model")
def returns_model(req: Request) -> Item:
    return Item(name="tea")


@app.route(route="none")
def returns_none(req: Request):
    return None


@app.route(route="response")
def response(req: Request) -> Response:
    return Response(b"\x00\xff", 201, {"x-mine": "yes"}, "application/octet-stream")


@app.route(route="html")
def html(req: Request) -> HTMLResponse:
    return HTMLResponse("<p>hi</p>")


@app.route(route="plain")
def plain(req: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


@app.route(route="json")
def json(req: Request) -> JSONResponse:
    return JSONResponse({"a": 1}, 202)


@app.route(route="redirect")
def redirect(req: Request) -> RedirectResponse:
    return RedirectResponse("/api/plain")


@app.route(route="file")
def file(req: Request) -> FileResponse:
    return FileResponse("host.json")


@app.route(route="cookies")
def cookies(req: Request) -> Response:
    answer = PlainTextResponse(req.cookies.get("seen", "never"))
    answer.set_cookie("seen", "once")
    answer.set_cookie("other", "two")
    return answer


@app.route(route="untyped/{id:int}/{rest?}", methods=["GET", "POST"])
async def untyped(req, context: func.Context):
    logging.info("seen")
    return {
        "type": type(req).__module__,
        "method": req.method,
        "path": req.url.path,
        "query": dict(req.query_params),
        "params": req.path_params,
        "mine": req.headers.get("x-mine"),
        "id": context.invocation_id == req.headers["x-ms-invocation-id"],
        "body": (await req.body()).decode(),
    }


@app.route(route="fails")
async def fails(req: Request):
    raise ValueError("no such luck")


@app.route(route="missing")
def missing(req: Request):
    raise HTTPException(404, "no such thing", {"x-why": "gone"})


go_on = asyncio.Event()


@app.route(route="go-on")
async def goes_on(req: Request) -> str:
    go_on.set()
    return "gone on"


@app.route(route="two")
async def two(req: Request) -> StreamingResponse:
    """Begins its answer, and ends it when another request says so."""

    async def pieces():
        yield "first,"
        await go_on.wait()
        logging.info("told to go on")
        yield "second"

    return StreamingResponse(pieces(), 203, {"x-mine": "yes"}, "text/csv")


@app.route(route="pieces", methods=["POST"])
async def takes_pieces(req: Request) -> list:
    sizes = []
    async for piece in req.stream():
        if piece:
            logging.info("a piece of %d", len(piece))
            sizes.append(len(piece))
    return sizes


@app.route(route="count", methods=["POST"])
async def count(req: Request) -> int:
    size = 0
    async for piece in req.stream():
        size += len(piece)
    return size


@app.route(route="threads")
def threads(req: Request) -> StreamingResponse:
    def pieces():
        yield threading.current_thread().name
        yield " and "
        yield threading.current_thread().name

    return StreamingResponse(pieces())


@app.route(route="breaks")
async def breaks(req: Request) -> StreamingResponse:
    async def pieces():
        yield "begun"
        raise ValueError("broken off")

    return StreamingResponse(pieces())


@app.route(route="endless")
async def endless(req: Request) -> StreamingResponse:
    async def pieces():
        while True:
            yield b"tick\n" * 1000
            await asyncio.sleep(0)

    return StreamingResponse(pieces())
