"""What is told of an exception."""

from __future__ import annotations

import pytest

from linarite_worker.failures import LoadError, load_failure, stack_text


def caught(depth: int = 0) -> BaseException:
    try:
        if depth:
            raise ValueError("outer") from caught(depth - 1)
        raise KeyError("inner")
    except (KeyError, ValueError) as error:
        return error


def test_a_plain_stack_is_frames_only() -> None:
    text = stack_text(caught())
    assert text.startswith(f'  File "{__file__}", line ')
    assert text.count("File ") == 1


def test_what_led_to_it_comes_first() -> None:
    text = stack_text(caught(2))
    assert text.count("direct cause") == 2
    assert text.index("KeyError: 'inner'") < text.index("ValueError: outer")


def handled(*, hidden: bool) -> BaseException:
    def second() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            if hidden:
                raise ValueError("second") from None
            raise ValueError("second")  # noqa: B904

    with pytest.raises(ValueError) as raised:
        second()
    return raised.value


def test_an_exception_in_a_handler_says_so() -> None:
    assert "During handling of the above exception, another exception occurred:" in stack_text(handled(hidden=False))


def test_a_suppressed_context_is_left_out() -> None:
    assert "first" not in stack_text(handled(hidden=True)).replace('KeyError("first")', "")


def test_only_frames_of_the_apps_folder_count_when_it_is_loaded() -> None:
    error = caught()
    assert load_failure(error, "/elsewhere")["traceback"] == ""
    assert load_failure(error, "/elsewhere").get("source") is None


def test_an_error_of_loading_has_the_name_that_azure_gives_it() -> None:
    failure = load_failure(LoadError("wrong", ("/app/function_app.py", 3)), "/app", "f")
    assert (failure["type_name"], failure["source"], failure["function_name"]) == (
        "FunctionLoadError",
        {"file": "/app/function_app.py", "line": 3},
        "f",
    )
