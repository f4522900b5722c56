from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from linarite.errors import HubUnavailable
from linarite.taskhub.azure.worker_id import WorkerId


def test_a_host_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / ".linarite"
    with WorkerId(folder) as first:
        pass
    with WorkerId(folder) as second:
        assert second.name == first.name


def test_two_hosts_at_a_time_have_two_names(tmp_path: Path) -> None:
    with WorkerId(tmp_path) as first, WorkerId(tmp_path) as second:
        assert first.name != second.name
    with WorkerId(tmp_path) as again:
        assert again.name == first.name


def test_a_killed_host_leaves_its_name_free(tmp_path: Path) -> None:
    script = "import sys, os, signal; from pathlib import Path; from linarite.taskhub.azure.worker_id import WorkerId; "
    script += "print(WorkerId(Path(sys.argv[1])).name, flush=True); os.abort()"
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    with WorkerId(tmp_path) as heir:
        assert heir.name == killed.stdout.strip()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HubUnavailable, match=r"Cannot write .*worker-id.*Make the folder writable"):
        WorkerId(tmp_path / "file")
