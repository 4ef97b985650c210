"""The process environment that the SDK is imported and run in.

Several of its modules read variables once, at import; its tools hand the whole environment to a
shell that the model under test can type into. So the import happens under known settings, and
scenarios run with nothing in the environment that the model must not see.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

IMPORT_SETTINGS: Mapping[str, str] = {
    # Without it litellm fetches its price list in a thread that can deadlock the import.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    # Without it the first Anthropic call fetches a file from the network.
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    # Token counting for some model names would ask a hub.
    "HF_HUB_OFFLINE": "1",
    "OPENHANDS_SUPPRESS_BANNER": "1",
    "LOG_LEVEL": "ERROR",
    "LOG_AUTO_CONFIG": "false",
    # A small context is a fact about a model that the suite can report, not a reason to stop.
    "ALLOW_SHORT_CONTEXT_WINDOWS": "true",
    "ANONYMIZED_TELEMETRY": "false",
}
"""What the SDK and litellm must find when they are imported and while they run."""

_NEVER_AT_IMPORT = ("DEBUG", "DEBUG_LLM", "LOG_JSON", "LMNR_PROJECT_API_KEY")
"""DEBUG_LLM asks a question on stdin, DEBUG logs whole messages, LMNR exports them."""

_CURRENT_TEST = "PYTEST_CURRENT_TEST"

_PASSED_ON = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TZ",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "NO_PROXY",
    "no_proxy",
    "COLUMNS",
    "LINES",
    _CURRENT_TEST,
    "PYTEST_XDIST_WORKER",
    "PYTEST_VERSION",
    "VIRTUAL_ENV",
    # Coverage of child processes is configured through these.
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

_lock = threading.RLock()
_depth = 0
_saved: dict[str, str] = {}
_saved_filters: list[Any] = []
_home: Path | None = None


def home() -> Path:
    """The throw-away home directory of this process, made on first use, 0700."""
    global _home
    with _lock:
        if _home is None or not _home.is_dir():
            # tmux puts a socket there, whose path may have about 100 characters.
            long = len(tempfile.gettempdir()) > 40 and os.access("/tmp", os.W_OK)
            _home = Path(tempfile.mkdtemp(prefix="ohllm-", dir="/tmp" if long else None))
        return _home


def remove_home() -> None:
    """Delete the throw-away home with everything that the SDK and its shells left in it."""
    global _home
    with _lock:
        if _home is not None:
            shutil.rmtree(_home, ignore_errors=True)
            _home = None


def sdk_is_imported() -> bool:
    """Whether the cost of importing the SDK has been paid in this process."""
    return "openhands.sdk" in sys.modules


def load() -> None:
    """Import the SDK and its terminal tool under known settings; cheap when done already.

    Raises whatever the import raises: the caller diagnoses it.
    """
    with _lock, _environment(_for_import(os.environ)):
        import openhands.sdk
        import openhands.tools.terminal  # noqa: F401
    # Says on every conversation that it is not persisted, which is what we want.
    logging.getLogger("openhands.sdk.conversation.state").setLevel(logging.ERROR)


def lend_stderr() -> None:
    """Let ``sys.stderr`` have a file descriptor, where it is a stream that has none.

    MCP servers inherit it, and cannot be started otherwise: so it is with ``--capture=sys``.
    """
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError):
        with suppress(AttributeError):
            sys.stderr.fileno = lambda: 2  # type: ignore[method-assign]


@contextmanager
def sealed() -> Iterator[None]:
    """Run with an environment that holds no credential, and with a throw-away HOME.

    ``LLM(api_key=None)`` would take a key from the environment and send it to any base_url, and a
    shell inherits every variable: in here there is none to take. Nested and concurrent uses share
    one seal; the last one to leave restores what was there.
    """
    global _depth, _saved
    with _lock:
        if _depth == 0:
            _saved = dict(os.environ)
            _saved_filters[:] = warnings.filters
            _replace(_scrubbed(os.environ))
            # The user's `filterwarnings = error` is not meant for the insides of the SDK.
            warnings.simplefilter("ignore")
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _replace(_saved)
                warnings.filters[:] = _saved_filters  # type: ignore[index]
                _saved = {}


def _scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: environ[name] for name in _PASSED_ON if name in environ}
    kept |= {name: value for name, value in environ.items() if name.startswith("LC_")}
    for name in _PROXIES:
        # A proxy's password would be one `env` away from the model. Its scheme may be missing.
        if name in environ and "@" not in environ[name]:
            kept[name] = environ[name]
    own = home()
    for folder in ("tmux", "persistence"):
        (own / folder).mkdir(exist_ok=True)
    return (
        kept
        | dict(IMPORT_SETTINGS)
        | {
            "HOME": str(own),
            "TMUX_TMPDIR": str(own / "tmux"),
            "OH_PERSISTENCE_DIR": str(own / "persistence"),
        }
    )


def _for_import(environ: Mapping[str, str]) -> dict[str, str]:
    settings = {k: v for k, v in environ.items() if k not in _NEVER_AT_IMPORT}
    persistence = home() / "persistence"
    persistence.mkdir(exist_ok=True)
    return settings | dict(IMPORT_SETTINGS) | {"OH_PERSISTENCE_DIR": str(persistence)}


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    _replace(wanted)
    try:
        yield
    finally:
        _replace(before)


def _replace(wanted: Mapping[str, str]) -> None:
    """Make ``os.environ`` equal to ``wanted`` without a moment in which it is empty.

    What pytest calls the current test is left alone: scenarios go on while it changes.
    """
    for name in os.environ.keys() - wanted.keys() - {_CURRENT_TEST}:
        del os.environ[name]
    os.environ.update({k: v for k, v in wanted.items() if k != _CURRENT_TEST})
