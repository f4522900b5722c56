from __future__ import annotations

import pytest

from linarite.errors import InvalidConnectionString
from linarite.storage.connection import EMULATOR_KEY, account

SECRET = "c2VjcmV0LWtleQ=="


def test_development_storage_is_the_emulator_on_its_usual_ports() -> None:
    emulator = account("UseDevelopmentStorage=true")
    assert (emulator.name, emulator.key, emulator.is_emulator) == ("devstoreaccount1", EMULATOR_KEY, True)
    assert emulator.queue_url == "http://127.0.0.1:10001/devstoreaccount1"
    assert emulator.table_url == "http://127.0.0.1:10002/devstoreaccount1"


def test_a_proxy_moves_the_emulator() -> None:
    emulator = account("usedevelopmentstorage=True;DevelopmentStorageProxyUri=http://azurite/;")
    assert emulator.blob_url == "http://azurite:10000/devstoreaccount1"


def test_a_real_account_has_one_host_per_service() -> None:
    real = account(f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={SECRET};EndpointSuffix=core.windows.net")
    assert real.table_url == "https://shop.table.core.windows.net"
    assert not real.is_emulator


def test_explicit_endpoints_win_and_lose_their_trailing_slash() -> None:
    explicit = account(f"AccountName=shop;AccountKey={SECRET};QueueEndpoint=http://127.0.0.1:7/shop/")
    assert explicit.queue_url == "http://127.0.0.1:7/shop"
    assert explicit.blob_url == "https://shop.blob.core.windows.net"


def test_a_signature_stands_in_for_a_key() -> None:
    signed = account(
        "BlobEndpoint=https://shop.blob.core.windows.net/;QueueEndpoint=https://shop.queue.core.windows.net;"
        "TableEndpoint=https://shop.table.core.windows.net;SharedAccessSignature=?sv=2021&sig=abc"
    )
    assert (signed.name, signed.key, signed.sas) == ("shop", None, "sv=2021&sig=abc")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("what", "part 1 of it has no name=value form"),
        (f"AccountName=shop;{SECRET.rstrip('=')}", "part 2 of it has no name=value form"),
        ("AccountName=shop", "neither AccountKey nor SharedAccessSignature"),
        (f"AccountKey={SECRET}", "neither AccountName nor BlobEndpoint"),
        ("AccountName=shop;AccountKey=not base64", "its AccountKey is not Base64"),
        ("AccountName=shop;AccountKey=", "its AccountKey is empty"),
        (f"AccountName=shop;AccountKey={SECRET};TableEndpoint=localhost:10002", "its TableEndpoint is not an http or https URL"),
    ],
)
def test_a_malformed_string_is_explained_without_its_key(text: str, said: str) -> None:
    with pytest.raises(InvalidConnectionString) as raised:
        account(text, "MyStorage")
    assert said in str(raised.value)
    assert "Setting MyStorage" in str(raised.value)
    assert SECRET.rstrip("=") not in str(raised.value)


def test_neither_key_nor_signature_is_shown_by_repr() -> None:
    shown = repr(account(f"AccountName=shop;AccountKey={SECRET};SharedAccessSignature=sig=abc"))
    assert SECRET not in shown
    assert "abc" not in shown
