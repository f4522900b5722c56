"""Other processes that use the package and these tests."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'host'}{os.pathsep}{ROOT}"}
