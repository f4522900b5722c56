"""What is said of storage bindings before anything is called."""

from __future__ import annotations

import pytest

from linarite.bindings.trigger_checks import check_trigger, missing_connections
from linarite.errors import AppError
from linarite.settings import AppSettings
from tests.bindings.functions import binding, function

TRIGGER = binding("httpTrigger", "req")


@pytest.mark.parametrize("connection", ["", "AzureWebJobsStorage", "Shop"])
def test_a_connection_that_is_there_or_may_be_supplied_is_not_worth_a_word(connection: str) -> None:
    writes = function("f", TRIGGER, binding("queue", "out", "out", queueName="orders", connection=connection))
    assert missing_connections(writes, AppSettings({"Shop": "UseDevelopmentStorage=true"})) == []


def test_each_binding_without_its_connection_is_named() -> None:
    reads = function("f", TRIGGER, binding("blob", "b", path="c/n", connection="Shop"), binding("table", "t", connection="Other"))
    one, other = missing_connections(reads, AppSettings({}))
    assert one.startswith(
        "Calls of function 'f' will fail, for its blob 'b'. Storage account connection string 'AzureWebJobsShop' does not exist."
    )
    assert "add Shop to the Values of local.settings.json" in one
    assert "add Other to" in other


def test_what_is_no_storage_binding_has_connections_of_its_own() -> None:
    sends = function("f", TRIGGER, binding("serviceBus", "out", "out", connection="Bus"))
    assert missing_connections(sends, AppSettings({})) == []


def test_a_trigger_s_connection_is_an_error_of_the_function() -> None:
    listens = function("f", binding("queueTrigger", "m", queueName="orders", connection="Shop"))
    with pytest.raises(AppError, match="'AzureWebJobsShop' does not exist"):
        check_trigger(listens, AppSettings({}))
    assert missing_connections(listens, AppSettings({})) == []
