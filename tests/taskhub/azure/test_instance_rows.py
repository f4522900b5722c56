from __future__ import annotations

import pytest

from linarite.durable.events import Status
from linarite.durable.instances import InstanceUpdate
from linarite.storage.tables import Row
from linarite.taskhub.azure.instance_rows import columns, condition, instance, of_instance, selection
from linarite.taskhub.protocol import InstanceQuery


def test_an_update_writes_only_what_it_knows() -> None:
    assert columns(InstanceUpdate(status=Status.TERMINATED, output="why")) == {"RuntimeStatus": "Terminated", "Output": "why"}
    assert columns(InstanceUpdate(execution_id="one"), "Hub") == {"ExecutionId": "one", "TaskHubName": "Hub"}


def test_a_custom_status_that_is_taken_back_is_the_word_null() -> None:
    assert columns(InstanceUpdate(custom_status=None))["CustomStatus"] == "null"


def test_a_row_without_columns_is_still_an_instance() -> None:
    found = instance(Row("a^0b", "", {"CustomStatus": "null", "RuntimeStatus": "Sleeping"}))
    assert (found.instance_id, found.status, found.custom_status, found.tags) == ("a/b", Status.RUNNING, None, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (InstanceQuery(), ""),
        (InstanceQuery(created_from="2018-01-10T10:10:10Z"), "CreatedTime ge datetime'2018-01-10T10:10:10.0000000Z'"),
        (InstanceQuery(id_prefix="aaab"), "(PartitionKey ge 'aaab') and (PartitionKey lt 'aaac')"),
        (InstanceQuery(exclude_entities=True), "PartitionKey lt '@' or PartitionKey ge 'A'"),
        (
            InstanceQuery(
                created_from="2018-01-10T10:10:10Z",
                created_to="2018-01-11T10:10:10.5Z",
                statuses=frozenset({Status.FAILED, Status.COMPLETED}),
                exclude_entities=True,
            ),
            "(CreatedTime ge datetime'2018-01-10T10:10:10.0000000Z') and (CreatedTime le datetime'2018-01-11T10:10:10.5000000Z') and "
            "(RuntimeStatus eq 'Completed' or RuntimeStatus eq 'Failed') and (PartitionKey lt '@' or PartitionKey ge 'A')",
        ),
    ],
)
def test_a_query_becomes_a_condition(query: InstanceQuery, expected: str) -> None:
    assert condition(query) == expected


@pytest.mark.parametrize(
    ("instance_id", "expected"),
    [("inst'ance", "PartitionKey eq 'inst''ance'"), ("in#st'ance", "PartitionKey eq 'in^2st''ance'"), ("", "PartitionKey eq ''")],
)
def test_ids_are_escaped_and_quoted(instance_id: str, expected: str) -> None:
    assert of_instance(instance_id) == expected


def test_nothing_is_selected_when_all_is_wanted() -> None:
    assert selection(with_input=True, with_output=True) == ()
    assert "Input" not in selection(with_input=False, with_output=True)
    assert "Output" not in selection(with_input=True, with_output=False)
