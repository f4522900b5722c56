"""Client types of the extension packages: recognised by what the app has imported, made by the extension's converter."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from linarite_worker.clients import client_converter
from linarite_worker.loader import LoadedFunction, load


class Client:
    """A client type, as the extension's base knows one."""

    def __init__(self, data: Any) -> None:
        self.content = data.content


class _Converter:
    @classmethod
    def check_input_type_annotation(cls, pytype: type) -> bool:
        return issubclass(pytype, Client)

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: Any, pytype: type) -> Any:
        return None if data.type is None else pytype(data.value)


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension's base, as far as it is asked, imported."""

    class Registry:
        check_supported_type = staticmethod(lambda annotation: issubclass(annotation, Client))
        get = staticmethod({"blob": _Converter, "blobTrigger": _Converter}.get)

    base: Any = ModuleType("azurefunctions.extensions.base")
    base.get_binding_registry = lambda: Registry
    monkeypatch.setitem(sys.modules, "azurefunctions.extensions.base", base)


def loaded() -> LoadedFunction:
    app = func.FunctionApp()

    @app.blob_trigger(arg_name="b", path="c/{name}", connection="AzureWebJobsStorage")
    @app.blob_input(arg_name="text", path="c/other", connection="AzureWebJobsStorage")
    def f(b: Client, text: str) -> None: ...

    [function] = load(app, "/app", "client_app.py").functions
    return function


@pytest.mark.usefixtures("extension")
def test_the_host_is_asked_for_a_reference() -> None:
    function = loaded()
    marked = {binding["name"]: binding.get("properties") for binding in function.facts["bindings"]}
    assert marked == {"b": {"SupportsDeferredBinding": True}, "text": None}
    client = function.signature.inputs["b"].decode(Datum(SimpleNamespace(content=b"{}"), "model_binding_data"), trigger_metadata={})
    assert isinstance(client, Client)
    assert client.content == b"{}"


@pytest.mark.usefixtures("extension")
def test_other_types_and_other_bindings_have_no_client() -> None:
    assert client_converter("blob", str) is None
    assert client_converter("blob", list[Client]) is None
    assert client_converter("queueTrigger", Client) is None


def test_nothing_is_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "azurefunctions.extensions.base", raising=False)
    assert client_converter("blob", Client) is None
    assert "azurefunctions.extensions.base" not in sys.modules
