"""The properties of the whole run in JUnit files.

The fixture that pytest offers for that does not work under pytest-xdist, so this reaches for the
writer itself: the only place that imports from ``_pytest``.
"""

from __future__ import annotations

import pytest
from _pytest.junitxml import xml_key

from pytest_ohllm.evidence import junit
from pytest_ohllm.evidence.run_folder import RunFolder
from pytest_ohllm.model import Revision


def describe_suite(config: pytest.Config, folder: RunFolder, run_id: str, sdk: Revision) -> None:
    """Add the suite-level properties, if a JUnit file is written."""
    xml = config.stash.get(xml_key, None)
    if xml is not None:
        about = junit.suite_properties(run_id, str(folder.path), sdk)
        for name, value in about:
            xml.add_global_property(name, value)
