"""Blob paths and the patterns of blob triggers."""

from __future__ import annotations

import pytest

from linarite.bindings.blob_paths import BadBlobPath, BlobPath, blob_path, blob_pattern


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("bin/pre.txt", BlobPath("bin", "pre.txt")),
        ("bin/a/b c.txt", BlobPath("bin", "a/b c.txt")),
        ("$root/x.txt", BlobPath("$root", "x.txt")),
        ("https://account.blob.core.windows.net/bin/a%20b/c.txt", BlobPath("bin", "a b/c.txt")),
        ("http://127.0.0.1:10000/devstoreaccount1/bin/pre.txt", BlobPath("bin", "pre.txt")),
    ],
)
def test_paths(text: str, path: BlobPath) -> None:
    assert blob_path(text) == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "Invalid blob path specified : 'nonsense'. Blob identifiers must be in the format 'container/blob'."),
        ("", "Invalid blob path specified"),
        ("bin/", "Invalid blob path specified"),
        ("/x", "Invalid blob path specified"),
        ("Bin/x", "Invalid container name: Bin"),
        ("a--b/x", "Invalid container name"),
        ("ab/x", "Invalid container name"),
        ("bin/" + "n" * 1025, "1025 characters"),
    ],
)
def test_what_is_no_path(text: str, said: str) -> None:
    with pytest.raises(BadBlobPath) as refused:
        blob_path(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "container", "name", "captures"),
    [
        ("bin/{name}.{ext}", "bin", "pre.txt", {"name": "pre", "ext": "txt"}),
        ("bin/{name}.{ext}", "bin", "a.b.c", {"name": "a.b", "ext": "c"}),
        ("bin/{name}.{ext}", "bin", "none", None),
        ("bin/{name}.{ext}", "other", "pre.txt", None),
        ("BIN/{name}", "bin", "Pre", {"name": "Pre"}),
        ("bin/fixed.txt", "bin", "fixed.txt", {}),
        ("bin/fixed.txt", "bin", "fixedXtxt", None),
        ("bin/fixed.txt", "bin", "FIXED.txt", None),
        ("bin/{a}-{b}", "bin", "1-2-3", {"a": "1-2", "b": "3"}),
        ("bin/{name}", "bin", "dir/sub.txt", {"name": "dir/sub.txt"}),
        ("bin/in/{name}.txt", "bin", "in/.txt", {"name": ""}),
        ("bin", "bin", "anything/at.all", {}),
        ("bin/{{{name}}}.txt", "bin", "{x}.txt", {"name": "x"}),
        ("bin/{a}/{a}", "bin", "1/2", {"a": "2"}),
        ("bin/{rand-guid}", "bin", "x", {"rand-guid": "x"}),
    ],
)
def test_patterns(pattern: str, container: str, name: str, captures: dict[str, str] | None) -> None:
    assert blob_pattern(pattern).captures(container, name) == captures


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("bin/{name", "Missing closing bracket at position 5"),
        ("bin/name}", "Missing opening bracket at position 9"),
        ("bin/{}", "parameter name '' is invalid"),
        ("bin/{a.b}", "parameter name 'a.b' is invalid"),
        ("{container}/x", "must be a name"),
        ("bin/", "Invalid blob trigger path"),
        ("", "Invalid blob trigger path"),
    ],
)
def test_what_is_no_pattern(pattern: str, said: str) -> None:
    with pytest.raises(BadBlobPath) as refused:
        blob_pattern(pattern)
    assert said in str(refused.value)
