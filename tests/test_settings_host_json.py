"""host.json: created, checked, overridden, read."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from linarite.configuration import WrongSetting
from linarite.errors import AppError
from linarite.host_json import BadHostJson, HostJson, read_host_json
from linarite.metadata import RetrySettings
from linarite.retries import BadRetryPolicy
from linarite.settings import AppSettings, HostSettings

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "golden/data/extension/startup.jsonl").read_text("utf-8").splitlines()]
WRONG_OPTIONS = [start for start in RECORDED if start["name"].startswith("opt_") and "message" in start]


def read(folder: Path, content: Any, **overrides: str) -> HostJson:
    text = content if isinstance(content, str) else json.dumps({"version": "2.0", **content})
    (folder / "host.json").write_text(text, "utf-8")
    return read_host_json(folder, AppSettings(overrides))


def test_a_minimal_file_is_all_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, {}).settings == HostSettings()


def test_an_absent_file_is_created(tmp_path: Path) -> None:
    assert read_host_json(tmp_path, AppSettings({})).settings == HostSettings()
    assert json.loads((tmp_path / "host.json").read_text("utf-8")) == {
        "version": "2.0",
        "isDefaultHostConfig": True,
        "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
    }


def test_an_empty_object_is_written_back_with_its_version(tmp_path: Path) -> None:
    read(tmp_path, "{}")
    assert json.loads((tmp_path / "host.json").read_text("utf-8")) == {"version": "2.0"}


def test_everything_that_is_honoured_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """{
        // comments and trailing commas are fine
        "version": "2.0",
        "FUNCTIONS": ["One", "Two"],
        "functionTimeout": "00:10:00",
        "watchDirectories": ["shared"],
        "retry": {"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:03"},
        "logging": {"logLevel": {"default": "warning", "Host.Triggers": "Debug"}},
        "extensions": {
            "Http": {"routePrefix": "/v1/", "maxOutstandingRequests": "20", "customHeaders": {"X-One": 1},
                     "hsts": {"isEnabled": true, "maxAge": "10"}},
            "queues": {"batchSize": 4, "newBatchThreshold": 0, "visibilityTimeout": "00:00:10", "messageEncoding": "NONE"},
            "blobs": {"maxDegreeOfParallelism": 3, "poisonBlobThreshold": 1},
            "durableTask": {"hubName": "Hub", "maxConcurrentActivityFunctions": 7, "entityMessageReorderWindowInMinutes": 5,
                "versionMatchStrategy": "strict", "httpSettings": {"useForwardedHost": true},
                "storageProvider": {"connectionStringName": "Durable", "partitionCount": 16, "controlQueueVisibilityTimeout": "00:02:00"}},
        },}""",
    ).settings

    assert (settings.functions, settings.timeout_s, settings.watch_directories) == (("One", "Two"), 600.0, ("shared",))
    assert settings.retry == RetrySettings(strategy="fixedDelay", max_retries=2, delay_s=3.0)
    assert settings.logging.levels == {"default": "Warning", "Host.Triggers": "Debug"}
    assert (settings.http.route_prefix, settings.http.max_outstanding_requests) == ("v1", 20)
    assert (settings.http.custom_headers, settings.http.hsts.is_enabled) == ({"X-One": "1"}, True)
    assert settings.http.hsts.max_age_s == 10 * 86400  # a bare number is days to .NET
    assert (settings.queues.batch_size, settings.queues.new_batch_threshold, settings.queues.visibility_s) == (4, 0, 10.0)
    assert (settings.queues.encoding, settings.blobs.max_parallel, settings.blobs.poison_threshold) == ("none", 3, 1)
    durable = settings.durable
    assert (durable.hub_name, durable.max_concurrent_activities, durable.entity_reorder_window_s) == ("Hub", 7, 300.0)
    assert (durable.version_match, durable.use_forwarded_host) == ("Strict", True)
    assert (durable.connection_name, durable.partition_count, durable.control_queue_visibility_s) == ("Durable", 16, 120.0)


def test_no_limit_is_minus_one(tmp_path: Path) -> None:
    assert read(tmp_path, {"functionTimeout": "-1"}).settings.timeout_s is None


def test_the_environment_overrides_single_leaves_and_elements(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        {"functions": ["One", "Two"], "extensions": {"queues": {"batchSize": 4, "maxDequeueCount": 3}}},
        AzureFunctionsJobHost__extensions__QUEUES__batchSize="1",
        AzureFunctionsJobHost__functions__1="Foo",
        AzureFunctionsJobHost__functions__10="Last",
        AzureFunctionsJobHost__functions__2="Bar",
        AzureFunctionsJobHost__logging__logLevel__default="Debug",
        AzureFunctionsJobHost__retry__strategy="fixedDelay",
        AzureFunctionsJobHost__retry__maxRetryCount="1",
        AzureFunctionsJobHost__retry__delayInterval="00:00:01",
    ).settings

    assert (settings.queues.batch_size, settings.queues.max_dequeue_count) == (1, 3)
    assert settings.functions == ("One", "Foo", "Bar", "Last")
    assert settings.logging.levels == {"default": "Debug"}
    assert settings.retry == RetrySettings(strategy="fixedDelay", max_retries=1, delay_s=1.0)


def test_nulls_are_as_good_as_absent(tmp_path: Path) -> None:
    content = {"functionTimeout": None, "functions": None, "extensions": {"http": None, "durableTask": {"hubName": None}}}
    assert read(tmp_path, content).settings == HostSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": "2.0"', "host.json, line 1, column 18: expected ',' or '}', found the end of the file"),
        ('["2.0"]', "host.json:1: expected an object in braces."),
        (
            '{"extensions": {}}',
            "The host.json file is missing the required 'version' property. See https://aka.ms/functions-hostjson for steps to migrate the "
            "configuration file.",
        ),
        (
            '{"version": "3.0"}',
            "'3.0' is an invalid value for host.json 'version' property. We recommend you set the 'version' property to '2.0'. This does "
            "not correspond to the function runtime version, only to the schema version of the host.json file. See "
            "https://aka.ms/functions-hostjson for more information on this configuration file.",
        ),
        (
            '{"version": "1"}',
            "'1' is an invalid value for host.json 'version' property. We recommend you set the 'version' property to '2.0'. See "
            "https://aka.ms/functions-hostjson for more information on this configuration file.",
        ),
    ],
)
def test_a_file_that_is_no_host_json_is_refused_in_upstream_s_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadHostJson) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_a_file_that_does_not_parse_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadHostJson) as caught:
        read(tmp_path, "{")
    assert str(caught.value).startswith(f"Unable to parse host configuration file '{tmp_path / 'host.json'}'.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"extensions": {"queues": {"batchSize": "many"}}}, "extensions.queues.batchSize is 'many'; expected a whole number from 1 to 32."),
        ({"extensions": {"queues": {"batchSize": 33}}}, "extensions.queues.batchSize is '33'; expected a whole number from 1 to 32."),
        ({"extensions": {"queues": {"batchSize": 1.5}}}, "extensions.queues.batchSize is '1.5'; expected a whole number from 1 to 32."),
        (
            {"extensions": {"blobs": {"poisonBlobThreshold": 0}}},
            "extensions.blobs.poisonBlobThreshold is '0'; expected a whole number from 1.",
        ),
        ({"extensions": {"http": {"routePrefix": {}, "hsts": {"isEnabled": 1}}}}, "hsts.isEnabled is '1'; expected true or false."),
        ({"extensions": {"http": {"routePrefix": ["a"]}}}, "routePrefix is an object or a list; expected a text."),
        ({"extensions": {"http": {"customHeaders": "x"}}}, "customHeaders is 'x'; expected an object."),
        ({"functions": "One"}, "functions is 'One'; expected a list such as"),
        ({"functionTimeout": "soon"}, "functionTimeout is 'soon'; expected a timespan such as 00:05:00."),
        ({"functionTimeout": "00:00:00"}, "FunctionTimeout must be greater than 00:00:01. Found 00:00:00."),
        ({"logging": {"logLevel": {"default": "Loud"}}}, "logging.logLevel.default is 'Loud'; expected one of Trace, Debug"),
        ({"retry": "often"}, "retry is 'often'; expected an object such as"),
        ({"extensions": {"durableTask": {"defaultVersion": {"a": 1}}}}, "defaultVersion is an object or a list; expected a text."),
    ],
)
def test_a_wrong_value_is_named_with_place_value_and_what_was_expected(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith("host.json:1: ")
    assert message in str(caught.value)


def test_the_place_is_the_line_in_the_file_or_the_variable(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"^host\.json:3: functionTimeout is"):
        read(tmp_path, '{\n"version": "2.0",\n"functionTimeout": "x"\n}')
    with pytest.raises(WrongSetting, match=r"^environment \(AzureFunctionsJobHost__functionTimeout\): functionTimeout is"):
        read(tmp_path, {}, AzureFunctionsJobHost__functionTimeout="x")


def test_an_incomplete_retry_policy_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadRetryPolicy, match=r"^host\.json:2: retry: maxRetryCount is missing"):
        read(tmp_path, '{"version": "2.0",\n"retry": {"strategy": "fixedDelay"}}')


@pytest.mark.parametrize("start", WRONG_OPTIONS, ids=[start["name"] for start in WRONG_OPTIONS])
def test_a_durable_option_that_stops_the_real_extension_stops_us_in_its_words(tmp_path: Path, start: dict[str, Any]) -> None:
    name, _, value = start["options"].split(";")[1].partition("=")
    first, *rest = name.split(":")
    option = {first: value} if not rest else {first: {rest[0]: value}}

    with pytest.raises(AppError) as caught:
        read(tmp_path, {"extensions": {"durableTask": option}})

    assert start["message"].split("See https")[0] in str(caught.value)


@pytest.mark.parametrize("name", ["mssql", "netherite", "azureManaged"])
def test_a_storage_provider_that_is_not_here_stops_the_start_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadHostJson, match=rf"^host\.json:1: Storage provider type \({name}\) was not found\. .*To use it here only, set"):
        read(tmp_path, {"extensions": {"durableTask": {"storageProvider": {"type": name}}}})
    override = {"AzureFunctionsJobHost__extensions__durableTask__storageProvider__type": "azurestorage"}
    read(tmp_path, {"extensions": {"durableTask": {"storageProvider": {"type": name, "partitionCount": 2}}}}, **override)


def test_rows_say_where_each_setting_comes_from(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        '{"version": "2.0",\n"functions": ["A", "B"],\n"extensions": {"http": {\n"routePrefix": ""}}}',
        AzureFunctionsJobHost__extensions__queues__batchSize="1",
    ).rows
    found = {row.name: (row.value, row.origin) for row in rows}

    assert found["functions"] == ("A, B", "host.json:2")
    assert found["extensions.http.routePrefix"] == ("", "host.json:4")
    assert found["extensions.queues.batchSize"] == ("1", "environment (AzureFunctionsJobHost__extensions__queues__batchSize)")
    assert found["extensions.durableTask.storageProvider.partitionCount"] == ("4", "default")
    assert found["functionTimeout"] == ("00:30:00", "default")
    assert found["extensions.durableTask.entityMessageReorderWindowInMinutes"] == ("30", "default")


def test_what_has_no_effect_here_is_said_once_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    extensions = {"queues": {"batchSize": 1, "other": 2}, "durableTask": {"maxConcurrentEntityFunctions": 3}}
    content = {"extensionBundle": {"id": "x"}, "aggregator": {"batchSize": 1}, "extensions": extensions}
    with caplog.at_level(logging.INFO):
        read(tmp_path, content)
    idle = "aggregator.batchSize, extensions.queues.other, extensions.durableTask.maxConcurrentEntityFunctions"
    assert caplog.messages == [f"host.json: without effect here: {idle}"]
