"""Settings for the tests' own process: a data folder of the run's own, and a real broker.

A plugin (`-p tests.environment` in pyproject.toml) and no conftest: pytest-django reads Django's settings before any
conftest is looked at, and the tests would run on the data and the broker of whoever uses this checkout.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from tests.broker import broker

_data = Path(tempfile.mkdtemp(prefix="gantry-t-"))
_cleanup = contextlib.ExitStack()
_cleanup.callback(shutil.rmtree, _data, ignore_errors=True)
atexit.register(_cleanup.close)

os.environ.setdefault("GANTRY_ENV", str(Path(__file__).resolve().parent.parent / "var" / "env"))
os.environ["GANTRY_DATA"] = str(_data)
os.environ["GANTRY_REDIS_URL"] = _cleanup.enter_context(broker(_data))
