"""Rules for failures of this machine: its shell, its disk, its packages, its own servers."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_MACHINE = re.compile(
    r"\btmux\b|no suitable socket path|no server running on /|"
    r"no space left on device|disk quota exceeded|read-only file system|too many open files|"
    r"cannot allocate memory|(?:permission denied|operation not permitted)\W{1,3}[/~]|"
    r"\bEACCES\b|\bENOSPC\b|\bEMFILE\b|(?<!\w)command not found|address already in use|"
    r"attempting to bind|cannot (?:assign requested address|open shared object)|"
    r"could not find module|\[Errno (?:2|13|20)\]|"
    r"\bdocker(?: is (?:not )?running| daemon| engine|\.sock|\.errors)|http\+docker|"
    r"ports are not available|"
    r"container .{0,60}(?:exited|not (?:running|found)|failed)|exec .{0,40}no such file|"
    r"error response from daemon|port is already allocated|dubious ownership|"
    r"database is locked|(?:browser\w*|chromium|playwright)\b.{0,60}(?:fail|not (?:found|"
    r"installed)|n't exist|missing)|\bbwrap: |\bopenpty\b|keyring|dbus|no recommended backend",
    re.IGNORECASE,
)
_OWN_SERVER = re.compile(
    r"/api/conversations|openhands[./]agent_server|oh-agent-server|openhands-runtime|"
    r"/execute_action|/alive\b|agent[- ]server .{0,40}"
    r"(?:not|fail|exit|died)|(?:runtime|sandbox) .{0,60}(?:not ready|failed to start|unavailable|"
    r"timed? ?out|not running|crashed|disconnected)",
    re.IGNORECASE,
)
_OWN_FRAMES = re.compile(
    r"(?:^|/)(?:libtmux|docker|pexpect|keyring|subprocess|multiprocessing)[/.]|"
    r"openhands/(?:tools|runtime|workspace|agent_server|app_server/sandbox)/"
)
_MODULE = re.compile(
    r"(?:No module named|Missing|cannot import name \S+ from) ['\"]?(?P<name>[\w]+)"
)
_INSTALL = re.compile(r"No module named|pip install|cannot import name", re.IGNORECASE)


def machine_in_trouble(s: Symptoms) -> Finding | None:
    """A shell, a disk, a container or a server of our own side, not the endpoint's."""
    if s.pasted is None and (s.refused and s.sent):
        return None  # the endpoint's words are about the endpoint's machine
    tool = s.raised("TmuxCommandNotFound", "LibTmuxException", "DockerException", "NoKeyringError")
    asked = s.pasted is None or s.pasted.provider != "none"
    own = _OWN_FRAMES.search(s.frame) and not (s.status and asked)
    if not (tool or own or _MACHINE.search(s.told) or _OWN_SERVER.search(s.told)):
        return None
    return Finding(
        Kind.ENVIRONMENT,
        Blame.ENVIRONMENT,
        f"this machine is in trouble, not the model: {one_line(s.text, 160)}",
        "repair it (tmux, disk, permissions, containers), then run again",
    )


def module_missing(s: Symptoms) -> Finding | None:
    """A package that this provider needs is not installed, or does not fit the others."""
    link = s.raised("ModuleNotFoundError", "ImportError")
    if link is None and not (s.pasted is not None and _INSTALL.search(s.pasted.message)):
        return None
    said = link.message if link else s.text
    if s.pasted is not None and (line := _line_with(_INSTALL, s.pasted.message)):
        said = line
    if "cannot import" in said:
        return Finding(
            Kind.ENVIRONMENT,
            Blame.ENVIRONMENT,
            f"installed packages do not fit each other: {one_line(said)}",
            "install the versions that the SDK asks for (the run folder lists what is installed)",
        )
    named = _MODULE.search(said)
    name = named["name"] if named else ""
    # A record is of some other installation, whose packages nobody knows; where a provider was
    # being called, it is what that one needs.
    called = s.pasted is not None and s.pasted.provider not in (None, "none")
    absent = name != "" or _INSTALL.search(said) is not None  # rather than broken
    optional = (called and absent) or (name != "" and is_optional(name))
    if optional and name not in sys.stdlib_module_names:
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"this provider needs a package that is not installed: {one_line(said)}",
            f"install {name or 'it'} into the environment that pytest runs in",
        )
    return Finding(
        Kind.ENVIRONMENT,
        Blame.ENVIRONMENT,
        f"a package is missing: {one_line(said)}",
        "install it into the environment that pytest runs in",
    )


def is_optional(module: str) -> bool:
    """Whether the SDK and litellm work without ``module``, and only some providers need it."""
    required = set()
    for package in ("openhands-sdk", "openhands-tools", "litellm"):
        try:
            listed = requires(package) or []
        except PackageNotFoundError:
            continue
        required |= {_name(line) for line in listed if "extra ==" not in line}
    ours = {"openhands", "litellm", "pytest_ohllm", "compat_suite"}
    return module.lower().replace("_", "-") not in required | ours


def _name(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _line_with(pattern: re.Pattern[str], text: str) -> str:
    return next((line for line in text.splitlines() if pattern.search(line)), "")


def nobody_asked(s: Symptoms) -> Finding | None:
    """A record that names no provider and no status: whatever failed, it failed on this side."""
    if s.pasted is None or s.pasted.provider != "none" or s.status is not None:
        return None
    return Finding(
        Kind.ENVIRONMENT,
        Blame.ENVIRONMENT,
        f"no provider had a part in it: {one_line(s.text, 160)}",
        "look at the machine and the installation",
    )


RULES = (module_missing, machine_in_trouble)
