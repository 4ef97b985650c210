"""The door: options, markers, hookspecs, fixtures, and the packaged suite.

Every pytest user who has this package installed imports this module, so it imports pytest and
nothing heavier; what a run with a profile needs is registered when a profile is named.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_ohllm.gates import WantedGates
    from pytest_ohllm.model import Profile
    from pytest_ohllm.sdk.driver import Driver
    from pytest_ohllm.session.llm_session import LlmSession

SUITE = "compat_suite"
_LONGEST_SECONDS = 86_400
_MOST_PROBES = 1000
_MOST_REPEATS = 100

_SESSION: pytest.StashKey[LlmSession] = pytest.StashKey()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_ohllm import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
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


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Name the packaged suite where the user asks for a profile and names no path."""
    # The suite's asserts explain themselves in an editable install, too.
    pytest.register_assert_rewrite(SUITE)
    known = early_config.known_args_namespace
    if not _asks_on_command_line(known) or known.file_or_dir:
        return
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec(SUITE)
    folder = Path(next(iter((spec and spec.submodule_search_locations) or [SUITE])))
    args += ["--pyargs", SUITE]
    # Whose conftest files to load is decided from these two: the suite's, and nobody else's.
    known.file_or_dir = [str(folder)]
    known.confcutdir = str(folder)
    # The user's rules for names of tests, and the fixtures that all tests use, are not the suite's.
    early_config.addinivalue_line("python_files", "test_*.py")
    early_config.addinivalue_line("python_functions", "test")
    early_config.getini("usefixtures").clear()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "llm_stage(name): the stage (A, B, C or D) that an LLM check belongs to; D by default.",
    )
    config.addinivalue_line(
        "markers", "llm_gate(name): the advanced gate of stage D that an LLM check belongs to."
    )
    names = _selected(config)
    if not names or config.option.help or getattr(config.option, "markers", False):
        return
    # Imports of litellm deadlock now and then without it, whoever is first to import it.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from pytest_ohllm.session.llm_session import LlmSession

    config.stash[_SESSION] = LlmSession.register(config, names)


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None, None, None]:
    """Refuse half a profile, and a suite without one: it would be all skipped, which looks green.

    A wrapper, so that it comes before anything is opened.
    """
    config = session.config
    option = config.option
    if not option.llm_model and (option.llm_base_url or option.llm_api_key_env):
        raise pytest.UsageError(
            "--llm-base-url and --llm-api-key-env describe the profile that --llm-model=MODEL "
            "makes for this run: give it, too, or save a profile with 'ohllm profiles add'"
        )
    if _SESSION not in config.stash and any(SUITE in argument for argument in config.args):
        raise pytest.UsageError(
            "the compatibility suite needs a profile: name one with --llm-profile=NAME, try the "
            "embedded provider with --llm-profile=sim, or list yours with 'ohllm profiles list'"
        )
    return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """``-n auto`` is one worker for each profile: they wait for the network, not for a CPU."""
    return len(_selected(config)) or None


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


def _asks_on_command_line(options: Any) -> bool:
    names = ("llm_profile", "llm_model", "llm_base_url", "llm_api_key_env", "llm_stages")
    return any(getattr(options, name, None) for name in names)


def _selected(config: pytest.Config) -> list[str]:
    """Names of the profiles to test, in the user's order, each once."""
    option = config.option
    names = list(option.llm_profile or [])
    if option.llm_model:
        names.append("adhoc")
    names = names or os.environ.get("OHLLM_PROFILES", "").replace(",", " ").split()
    names = names or list(config.getini("llm_profiles"))
    # The SDK's own variable is set for other purposes as well: it counts where LLM tests are asked
    # for, and does not turn every pytest run on the machine into one.
    asked = _asks_on_command_line(option) or any(SUITE in argument for argument in config.args)
    if not names and asked and (fallback := os.environ.get("OPENHANDS_LLM_PROFILE")):
        names = [fallback]
    return list(dict.fromkeys(names))


@pytest.fixture(scope="session")
def llm_profile(request: pytest.FixtureRequest) -> Profile:
    """The profile under test; tests that use it run once for each selected profile."""
    if _SESSION not in request.config.stash:
        pytest.skip("no LLM profile: name one with --llm-profile=NAME")
    return _session(request).connection(request.param).profile


@pytest.fixture
def llm_attempt(request: pytest.FixtureRequest) -> int:
    """Which of the runs of the same check this is, from 1 on: see ``--llm-repeat``."""
    return int(getattr(request, "param", 1))


@pytest.fixture(scope="session")
def llm_driver(request: pytest.FixtureRequest, llm_profile: Profile) -> Driver:
    """Plays scenarios against the profile and returns transcripts: see pytest_ohllm.sdk.driver."""
    return _session(request).driver(llm_profile.name)


@pytest.fixture
def llm(llm_driver: Driver) -> Iterator[Any]:
    """The SDK's ``LLM`` of the profile, recorded, and run with no credential in the environment."""
    with llm_driver.recorded_llm() as llm:
        yield llm


@pytest.fixture(scope="session")
def llm_gates(request: pytest.FixtureRequest) -> WantedGates:
    """The advanced gates that ``--llm-gates`` asks for, and which of them by name."""
    from pytest_ohllm.session import wanted

    return wanted.gates(request.config.option.llm_gates)


@pytest.fixture(scope="session")
def llm_tools(request: pytest.FixtureRequest) -> str:
    """The value of ``--llm-tools``: ``auto``, ``native`` or ``prompt``."""
    return str(request.config.option.llm_tools)


def _session(request: pytest.FixtureRequest) -> LlmSession:
    return request.config.stash[_SESSION]
