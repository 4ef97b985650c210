"""Short names for checks, whose ids are long because they are unique."""

from __future__ import annotations


def check_name(check_id: str) -> str:
    """``suite.test_c::TestX::test_the_tool_is_called[a]`` as ``the tool is called [a]``."""
    head, bracket, parameters = check_id.partition("[")
    name = head.rpartition("::")[2].removeprefix("test_").replace("_", " ").strip()
    return f"{name or head} {bracket}{parameters}".strip()
