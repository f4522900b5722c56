"""Values in frames and the SDK's datums, one to the other."""

from __future__ import annotations

from typing import Any

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from linarite_worker.datums import BodyReader, from_wire, to_wire


class Many:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def sent(datum: Datum | None) -> tuple[list[Any], bytes]:
    body: list[bytes] = []
    return to_wire(datum, body), b"".join(body)


@pytest.mark.parametrize(
    ("datum", "wire", "body"),
    [
        (None, ["none", None], b""),
        (Datum(None, None), ["none", None], b""),
        (Datum("a", "string"), ["string", "a"], b""),
        (Datum("é" * 600, "string"), ["string", None, 1200], "é".encode() * 600),
        (Datum("{}", "json"), ["json", "{}"], b""),
        (Datum({"a": 1}, "dict"), ["json", '{"a": 1}'], b""),
        (Datum([1], "list"), ["json", "[1]"], b""),
        (Datum(b"\x00", "bytes"), ["bytes", None, 1], b"\x00"),
        (Datum(bytearray(b"ab"), "bytes"), ["bytes", None, 2], b"ab"),
        (Datum(3, "int"), ["int", 3], b""),
        (Datum(True, "bool"), ["int", 1], b""),
        (Datum(1.5, "double"), ["double", 1.5], b""),
        (Datum(Many(bytes=[b"a", b"bc"]), "collection_bytes"), ["collection_bytes", [1, 2]], b"abc"),
        (Datum(Many(string=["a"]), "collection_string"), ["collection_string", ["a"]], b""),
        (Datum(Many(sint64=[1, 2]), "collection_sint64"), ["collection_sint64", [1, 2]], b""),
    ],
)
def test_what_a_converter_made_is_sent(datum: Datum | None, wire: list[Any], body: bytes) -> None:
    assert sent(datum) == (wire, body)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected Datum type: 'image'"):
        sent(Datum(1, "image"))


@pytest.mark.parametrize(
    ("wire", "body", "kind", "value"),
    [
        (["none", None], b"", None, None),
        (["string", "a"], b"", "string", "a"),
        (["json", None, 2], b"{}", "json", "{}"),
        (["bytes", None, 0], b"", "bytes", b""),
        (["int", 3], b"", "int", 3),
        (["double", 0.5], b"", "double", 0.5),
    ],
)
def test_what_arrives_is_a_datum(wire: list[Any], body: bytes, kind: str | None, value: Any) -> None:
    datum = from_wire(wire, BodyReader(body))
    assert (datum.type, datum.value) == (kind, value)


def test_collections_have_the_attribute_that_converters_look_at() -> None:
    assert from_wire(["collection_bytes", [1, 2]], BodyReader(b"abc")).python_value == [b"a", b"bc"]
    assert from_wire(["collection_string", ["a"]], BodyReader(b"")).python_value == ["a"]
    assert from_wire(["collection_sint64", [7]], BodyReader(b"")).python_value == [7]


def test_references_for_client_bindings_have_their_parts() -> None:
    datum = from_wire(["model_binding_data", ["AzureStorageBlobs", "1.0", "application/json"], 2], BodyReader(b"{}"))
    value = datum.value
    assert (value.source, value.version, value.content_type, value.content) == ("AzureStorageBlobs", "1.0", "application/json", b"{}")


def test_the_parts_of_a_body_are_taken_in_order() -> None:
    body = BodyReader(b"onetwo")
    assert [from_wire(["bytes", None, 3], body).value for _ in range(2)] == [b"one", b"two"]


def test_every_set_cookie_of_a_response_is_taken_apart() -> None:
    response = func.HttpResponse("x")
    response.headers.add("Set-Cookie", "a=1; b=2")
    response.headers.add("Set-Cookie", "")
    registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]
    wire, body = sent(registry.get("http").encode(response, expected_type=None))
    assert wire[1][2] == [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    assert body == b"x"
