from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linarite.taskhub.azure.names import (
    HubNames,
    app_lease_id,
    escape_blob,
    escape_key,
    fnv1a,
    message_blob,
    prefix_bounds,
    property_blob,
    row_key,
    unescape_key,
    utf16_units,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0x811C9DC5),
        ("a", 0xE40C292C),
        ("hello", 0x4F9F2CAB),
        ("foobar", 0xBF9CF968),
        ("abc123", 0x38B29A05),
        ("Abc123", 0xFEC6DDA5),
        ("instance_id", 0x6D5A3B3A),
        ("Singleton", 0xB1F1B5A2),
        ("@counter@xyz", 0x94566736),
        ("0abb6ebb-d712-453a-97c4-6c7c1f78f49f", 0x28FD1DD7),
        ("sayōnara", 0x97ACC02E),
        ("日本", 0x9F26EE51),
        ("6f1c2d3e4a5b46c788990a1b2c3d4e5f:1", 0xB2D30898),
    ],
)
def test_the_hash_is_fnv1a_of_the_utf8(text: str, value: int) -> None:
    assert fnv1a(text) == value


def test_resources_are_lower_case_and_tables_are_as_configured() -> None:
    names = HubNames("Orders", 4)
    assert names.control_queues == ("orders-control-00", "orders-control-01", "orders-control-02", "orders-control-03")
    assert (names.work_item_queue, names.payload_container) == ("orders-workitems", "orders-largemessages")
    assert (names.history_table, names.instances_table, names.partitions_table) == ("OrdersHistory", "OrdersInstances", "OrdersPartitions")
    assert (names.app_lease_container, names.app_lease_blob) == ("orders-applease", "orders-appleaseinfo")


def test_tracking_tables_of_another_account_have_a_prefix_of_their_own() -> None:
    names = HubNames("Orders", 4, tracking_prefix="DurableTask")
    assert (names.history_table, names.partitions_table) == ("DurableTaskHistory", "OrdersPartitions")


@pytest.mark.parametrize(("instance_id", "partition"), [("a", 0), ("hello", 3), ("abc123", 1), ("日本", 1), ("@counter@xyz", 2)])
def test_an_instance_has_one_control_queue(instance_id: str, partition: int) -> None:
    assert HubNames("Orders", 4).control_queue_of(instance_id) == f"orders-control-{partition:02}"


def test_the_app_lease_is_named_after_the_app() -> None:
    assert app_lease_id("") == "811c9dc5-0000-0000-0000-000000000000"
    assert app_lease_id("testapp") == "65e036cc-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("in#st'ance", "in^2st'ance"),
        ("a/b\\c?d^e", "a^0b^1c^3d^^e"),
        ("\r\x00\x1f", "^Í^À^ß"),
        ("\x7f\x9f", "^\u013f^\u015f"),
        ("%20 |:+\uffff", "%20 |:+\uffff"),
        ("", ""),
    ],
)
def test_keys_hold_no_forbidden_character(raw: str, escaped: str) -> None:
    assert escape_key(raw) == escaped
    assert unescape_key(escaped) == raw


@given(st.text())
def test_any_id_survives_its_key(instance_id: str) -> None:
    assert unescape_key(escape_key(instance_id)) == instance_id


def test_a_prefix_ends_before_the_next_one() -> None:
    assert prefix_bounds("aaab") == ("aaab", "aaac")
    assert prefix_bounds("@") == ("@", "A")
    assert prefix_bounds("a/") == ("a^0", "a^1")


def test_row_keys_sort_as_numbers_do() -> None:
    assert [row_key(0), row_key(26), row_key(2**32)] == ["0000000000000000", "000000000000001A", "0000000100000000"]


def test_blobs_are_named_after_what_they_hold() -> None:
    assert (
        message_blob("a/b", "cac378c1-8d26-46f0-aba6-562859f432b1", "TaskCompleted")
        == "a/b/message-cac378c18d2646f0aba6562859f432b1-TaskCompleted.json.gz"
    )
    assert property_blob("a^0b", row_key(5), "TaskCompleted", "7B59279A", "Result") == (
        "a^0b/history-0000000000000005-TaskCompleted-7B59279A-Result.json.gz"
    )
    assert property_blob("a", "", "Input", "7B59279A", "Input") == "a/history--Input-7B59279A-Input.json.gz"


@pytest.mark.parametrize(
    ("name", "escaped"), [("@#$%!", "%40%23%24%25%21"), ("foo/bar/b@z.tar.gz", "foo/bar/b%40z.tar.gz"), ("日", "%E6%97%A5")]
)
def test_blob_names_are_escaped_by_segment(name: str, escaped: str) -> None:
    assert escape_blob(name) == escaped


def test_lengths_are_counted_in_utf16() -> None:
    assert (utf16_units("abc"), utf16_units("日本"), utf16_units("😀")) == (3, 2, 2)
