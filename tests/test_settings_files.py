"""local.settings.json and .env: what they hold, what wins, what is refused; and the environment of the worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linarite.errors import AppError
from linarite.settings import AppSettings, LocalHttpSettings
from linarite.settings_files import BadSettingsFile, Configuration, read_settings, worker_environment

PYTHON = {"FUNCTIONS_WORKER_RUNTIME": "python"}


def read(app_folder: Path, local: Any = None, env: str | None = None, **environment: str) -> Configuration:
    if local is not None:
        text = local if isinstance(local, str) else json.dumps({"IsEncrypted": False, **local})
        (app_folder / "local.settings.json").write_text(text, "utf-8")
    if env is not None:
        (app_folder / ".env").write_text(env, "utf-8")
    return read_settings(app_folder, {**PYTHON, **environment})


def test_values_become_settings_with_the_line_they_stand_on(app_folder: Path) -> None:
    app = read(app_folder, '{"IsEncrypted": false, // plain\n"Values": {\n"A": "x",\n"B:C": "y",},}').app
    assert (app["A"], app["B__C"]) == ("x", "y")
    assert (app.origin("A"), app.origin("B:C")) == ("local.settings.json:3", "local.settings.json:4")


def test_values_that_are_no_texts_are_written_as_upstream_writes_them(app_folder: Path) -> None:
    app = read(app_folder, {"Values": {"T": True, "F": False, "I": 5, "R": 1.5, "K": 1e3, "E": ""}}).app
    assert [app[name] for name in "TFIRKE"] == ["True", "False", "5", "1.5", "1000", ""]


def test_the_environment_wins_over_local_settings_and_those_over_the_env_file(app_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    configuration = read(app_folder, {"Values": {"A": "local", "B": "local"}}, "A=file\nB=file\nC=file\n", A="environment")
    app = configuration.app
    assert [(app[name], app.origin(name)) for name in "ABC"] == [
        ("environment", "environment"),
        ("local", "local.settings.json:1"),
        ("file", ".env:3"),
    ]
    assert configuration.shadowed == {"A": ("local.settings.json:1", ".env:1"), "B": (".env:2",)}
    assert caplog.messages == [
        "Skipping 'A' from local settings as it's already defined in current environment variables.",
        "Skipping 'A' from .env as it's already defined in current environment variables.",
    ]


def test_an_empty_variable_counts_as_not_set(app_folder: Path) -> None:
    app = read(app_folder, {"Values": {"A": "local"}}, A="").app
    assert (app["A"], app.origin("A")) == ("local", "local.settings.json:1")


def test_nulls_and_blank_names_are_skipped_with_upstream_s_words(app_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = read(app_folder, {"Values": {"": "x", "N": None}}).app
    assert "N" not in app
    assert caplog.messages == ["Skipping local setting with empty key.", "Skipping 'N' because value is null"]


def test_connection_strings_are_settings_below_their_own_name(app_folder: Path) -> None:
    local = {"ConnectionStrings": {"One": "a", "Two": {"ConnectionString": "b", "ProviderName": "p"}}}
    app = read(app_folder, local).app
    assert (app["ConnectionStrings:One"], app.connection("Two")) == ("a", "b")


def test_the_local_server_has_its_section(app_folder: Path) -> None:
    local = {"Host": {"LocalHttpPort": 7072, "localHttpAddress": "0.0.0.0", "CORS": "http://a, http://b", "CORSCredentials": True}}
    expected = LocalHttpSettings(port=7072, address="0.0.0.0", cors=("http://a", "http://b"), cors_credentials=True)
    assert read(app_folder, local).local == expected


def test_without_the_files_there_is_only_the_environment(app_folder: Path) -> None:
    configuration = read(app_folder, X="1")
    assert dict(configuration.app) == {**PYTHON, "X": "1"}
    assert configuration.local == LocalHttpSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"IsEncrypted": true,\n"Values": {"A": "x"}}', "local.settings.json:1: the settings are encrypted"),
        ('{"Values": {"A": "x"}}', 'local.settings.json:1: "IsEncrypted" is missing, which means true.'),
        ('{"IsEncrypted": false,\n"Values": "x"}', "local.settings.json:2: Values is no object"),
        ('{"IsEncrypted": false, "Values": {\n"A": {"b": 1}}}', "local.settings.json:2: Values.A is not a text."),
        ('{"IsEncrypted": false, "ConnectionStrings": {"A": 5}}', "local.settings.json:1: ConnectionStrings.A is no connection string"),
        (
            '{"Host": {\n"LocalHttpPort": "x"}}',
            "local.settings.json:2: Host.LocalHttpPort is 'x'; expected a whole number from 0 to 65535.",
        ),
        ('{\n"Values": {,}}', "local.settings.json, line 2, column 12: expected a name"),
        ("[]", "local.settings.json:1: expected an object in braces."),
    ],
)
def test_a_mistake_in_local_settings_is_named_with_its_line(app_folder: Path, text: str, message: str) -> None:
    with pytest.raises(AppError) as caught:
        read(app_folder, text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        '{"Values": {"A": "hush" "B": 1}}',
        '{"IsEncrypted": false, "Values": {"A": "hush}}',
        '{"IsEncrypted": false, "Values": "hush"}',
        '{"IsEncrypted": false, "Values": {"A": ["hush"]}}',
        '{"IsEncrypted": false, "ConnectionStrings": {"A": ["hush"]}}',
        '{"Values": {"A": "hush"}}',
        '"hush"',
    ],
)
def test_no_complaint_about_local_settings_quotes_a_value(app_folder: Path, text: str) -> None:
    with pytest.raises(AppError) as caught:
        read(app_folder, text)
    assert "hush" not in str(caught.value)


def test_encryption_does_not_matter_where_there_is_nothing_to_encrypt(app_folder: Path) -> None:
    assert read(app_folder, '{"Values": {}, "Host": {"LocalHttpPort": 1}}').local.port == 1


def test_the_env_file_s_grammar(app_folder: Path) -> None:
    lines = [
        "# a comment",
        "",
        "PLAIN = two words # and a comment",
        "export EXPORTED=1",
        'DOUBLE="a # b\\n\\"c\\\\" # x',
        "SINGLE='raw \\n # \"'",
        "EMPTY=",
        "HASH=a#b",
        "URL=http://x/?a=b",
    ]
    app = read(app_folder, env="\ufeff" + "\r\n".join(lines)).app
    found = {name: app[name] for name in ("PLAIN", "EXPORTED", "DOUBLE", "SINGLE", "EMPTY", "HASH", "URL")}
    assert found == {
        "PLAIN": "two words",
        "EXPORTED": "1",
        "DOUBLE": 'a # b\n"c\\',
        "SINGLE": 'raw \\n # "',
        "EMPTY": "",
        "HASH": "a#b",
        "URL": "http://x/?a=b",
    }


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("A=1\nnonsense\n", ".env:2: expected NAME=value, found 'nonsense'."),
        ("=1", ".env:1: expected NAME=value, found ''."),
        ('A="x', ".env:1: this value has no closing quote"),
        ("A='x' y", ".env:1: this value has no closing quote, or text after it."),
    ],
)
def test_a_mistake_in_the_env_file_is_named_without_its_value(app_folder: Path, env: str, message: str) -> None:
    with pytest.raises(BadSettingsFile) as caught:
        read(app_folder, env=env)
    assert str(caught.value).startswith(message)


def test_a_folder_named_env_is_no_env_file(app_folder: Path) -> None:
    (app_folder / ".env").mkdir()
    assert dict(read(app_folder).app) == PYTHON


def test_a_missing_runtime_is_supplied_with_a_warning(app_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = read_settings(app_folder, {}).app
    assert (app["FUNCTIONS_WORKER_RUNTIME"], app.origin("FUNCTIONS_WORKER_RUNTIME")) == ("python", "default")
    assert "The deployed app needs it" in caplog.text


def test_another_runtime_is_refused(app_folder: Path) -> None:
    with pytest.raises(BadSettingsFile, match=r"^WorkerConfig for runtime: node not found\."):
        read_settings(app_folder, {"FUNCTIONS_WORKER_RUNTIME": "node"})


def test_local_settings_override_host_json_like_the_environment(app_folder: Path) -> None:
    configuration = read(app_folder, {"Values": {"AzureFunctionsJobHost__extensions__http__routePrefix": "v2"}})
    assert configuration.host.http.route_prefix == "v2"
    origins = {row.name: row.origin for row in configuration.rows}
    assert origins["extensions.http.routePrefix"] == "local.settings.json:1 (AzureFunctionsJobHost__extensions__http__routePrefix)"


def test_the_worker_s_environment_is_that_of_core_tools(app_folder: Path) -> None:
    environment = worker_environment(read(app_folder, {"Values": {"A": "1"}}).app, app_folder, "localhost:7071", "Debug")
    assert environment == {
        **PYTHON,
        "A": "1",
        "WEBSITE_HOSTNAME": "localhost:7071",
        "AzureWebJobsScriptRoot": str(app_folder),
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "FUNCTIONS_CORETOOLS_ENVIRONMENT": "true",
        "PYTHON_ENABLE_DEBUG_LOGGING": "1",
        "AzureFunctionsJobHost__logging__logLevel__Function": "Debug",
    }


def test_what_is_set_already_stays_in_the_worker_s_environment(tmp_path: Path) -> None:
    given = {"WEBSITE_HOSTNAME": "other", "PYTHON_ENABLE_DEBUG_LOGGING": "0", "AZURE_FUNCTIONS_ENVIRONMENT": "Staging"}
    assert worker_environment(AppSettings(given), tmp_path, "localhost:1").items() >= given.items()


def test_local_settings_cannot_choose_the_kind_of_environment(app_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = read(app_folder, {"Values": {"AZURE_FUNCTIONS_ENVIRONMENT": "Production"}}).app
    assert worker_environment(app, app_folder, "localhost:1")["AZURE_FUNCTIONS_ENVIRONMENT"] == "Development"
    assert caplog.messages == ["AZURE_FUNCTIONS_ENVIRONMENT already exists with value 'Production', overriding to 'Development'."]
