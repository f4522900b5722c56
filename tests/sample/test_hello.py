"""A plain HTTP function."""

from __future__ import annotations

import pytest

from linarite import EmbeddedHost


@pytest.mark.parametrize(("address", "greeting"), [("", "world"), ("/Ada", "Ada"), ("?name=Grace", "Grace"), ("/Ada?name=Grace", "Ada")])
def test_whoever_is_named_is_greeted(linarite_app: EmbeddedHost, address: str, greeting: str) -> None:
    assert linarite_app.http.get(f"/api/hello{address}").text == f"Hello, {greeting}!"
