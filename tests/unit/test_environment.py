from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings

from tests.broker import answers


def test_the_tests_have_data_and_a_broker_of_their_own() -> None:
    assert settings.DATA_DIR.is_relative_to(tempfile.gettempdir())
    assert Path(settings.REDIS_URL.removeprefix("unix://")).is_relative_to(settings.DATA_DIR)
    assert answers(Path(settings.REDIS_URL.removeprefix("unix://")))
