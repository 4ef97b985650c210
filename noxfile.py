"""Checks of this project: `uv run nox` runs lint, types and tests where uv has installed them."""

from __future__ import annotations

import re
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False

SDK_VERSIONS = ["1.12.0", "1.20.0", "1.30.0", "1.40.0", "1.50.0", "newest"]
"""Forks lag behind the SDK, so the suite runs on all of these."""

SDK_GAPS = {
    # It sends no stream_options, so that a streamed answer comes without usage.
    "streaming": ["1.12.0"],
}
"""Gates that an SDK fails; what it does not offer at all is unsupported, and needs no mention."""

PROMPT_GAPS = {
    # Of a call that is written as text, arrays and integers are parsed, and objects stay texts.
    "mcp": SDK_VERSIONS,
}
"""Gates that an SDK fails where tools are called by its prompt-based conversion."""


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.run("mypy")


PARALLEL = ("-n", "auto", "--dist", "loadfile")
"""Modules stay together: many of them share one slow run of pytest."""


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Unit and end-to-end tests; arguments go to pytest."""
    session.run("pytest", "tests", *PARALLEL, *session.posargs)


@nox.session(python=False)
def coverage(session: nox.Session) -> None:
    """The same, measuring what they cover, which takes twice as long."""
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "tests", *PARALLEL, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    # A selection of tests covers a part of the code, which says nothing.
    threshold = ["--fail-under=0"] if session.posargs else []
    session.run("coverage", "report", "--skip-covered", *threshold)


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """The built wheel in a fresh environment and an empty directory, as a user has it."""
    dist = Path(session.create_tmp()) / "dist"
    session.run("uv", "build", "--wheel", "--out-dir", str(dist), external=True, silent=True)
    (built,) = dist.glob("*.whl")
    session.install("--no-config", "--compile-bytecode", str(built))
    empty = session.create_tmp()
    expected = {
        "sim": 0,
        "sim:no-native-tools": 0,
        "sim:parrot": 1,
        "sim:wrong-command": 1,
        "sim:empty": 1,
        "sim:bad-key": 10,
        "sim:rate-limited": 10,
        "sim:down": 10,
    }
    with session.chdir(empty):
        for profile, code in expected.items():
            # Stage D once, for the files that it takes with it into other processes.
            gates = "auto" if profile == "sim" else "none"
            options = (f"--llm-profile={profile}", f"--llm-gates={gates}")
            session.run("pytest", "-q", *options, success_codes=[code])
        session.run("ohllm", "--version")


@nox.session
@nox.parametrize("sdk", SDK_VERSIONS)
def sdk(session: nox.Session, sdk: str) -> None:
    """The suite on older SDKs; what a version lacks must be said, not crash."""
    pin = [] if sdk == "newest" else [f"openhands-sdk=={sdk}", f"openhands-tools=={sdk}"]
    # What SDK 1.50 allows as litellm wants a newer mcp than what it allows as mcp.
    drift = ["litellm<1.106"] if sdk == "1.50.0" else []
    # Without configuration: it holds this project to the newest SDK.
    session.install("--no-config", "--compile-bytecode", ".", *pin, *drift)
    gaps = [gate for gate, versions in SDK_GAPS.items() if sdk in versions]
    prompt_gaps = gaps + [gate for gate, versions in PROMPT_GAPS.items() if sdk in versions]
    with session.chdir(session.create_tmp()):
        for profile, failing in {"sim": gaps, "sim:no-native-tools": prompt_gaps}.items():
            gates = ",".join(["auto", *(f"-{gate}" for gate in failing)])
            session.run("pytest", f"--llm-profile={profile}", f"--llm-gates={gates}")
        for gate in prompt_gaps:
            # Where it passes, it must leave the list.
            alone = ("--llm-tools=prompt", "--llm-stages=D", f"--llm-gates={gate}")
            quick = ("-q", "--tb=no", "--llm-probes=0")
            session.run("pytest", "--llm-profile=sim", *quick, *alone, success_codes=[1])
        session.run("pytest", "-q", "--llm-profile=sim:parrot", success_codes=[1])
        session.run("pytest", "-q", "--llm-profile=sim:bad-key", success_codes=[10])


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """What it costs: idle, stages A to C beside the SDK's import, a diagnosis, redaction, a fix."""
    session.run("python", "tests/bench/bench.py", *session.posargs)
    session.run("python", "tests/bench/diagnosis.py")
    session.run("python", "tests/bench/page.py")
    session.run("python", "tests/bench/runs.py")
    session.run("python", "tests/bench/redactor.py")
    session.run("python", "tests/bench/autofix.py")


@nox.session(python=False)
def suite(session: nox.Session) -> None:
    """The whole pack against every personality and other seeds; writes docs/self-proof.md."""
    session.run("python", "-m", "tests.suite", "--write", *session.posargs)


@nox.session(python=False)
def whole(session: nox.Session) -> None:
    """The tests of which the others play a part only: about half an hour."""
    parts = ("suite/test_found_settings.py", "plugin/test_key_echoes.py", "autofix", "examples")
    files = [f"tests/{part}" for part in parts]
    every = {"OHLLM_WHOLE_SUITE": "1"}
    session.run("pytest", *PARALLEL, *files, *session.posargs, env=every)
    others = [f"--ignore={file}" for file in files]
    slow = ("tests", "-m", "slow", *others)
    session.run("pytest", *PARALLEL, *slow, *session.posargs, env=every)


@nox.session(python=False)
def constraints(session: nox.Session) -> None:
    """Write constraints.txt: the versions that this environment is green with."""
    frozen = session.run("uv", "pip", "freeze", "--exclude-editable", silent=True, external=True)
    pins = re.findall(r"^[A-Za-z0-9_.-]+==\S+$", str(frozen), flags=re.MULTILINE)
    Path("constraints.txt").write_text("\n".join(sorted(pins, key=str.lower)) + "\n")
