"""Trigger metadata of queues and blobs, compared with recorded invocations."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.trigger_metadata import blob_metadata, overlaid, payload_members, queue_metadata, unqueued_metadata
from linarite.invocation import Datum, json_text, string
from linarite.storage.blob_properties import BlobProperties
from linarite.storage.queues import QueueMessage, Receipt


def at(hour: int, minute: int, second: int, *, day: int = 23, microsecond: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, microsecond, tzinfo=timezone.utc)


def message(text: str = "") -> QueueMessage:
    receipt = Receipt("c5c15cb8-0fad-4812-a929-fec163e18623", "MjNOb3Y", at(6, 7, 51))
    return QueueMessage(text, receipt, at(5, 57, 51), at(5, 57, 51, day=30), 1)


def test_a_message_as_recorded() -> None:
    assert queue_metadata(message(), b'{"a":1}') == {
        "NextVisibleTime": json_text('"2026-11-23T06:07:51+00:00"'),
        "Id": string("c5c15cb8-0fad-4812-a929-fec163e18623"),
        "PopReceipt": string("MjNOb3Y"),
        "InsertionTime": json_text('"2026-11-23T05:57:51+00:00"'),
        "a": string("1"),
        "ExpirationTime": json_text('"2026-11-30T05:57:51+00:00"'),
        "DequeueCount": json_text("1"),
        "QueueTrigger": string('{"a":1}'),
    }


def test_a_message_fired_by_hand_as_recorded() -> None:
    assert unqueued_metadata(b"manual text", at(5, 57, 51, microsecond=858901)) == {
        "InsertionTime": json_text('"2026-11-23T05:57:51.858901+00:00"'),
        "NextVisibleTime": json_text('"9999-12-31T23:59:59.9999999+00:00"'),
        "ExpirationTime": json_text('"9999-12-31T23:59:59.9999999+00:00"'),
        "QueueTrigger": string("manual text"),
        "DequeueCount": json_text("0"),
    }


def test_content_that_is_no_text_is_not_in_the_metadata() -> None:
    assert "QueueTrigger" not in queue_metadata(message(), b"\xff\xfe\x00")


def test_a_payloads_id_takes_the_place_of_the_messages() -> None:
    metadata = queue_metadata(message(), b'{"id": "mine", "dequeuecount": 9}')
    assert (metadata["Id"], metadata["DequeueCount"]) == (string("mine"), string("9"))
    assert "id" not in metadata


def test_members_of_a_payload() -> None:
    text = '{"n": 1.0, "yes": true, "when": "2020-01-02T03:04:05+02:00", "o": {"x": [1]}, "list": [1], "nothing": null, "s": "t"}'
    assert payload_members(text) == {
        "n": string("1"),
        "yes": string("True"),
        "when": string("01/02/2020 01:04:05"),
        "o": json_text('{"x":[1]}'),
        "s": string("t"),
    }


def test_only_objects_have_members() -> None:
    assert [payload_members(text) for text in ("[1]", "5", '"x"', "{broken}", "", '{"a": ')] == [{}] * 6


def test_a_blob_and_what_its_path_captures() -> None:
    properties = BlobProperties(
        etag="0x1",
        size_bytes=11,
        modified_at=at(5, 57, 47),
        created_at=at(5, 57, 47),
        content_type="text/plain",
        content_md5=b"\x33\x6d",
        metadata={"k": "v"},
        lease_status="unlocked",
        lease_state="available",
        access_tier="Hot",
        access_tier_inferred=True,
    )
    metadata = blob_metadata(BlobPath("bin", "pre.txt"), "http://host/bin/pre.txt", properties, {"name": "pre", "uri": "captured"})
    assert metadata["BlobTrigger"] == string("bin/pre.txt")
    assert metadata["Uri"] == string("captured")
    assert metadata["Metadata"] == json_text('{"k":"v"}')
    assert metadata["name"] == string("pre")
    facts = json.loads(metadata["Properties"].value)
    assert (facts["ContentLength"], facts["Length"], facts["ContentHash"], facts["ETag"]) == (11, 11, "M20=", '"0x1"')
    assert (facts["BlobType"], facts["LeaseStatus"], facts["LeaseState"], facts["CreatedOn"]) == (0, 1, 0, "2026-11-23T05:57:47+00:00")


def test_a_url_is_json() -> None:
    properties = BlobProperties(etag="0x1", size_bytes=0, modified_at=at(1, 2, 3))
    assert blob_metadata(BlobPath("c", "n"), "http://host/c/n", properties, {})["Uri"] == json_text('"http://host/c/n"')


def test_what_lies_on_top_counts() -> None:
    assert overlaid({"A": string("1"), "b": string("2")}, {"a": string("3"), "C": Datum("none")}) == {
        "A": string("3"),
        "b": string("2"),
        "C": Datum("none"),
    }
