"""The app's settings: lookup, %NAME%, switches, connections."""

from __future__ import annotations

import pytest

from linarite.settings import AppSettings, NoConnection, UnresolvedSetting


def test_names_are_found_in_any_case_and_with_either_separator() -> None:
    settings = AppSettings({"My__Part": "1", "Other:Part": "2"})
    assert (settings["my:PART"], settings["other__part"]) == ("1", "2")
    assert list(settings) == ["My__Part", "Other:Part"]


def test_of_names_that_differ_in_case_the_first_counts() -> None:
    assert AppSettings({"Name": "first", "NAME": "second"})["name"] == "first"


def test_a_section_keeps_the_spelling_of_its_names() -> None:
    settings = AppSettings({"Job__extensions__http__customHeaders__X-A": "1", "job:Other": "2", "Jobs": "3"})
    assert settings.section("JOB") == {"extensions:http:customHeaders:X-A": "1", "Other": "2"}


def test_an_origin_is_that_of_the_setting_found() -> None:
    settings = AppSettings({"A": "1", "B": "2"}, {"A": "local.settings.json:4"})
    assert (settings.origin("a"), settings.origin("b")) == ("local.settings.json:4", "environment")


def test_percent_signs_name_settings_anywhere_in_a_text() -> None:
    settings = AppSettings({"Queue": "orders", "A__B": "x"})
    assert settings.expand("pre-%queue%-%A:B%.") == "pre-orders-x."
    assert settings.expand("0 */5 * * * *") == "0 */5 * * * *"


def test_a_setting_s_own_percent_signs_stay() -> None:
    assert AppSettings({"A": "%B%", "B": "no"}).expand("%A%") == "%B%"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x%NOPE%", "'%NOPE%' does not resolve to a value."),
        ("50% off", "The '%' at position 2 does not have a closing '%'"),
        ("%%", "'%%' does not resolve to a value."),
    ],
)
def test_what_does_not_resolve_is_said_as_upstream_says_it(text: str, message: str) -> None:
    with pytest.raises(UnresolvedSetting) as caught:
        AppSettings({}).expand(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.Tick.Disabled", "true", True),
        ("AzureWebJobs.TICK.Disabled", "1", True),
        ("AzureWebJobs_Tick_Disabled", "True", True),
        ("AzureWebJobs.Tick.Disabled", "false", False),
        ("AzureWebJobs.Tick.Disabled", "yes", False),
        ("AzureWebJobs.Other.Disabled", "true", False),
    ],
)
def test_a_function_is_disabled_by_its_setting(name: str, value: str, disabled: bool) -> None:
    assert AppSettings({name: value}).disables("Tick") is disabled


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("", {"AzureWebJobsStorage": "here"}),
        ("AzureWebJobsStorage", {"AzureWebJobsStorage": "here"}),
        ("Storage", {"AzureWebJobsStorage": "here", "Storage": "not here"}),
        ("Orders", {"Orders": "here", "ConnectionStrings:Orders": "not here"}),
        ("Orders", {"ConnectionStrings:Orders": "here"}),
        ("Orders", {"AzureWebJobsOrders": "", "Orders": "here"}),
    ],
)
def test_a_connection_is_looked_for_in_three_places(name: str, settings: dict[str, str]) -> None:
    assert AppSettings(settings).connection(name) == "here"


@pytest.mark.parametrize(("name", "said"), [("", "AzureWebJobsStorage"), ("Orders", "AzureWebJobsOrders")])
def test_a_missing_connection_is_named_as_upstream_names_it(name: str, said: str) -> None:
    with pytest.raises(NoConnection, match=f"^Storage account connection string '{said}' does not exist. Make sure"):
        AppSettings({}).connection(name)


def test_a_connection_by_identity_is_refused_with_what_to_set_instead() -> None:
    settings = AppSettings({"Orders__queueServiceUri": "https://x.queue.core.windows.net"})
    with pytest.raises(NoConnection, match=r"set by identity \(Orders__queueServiceUri\), which needs Azure.*UseDevelopmentStorage=true"):
        settings.connection("Orders")
