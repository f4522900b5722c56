"""A function's parameters against its bindings: what the Functions worker checks when it loads an app, in its words.

Source: azure-functions-python-worker, functions.Registry; functions-host section 2.1.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Union

import azure.functions as func

from linarite_worker.clients import ClientConverter, client_converter
from linarite_worker.converters import Converter, GenericConverter, converter_of, has_implicit_output, takes_metadata
from linarite_worker.failures import LoadError
from linarite_worker.web_extension import WebExtension

_TYPING_ALIAS = type(list[int]) if typing.TYPE_CHECKING else type(typing.List[int])  # noqa: UP006
RETURN = "$return"
STREAMED: Converter = object()
"""Stands for the converter of an HTTP request that a web extension hands to the function as it comes."""


@dataclass(frozen=True)
class Declared:
    """A binding as the app declares it; `direction` in lower case, `data_type` "" if none is given."""

    name: str
    type: str
    direction: str
    data_type: str = ""


@dataclass(frozen=True)
class Signature:
    """How a function is called: a converter for each input and `Out`, and one for what it returns."""

    inputs: dict[str, Converter] = field(default_factory=dict)
    outputs: dict[str, tuple[Converter, Any]] = field(default_factory=dict)
    wants_context: bool = False
    takes_metadata: bool = False
    returns: Converter | None = None
    return_type: Any = None

    @property
    def streamed(self) -> str:
        """Name of the HTTP request that is read piece by piece, "" if there is none."""
        return next((name for name, converter in self.inputs.items() if converter is STREAMED), "")

    @property
    def clients(self) -> set[str]:
        """Names of the inputs that are handed a client instead of content."""
        return {name for name, converter in self.inputs.items() if isinstance(converter, ClientConverter)}


@dataclass(frozen=True)
class Wording:
    """The two models name the place of a declaration differently."""

    undeclared: str
    unused: str
    declared_in: str
    name: str


DECORATED = Wording(
    "the following parameters are declared in Python but not in the function definition (function.json or function decorators): ",
    "Extra parameters in binding definition — the following parameters are declared as bindings but are not present in Python:",
    "the binding decorator",
    "arg_name",
)
FUNCTION_JSON = Wording(
    "the following parameters are declared in Python but not in function.json:",
    "the following parameters are declared in function.json but not in Python:",
    "function.json",
    "name",
)


def check(
    name: str, function: Callable[..., Any], bindings: Sequence[Declared], wording: Wording, web: WebExtension | None = None
) -> Signature:
    """The signature of a function, or LoadError with the sentence of the first rule it breaks. `web`: what HTTP functions are called by."""
    return _Check(name, function, bindings, wording, web).run()


class _Check:
    def __init__(
        self, name: str, function: Callable[..., Any], bindings: Sequence[Declared], wording: Wording, web: WebExtension | None
    ) -> None:
        self._name = name
        self._web = web
        self._bindings = bindings
        self._wording = wording
        self._bound = {binding.name: binding for binding in bindings if binding.name != RETURN}
        self._parameters = inspect.signature(function).parameters
        self._annotations = typing.get_type_hints(function if hasattr(function, "__annotations__") else type(function).__call__)

    def run(self) -> Signature:
        explicit = self._explicit_return()
        wants_context = self._wants_context()
        self._names_agree({"context"} if wants_context else set())
        inputs: dict[str, Converter] = {}
        outputs: dict[str, tuple[Converter, Any]] = {}
        for name, binding in self._bound.items():
            pytype, converter = self._parameter(name, binding)
            if binding.direction == "out":
                outputs[name] = (converter, pytype)
            else:
                inputs[name] = converter
        returns = explicit or self._implicit_return()
        return Signature(
            inputs,
            outputs,
            wants_context,
            any(takes_metadata(converter) for converter in inputs.values() if converter is not STREAMED),
            converter_of(returns.type) if returns else None,
            self._return_type(explicit) if explicit else None,
        )

    def _fail(self, what: str, hint: str = "") -> LoadError:
        return LoadError(f"cannot load the {self._name} function: {what}", hint=hint)

    def _explicit_return(self) -> Declared | None:
        found = None
        for binding in self._bindings:
            if binding.name == RETURN:
                if binding.direction != "out":
                    raise self._fail('"$return" binding must have direction set to "out"')
                found = binding
            elif binding.direction == "inout":
                raise self._fail('"inout" bindings are not supported')
        return found

    def _implicit_return(self) -> Declared | None:
        return next((binding for binding in reversed(self._bindings) if has_implicit_output(binding.type)), None)

    def _wants_context(self) -> bool:
        if "context" not in self._parameters or "context" in self._bound:
            return False
        annotation = self._annotations.get("context")
        if "context" in self._annotations and not (isinstance(annotation, type) and annotation.__name__ == "Context"):
            raise self._fail(f'the "context" parameter is expected to be of type azure.functions.Context, got {annotation!r}')
        return True

    def _names_agree(self, given_by_us: set[str]) -> None:
        hint = (
            f"Its bindings are {', '.join(self._bound)}, its parameters {', '.join(self._parameters) or 'none'}: "
            f"each {self._wording.name} has to be the name of a parameter, and each parameter that of a binding."
        )
        undeclared = set(self._parameters) - set(self._bound) - given_by_us
        if undeclared:
            raise self._fail(f"{self._wording.undeclared} {undeclared!r}", hint)
        unused = set(self._bound) - set(self._parameters)
        if unused:
            raise self._fail(f"{self._wording.unused} {unused!r}", hint)

    def _parameter(self, name: str, binding: Declared) -> tuple[Any, Converter]:
        """Type and converter of one parameter. Without annotation the binding's own converter decides."""
        if name not in self._annotations:
            return None, self._converter(binding)
        annotation = self._annotations[name]
        if binding.direction == "in" and (client := client_converter(binding.type, annotation)):
            return annotation, client
        is_out = _is_out(annotation)
        pytype = self._inside_out(name, annotation) if is_out else annotation
        if not isinstance(pytype, type) and not _is_generic(pytype):
            raise self._fail(f"binding {name} has invalid non-type annotation {annotation!r}")
        if binding.direction == "out" and not is_out:
            raise self._fail(
                f'binding {name} is declared to have the "out" direction, '
                "but its annotation in Python is not a subclass of azure.functions.Out"
            )
        if binding.direction != "out" and is_out:
            raise self._fail(
                f'binding {name} is declared to have the "in" direction in {self._wording.declared_in}, '
                "but its annotation is azure.functions.Out in Python"
            )
        converter: Converter = self._converter(binding)
        if converter is not STREAMED and pytype in (str, bytes) and not has_implicit_output(binding.type):
            converter = GenericConverter
        self._converter_takes(converter, binding, pytype, is_out)
        return pytype, converter

    def _inside_out(self, name: str, annotation: Any) -> Any:
        arguments = typing.get_args(annotation)
        if len(arguments) != 1:
            raise self._fail(f"binding {name} has invalid Out annotation {annotation!r}")
        return arguments[0]

    def _converter(self, binding: Declared) -> Converter:
        return STREAMED if self._web is not None and binding.type.lower() == "httptrigger" else converter_of(binding.type)

    def _converter_takes(self, converter: Converter, binding: Declared, pytype: Any, is_out: bool) -> None:
        if self._web is not None and converter is STREAMED:
            takes = self._web.is_request(pytype)
        else:
            takes = converter.check_output_type_annotation(pytype) if is_out else converter.check_input_type_annotation(pytype)
        if takes:
            return
        shown = getattr(pytype, "__name__", repr(pytype))
        if binding.data_type and binding.data_type != "undefined":
            raise self._fail(
                f'binding type "{binding.name}" and dataType "{binding.type}" in {self._wording.declared_in} '
                f"do not match the corresponding function parameter's Python type annotation {shown}"
            )
        raise self._fail(
            f'type of {binding.name} binding in {self._wording.declared_in} "{binding.type}" does not match its Python annotation "{shown}"'
        )

    def _return_type(self, binding: Declared) -> Any:
        if "return" not in self._annotations:
            return None
        annotation = self._annotations["return"]
        if _is_out(annotation):
            raise self._fail("return annotation should not be azure.functions.Out")
        if not isinstance(annotation, type):
            raise self._fail(f"has invalid non-type return annotation {annotation!r}")
        if self._web is not None and binding.type.lower() == "http":
            takes = self._web.is_response(annotation)
        else:
            takes = converter_of(binding.type).check_output_type_annotation(annotation)
        if not takes:
            what = "return a response" if binding.type.lower() == "http" else "return what the binding takes"
            raise self._fail(
                f'Python return annotation "{annotation.__name__}" does not match binding type "{binding.type}"',
                f"Remove the annotation, or {what} and annotate that.",
            )
        return annotation


def _is_out(annotation: Any) -> bool:
    plain = typing.get_origin(annotation) or annotation
    return isinstance(plain, type) and issubclass(plain, func.Out)


def _is_generic(annotation: Any) -> bool:
    """Whether `typing` calls this a generic; unions, tuples, callables and `list[x]` are none, so the Functions worker refuses them."""
    excluded: tuple[Any, ...] = (Union, tuple, ClassVar, collections.abc.Callable)
    if isinstance(annotation, type):
        return issubclass(annotation, Generic)
    return isinstance(annotation, _TYPING_ALIAS) and typing.get_origin(annotation) not in excluded


def declared(raw: Mapping[str, Any]) -> Declared:
    """A binding from its JSON object, whose names may be in any case."""
    by_name = {key.lower(): value for key, value in raw.items()}
    return Declared(
        name=by_name.get("name", ""),
        type=by_name.get("type", ""),
        direction=str(by_name.get("direction", "in")).lower(),
        data_type=str(by_name.get("datatype") or "").lower(),
    )
