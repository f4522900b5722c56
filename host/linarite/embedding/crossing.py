"""From other threads and loops to the host's: how a method of something that lives on its loop is called from elsewhere."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from linarite.embedding.loop import LoopThread

P = ParamSpec("P")
T = TypeVar("T")


class Facade:
    """Stands for `inner`, which lives on the loop of `thread`."""

    def __init__(self, inner: Any, thread: LoopThread) -> None:
        self._inner = inner
        self._thread = thread


class blocking(Generic[P, T]):
    """A method of what a facade stands for, waited for."""

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, facade: Facade, owner: type) -> Callable[P, T]:
        @functools.wraps(self._method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            future = facade._thread.submit(self._method(facade._inner, *args, **kwargs))
            try:
                return future.result()
            finally:
                future.cancel()  # if the wait was broken off

        return call


class awaitable(Generic[P, T]):
    """A method of what a facade stands for, to be awaited on any asyncio loop."""

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, facade: Facade, owner: type) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(self._method)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await asyncio.wrap_future(facade._thread.submit(self._method(facade._inner, *args, **kwargs)))

        return call
