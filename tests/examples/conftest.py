"""What the tests of the examples share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.runner import wheel


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return wheel(tmp_path_factory.mktemp("dist"))
