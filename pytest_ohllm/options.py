"""The options of the command line, and what they may hold.

Every pytest user who has this package installed imports this module: nothing heavy here.
"""

from __future__ import annotations

import argparse

import pytest

_LONGEST_SECONDS = 86_400
_MOST_PROBES = 1000
_MOST_REPEATS = 100


def add(parser: pytest.Parser) -> None:
    """Add the options and the setting of this plugin."""
    group = parser.getgroup("ohllm", "does an LLM work with the OpenHands SDK? (pytest-ohllm)")
    group.addoption(
        "--llm-profile",
        action="append",
        metavar="NAME",
        help="Test this profile; repeatable. 'sim' is the embedded provider. Without a path, "
        "pytest runs the packaged compatibility suite; with one, your own tests.",
    )
    group.addoption(
        "--llm-model",
        metavar="MODEL",
        help="Test an unsaved profile 'adhoc' with this litellm model string, such as "
        "openai/some-model.",
    )
    group.addoption("--llm-base-url", metavar="URL", help="The base URL of --llm-model.")
    group.addoption(
        "--llm-api-key-env",
        metavar="VAR",
        help="The environment variable that holds the key of --llm-model.",
    )
    group.addoption(
        "--llm-stages",
        metavar="A,B,C,D",
        help="Run only these stages: A connects, B converses, C calls tools, D advanced gates.",
    )
    group.addoption(
        "--llm-gates",
        metavar="NAMES",
        default="auto",
        help="The advanced gates of stage D: names separated by commas, 'all', 'none', or 'auto' "
        "(the default): what the profile or the SDK's metadata says that the model can do. "
        "-NAME leaves one out.",
    )
    group.addoption(
        "--llm-tools",
        choices=("auto", "native", "prompt"),
        default="auto",
        help="How tools are called: natively, by the SDK's prompt-based conversion, or whichever "
        "works, native first (auto, the default).",
    )
    group.addoption(
        "--llm-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=120.0,
        help="Time for each check (default: 120).",
    )
    group.addoption(
        "--llm-probes",
        metavar="N",
        type=_count,
        default=12,
        help="Requests that may be spent on finding out why a check failed, and as many again on "
        "settings that make it pass (default: 12; 0 switches both off).",
    )
    group.addoption(
        "--llm-repeat",
        metavar="N",
        type=_repeats,
        default=1,
        help="Run each check of stages B and C, where the model may do otherwise each time, up to "
        "N times: no longer than it takes to tell a model that nearly always passes from one that "
        "passes half of the time, which is five times if it always passes (default: 1).",
    )
    group.addoption(
        "--llm-run-dir",
        metavar="DIR",
        help="Where this run leaves its evidence (default: a new folder in .ohllm/runs).",
    )
    group.addoption(
        "--llm-baseline",
        metavar="RUN",
        help="A run that is known: only what it did not fail already decides the exit code. Its "
        "id, the beginning of one, 'last', 'PROFILE@last', or a path.",
    )
    group.addoption(
        "--llm-waivers",
        metavar="FILE",
        help="A TOML file of failures that are accepted, each with a reason and a last day.",
    )
    parser.addini("llm_profiles", "Profiles that LLM tests run with.", type="args", default=[])


def _seconds(text: str) -> float:
    """A time that a timer can be set to."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_SECONDS:  # which nan is not, either
        raise argparse.ArgumentTypeError(
            f"expected a number of seconds above 0 and up to {_LONGEST_SECONDS:,}, got {text!r}"
        )
    return seconds


def _count(text: str) -> int:
    """A number of requests."""
    return _whole(text, 0, _MOST_PROBES)


def _repeats(text: str) -> int:
    """A number of times."""
    return _whole(text, 1, _MOST_REPEATS)


def _whole(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from {least} to {most}, got {text!r}"
        )
    return int(text)
