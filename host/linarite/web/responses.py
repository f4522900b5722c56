"""HTTP responses from what functions return: a response object, a text that may be JSON, nothing.

Pure: an invocation's result in, status, headers and body out. Where the Functions host would put something unusable on the wire the
answer is 500, as there, but with a reason to log.
Source: azure-functions-host, HttpBinding, RawScriptResult and ScriptObjectResult; functions-host section 3.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from linarite.bindings import newtonsoft
from linarite.invocation import Datum, HttpResponse, InvocationResult
from linarite.metadata import Function
from linarite.web.reply import TEXT, Headers, Reply

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e]")
_ENCLOSED = ("{}", "[]", '""', "''")
_LITERAL = re.compile(r"-?[0-9.]+(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
_FRAMING = ("content-length", "transfer-encoding")
_COOKIE_ATTRIBUTES = ("expires", "max-age")

_NEGOTIATION = (
    "sets enableContentNegotiation, which has no effect here: on Azure the body takes the form that the client's Accept header asks for. "
    "Return an HttpResponse to say in which form it is."
)


class UnusableResponse(ValueError):
    """A response that cannot be sent; the message says what about it. The answer is 500."""

    def __init__(self, reason: str, *, closes: bool = False) -> None:
        super().__init__(reason)
        self.closes = closes


def http_output(function: Function) -> str | None:
    """Name of the output binding that carries a function's response: `$return` or a parameter; None if it has none."""
    binding = function.output("http")
    return binding.name if binding is not None else None


def reply_to(result: InvocationResult, output: str | None) -> Reply:
    """The answer for what a function gave back; `output` is its http_output. Raises UnusableResponse."""
    returned = result.return_value
    response = response_of(result, output)
    if response is not None and response.kind != "none":
        return _from_binding(response)
    if output != "$return" and returned is not None and returned.kind != "none":
        return _from_other_return(returned)
    return Reply(204, [])


def response_of(result: InvocationResult, output: str | None) -> Datum | None:
    """The value of the output binding that carries the response, if it was set."""
    if output is None:
        return None
    return result.return_value if output == "$return" else result.outputs.get(output)


def _from_binding(datum: Datum) -> Reply:
    if datum.kind == "http":
        return _from_response(datum.value)
    if datum.kind in ("string", "json"):
        return _from_text(datum.value)
    return _from_other_return(datum)


def _from_other_return(datum: Datum) -> Reply:
    """A value that another binding's `$return` carries is also the body."""
    if datum.kind == "bytes":
        return Reply(200, [(b"content-type", b"application/octet-stream")], datum.value)
    return Reply(200, [TEXT], str(datum.value).encode())


def _from_response(response: HttpResponse) -> Reply:
    status = _status(response.status)
    headers: Headers = []
    for name, value in response.headers.items():
        lowered = name.lower()
        if lowered == "transfer-encoding":
            continue  # the server frames the body; see breaks_framing
        if lowered != "content-length":
            headers.append(header(name, value))
        elif value.strip() != str(len(response.body)):
            raise UnusableResponse(f"its Content-Length is {value}, its body has {len(response.body)} bytes", closes=True)
    headers += [(b"set-cookie", header("Set-Cookie", set_cookie(cookie))[1]) for cookie in response.cookies]
    return Reply(status, headers, response.body)


def breaks_framing(datum: Datum | None) -> bool:
    """Whether a response sets Transfer-Encoding, which the Functions host sends without framing the body, so that clients hang."""
    return datum is not None and datum.kind == "http" and any(name.lower() == "transfer-encoding" for name in datum.value.headers)


def _status(text: str) -> int:
    """Below 200 no client can read an answer, from 1000 on no status line can hold it."""
    if not text.isascii() or not text.isdigit() or not 200 <= int(text) <= 999:
        raise UnusableResponse(f"its status code is {text}, not one from 200 to 999; the Functions host would send it as it is")
    return int(text)


def header(name: str, value: str) -> tuple[bytes, bytes]:
    """A header as it is sent. Raises UnusableResponse if it cannot be."""
    if not _NAME.fullmatch(name):
        raise UnusableResponse(f"its header name {name!r} is not a token such as X-Name")
    if (bad := _BAD_VALUE.search(value)) is not None:
        raise UnusableResponse(f"the value of its header {name} holds {bad[0]!r}; only printable ASCII can be sent")
    return name.lower().encode(), value.encode()


def set_cookie(cookie: Mapping[str, Any]) -> str:
    """A `Set-Cookie` value in the form in which the Functions host writes it: its order, names in lower case, empty domain and path."""
    parts = [f"{cookie['name']}={quote(str(cookie['value']), safe='-_.~')}"]
    parts += [f"{name}={cookie[name]}" for name in _COOKIE_ATTRIBUTES if cookie.get(name)]
    parts += [f"domain={cookie.get('domain', '')}", f"path={cookie.get('path', '')}"]
    if cookie.get("secure"):
        parts.append("secure")
    if cookie.get("samesite"):
        parts.append(f"samesite={cookie['samesite'].lower()}")
    if cookie.get("httponly"):
        parts.append("httponly")
    return "; ".join(parts)


def _from_text(text: str) -> Reply:
    """A text that is JSON is read: an object with a `body` is a response, others are written anew, a string loses its quotes."""
    stripped = text.strip()
    if not stripped:
        return Reply(200, [TEXT])
    if stripped[:1] + stripped[-1:] not in _ENCLOSED and not _LITERAL.fullmatch(stripped):
        return Reply(200, [TEXT], text.encode())  # not worth an attempt, which takes its time with a long text
    try:
        value = newtonsoft.parse(stripped)
    except newtonsoft.NotJson:
        return Reply(200, [TEXT], text.encode())
    if isinstance(value, Mapping) and any(name.lower() == "body" for name in value):
        return _from_object(value)
    return Reply(200, [TEXT], newtonsoft.plain_text(value).encode())


def _from_object(response: Mapping[str, newtonsoft.Value]) -> Reply:
    """A response written as an object: `body`, `statusCode` or `status`, `headers`, in any case."""
    given = _member(response, "headers")
    pairs = given.items() if isinstance(given, Mapping) else ()
    headers = [header(name, newtonsoft.plain_text(value)) for name, value in pairs if name.lower() not in _FRAMING]
    if not any(name == b"content-type" for name, _ in headers):
        headers.insert(0, TEXT)
    body = _member(response, "body")
    content = newtonsoft.compact(body) if isinstance(body, Mapping | list) else newtonsoft.converted(body)
    remark = _NEGOTIATION if _member(response, "enableContentNegotiation") is True else ""
    return Reply(_object_status(response), headers, content.encode(), remark=remark)


def _object_status(response: Mapping[str, newtonsoft.Value]) -> int:
    given = _member(response, "statusCode")
    if given is None:
        given = _member(response, "status")
    if isinstance(given, bool) or not isinstance(given, int | str) or not _WHOLE.fullmatch(str(given)):
        return 200
    return _status(str(int(given)))


def _member(value: Mapping[str, newtonsoft.Value], name: str) -> newtonsoft.Value:
    """A member by name, exact spelling first, then in any case; None if there is none."""
    if name in value:
        return value[name]
    return next((member for key, member in value.items() if key.lower() == name.lower()), None)
