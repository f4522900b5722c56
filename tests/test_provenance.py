"""What is set, by whom, without secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linarite.provenance import MASK, masked, setting_rows
from linarite.settings_files import read_settings


def test_rows_name_value_and_place_and_what_a_setting_takes_precedence_over(app_folder: Path) -> None:
    local = {"IsEncrypted": False, "Values": {"Mine": "1", "Both": "local", "FUNCTIONS_WORKER_RUNTIME": "python"}}
    (app_folder / "local.settings.json").write_text(json.dumps(local, indent=1), "utf-8")
    (app_folder / ".env").write_text("Both=file\nOther=x\n", "utf-8")

    rows = setting_rows(
        read_settings(app_folder, {"Both": "outer", "PATH": "/bin", "TZ": "UTC", "TZDIR": "/x", "WEBSITE_TIME_ZONE": "UTC"})
    )

    named = {row.name: row for row in rows}
    assert [row.name for row in rows][:6] == ["Both", "FUNCTIONS_WORKER_RUNTIME", "Mine", "Other", "TZ", "WEBSITE_TIME_ZONE"]
    assert "PATH" not in named
    assert "TZDIR" not in named
    assert named["Both"][1:] == ("outer", "environment, not local.settings.json:5 or .env:1")
    assert named["Mine"][1:] == ("1", "local.settings.json:4")
    assert named["Other"][1:] == ("x", ".env:2")
    assert named["extensions.http.routePrefix"][1:] == ("api", "default")
    assert named["Host.LocalHttpPort"][1:] == ("", "default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_API_KEY", "short"),
        ("DbPassword", "x"),
        ("github_token", "x"),
        ("ConnectionStrings:Db", "whatever"),
        ("Opaque", "sk9aJ2hGf8Kq0ZrT5vBn7MxW"),
        ("AzureWebJobsSecretStorageKeyVaultClientSecret", "x"),
    ],
)
def test_a_secret_is_hidden(name: str, value: str) -> None:
    assert masked(name, value) == MASK


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("AccountName=me;AccountKey=abc==;EndpointSuffix=x", f"AccountName=me;AccountKey={MASK};EndpointSuffix=x"),
        (
            "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey=abc=",
            f"Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey={MASK}",
        ),
        ("https://x.blob.core.windows.net/c?sv=1&sig=a%2Fb&se=2", f"https://x.blob.core.windows.net/c?sv=1&sig={MASK}&se=2"),
        ("postgres://me:pw@host/db", f"postgres://me:{MASK}@host/db"),
        ("Server=x;Password=a b&c;Database=d", f"Server=x;Password={MASK};Database=d"),
        ('Server=x;Pwd = "a;b" ;Database=d', f"Server=x;Pwd={MASK} ;Database=d"),
        ("postgres://me:p@w/x@host/db", f"postgres://me:{MASK}@host/db"),
        ("https://f.azurewebsites.net/api/x?code=abc", f"https://f.azurewebsites.net/api/x?code={MASK}"),
    ],
)
def test_of_a_connection_string_only_the_secret_parts_are_hidden(value: str, shown: str) -> None:
    assert masked("Storage", value) == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
        ("Host.CORSCredentials", "False"),
        ("Greeting", "hello there"),
        ("ApiKey", ""),
        ("Url", "https://example.org/a"),
        ("Cron", "0 */5 * * * *"),
    ],
)
def test_what_is_no_secret_is_shown(name: str, value: str) -> None:
    assert masked(name, value) == value
