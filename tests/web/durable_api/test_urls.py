from __future__ import annotations

import json

import msgspec

from linarite.web.durable_api.urls import Webhook, check_status_urls, client_binding
from tests.web.durable_api.conftest import WEBHOOK


def test_check_status_urls_are_the_bindings_without_rewind() -> None:
    urls = check_status_urls(WEBHOOK, "x")
    assert list(urls) == [
        "id",
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    ]
    assert urls["terminatePostUri"].endswith("/instances/x/terminate?reason={text}&taskHub=Shop&connection=Storage&code=k")


def test_ids_are_escaped_so_that_the_url_leads_back_to_them() -> None:
    url = check_status_urls(WEBHOOK, "a b+c@ü/~'")["statusQueryGetUri"]
    assert "/instances/a%20b%2Bc%40%C3%BC%2F%7E%27?" in url


def test_another_connection_is_named() -> None:
    webhook = msgspec.structs.replace(WEBHOOK, connection="MyStorage")
    assert "connection=MyStorage&" in check_status_urls(webhook, "x")["statusQueryGetUri"]


def test_without_a_key_management_urls_end_in_the_connection_and_creation_urls_in_their_separator() -> None:
    value = json.loads(client_binding(Webhook(base_url="http://h/d", hub="H"), None))
    assert value["managementUrls"]["statusQueryGetUri"] == "http://h/d/instances/INSTANCEID?taskHub=H&connection=Storage"
    assert value["creationUrls"]["createNewInstancePostUri"].endswith("{instanceId}]?")
    assert value["creationUrls"]["createAndWaitOnNewInstancePostUri"].endswith("{intervalInSeconds}&")
    assert value["requiredQueryStringParameters"] == ""
    assert value["rpcBaseUrl"] is None
