"""Fan-out and fan-in."""

from __future__ import annotations

from linarite import EmbeddedHost


def test_the_sales_of_all_regions_are_added_up(linarite_app: EmbeddedHost) -> None:
    linarite_app.replace("SalesOfRegion", {"north": 3, "south": 4}.__getitem__)
    answer = linarite_app.http.post("/api/sales", json=["north", "south", "north"])
    assert (answer.status_code, answer.json()) == (200, {"regions": 3, "total": 10})
