"""A key goes in and must not come out: not on the terminal, not in any file, not to the model."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Compat, Result
from tests.plugin.conftest import MakeProject, disguises, leaks

KEYS = {
    "of a vendor's shape": "sk-canary-7Fh2kQ9xVb3LmZ0aRt5WcYp8",
    "of no known shape": 'zebra"quokka<77>walrus&otter%31/narwhal',
}

INI = {"log_cli": "true", "log_cli_level": "DEBUG", "log_file_level": "DEBUG"}
INI |= {"junit_logging": "all", "junit_log_passing_tests": "true"}
EVERYWHERE = ("--showlocals", "--tb=long", "-rA", *(f"-o{k}={v}" for k, v in INI.items()))
FILES = ("--log-file=debug.log", "--junitxml=junit.xml", "--html=report.html")

CARELESS = """
import base64, logging, os, sys, urllib.parse, warnings
import pytest

KEY = os.environ["OWN_KEY"]

stage_a = pytest.mark.llm_stage("A")

@stage_a
def test_asserts(llm_profile):
    header = {"Authorization": f"Bearer {KEY}", "key": KEY}
    assert header == {"key": KEY[::-1]}, f"not what I sent: {KEY}"

@stage_a
def test_compares_long_texts(llm_profile):
    assert "x" * 500 + KEY + "y" * 500 == "x" * 500 + KEY + "z" * 500

@stage_a
def test_prints(llm_profile, capsys):
    print(KEY, base64.b64encode(KEY.encode()), base64.b64encode(b"u:" + KEY.encode()).decode())
    print(KEY.encode().hex(), KEY[::-1], urllib.parse.quote(KEY, safe=""), repr(KEY), flush=True)
    sys.stderr.write(f"export OWN_KEY={KEY}")

@stage_a
def test_logs(llm_profile):
    logging.getLogger("theirs").warning("sending %s to %r", KEY, {"api_key": KEY})
    try:
        raise ValueError(KEY)
    except ValueError:
        logging.getLogger("theirs").exception("could not send")

@stage_a
def test_warns(llm_profile):
    warnings.warn(f"the key {KEY} is old", UserWarning)
    warnings.warn(DeprecationWarning(KEY))

@stage_a
def test_chains(llm_profile):
    try:
        raise KeyError(KEY)
    except KeyError as error:
        raise RuntimeError(f"refused: {KEY}") from error

@stage_a
def test_groups(llm_profile):
    raise ExceptionGroup(f"several {KEY}", [ValueError(KEY), TypeError(KEY)])

@stage_a
def test_has_parts(llm_profile, subtests):
    with subtests.test(KEY, key=KEY):
        raise AssertionError(KEY)

@stage_a
@pytest.mark.parametrize("key", [KEY, f"Bearer {KEY}"])
def test_has_parameters(llm_profile, key):
    raise AssertionError("whatever")

@stage_a
@pytest.mark.xfail(reason=f"the key {KEY} does not work")
def test_is_known_to_fail(llm_profile):
    raise AssertionError(KEY)

@stage_a
@pytest.mark.xfail(reason=f"the key {KEY} does not work", strict=True)
def test_is_better_than_allowed(llm_profile):
    pass

@stage_a
def test_skips(llm_profile):
    pytest.skip(f"not with {KEY}")

@pytest.fixture
def broken(llm_profile):
    yield
    raise RuntimeError(f"cannot revoke {KEY}")

@stage_a
def test_is_torn_down(broken):
    pass

@stage_a
def test_records(llm_profile, record_property):
    record_property("key", KEY)
    raise SystemExit(KEY)

def test_of_somebody_else():
    raise AssertionError(KEY)

class TestShown:
    def __repr__(self):
        return KEY
"""
"""Tests that let the key out in every way that there is."""

UNREADABLE = """
import os

raise ImportError(os.environ["OWN_KEY"])
"""


@pytest.fixture
def echo() -> Iterator[list[str]]:
    """Options for an endpoint that refuses every key and says which one it was."""
    with Simulator("bad-key") as simulator:
        yield [
            f"--llm-model=openai/{simulator.model}",
            f"--llm-base-url={simulator.base_url}",
            "--llm-api-key-env=OWN_KEY",
        ]


@pytest.fixture(params=list(KEYS.values()), ids=list(KEYS))
def key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The canary, which stands in $OWN_KEY."""
    monkeypatch.setenv("OWN_KEY", request.param)
    return str(request.param)


def test_the_search_would_find_the_key(tmp_path: Path) -> None:
    for key in KEYS.values():
        for name, form in disguises(key).items():
            (tmp_path / "file").write_bytes(b"before " + form + b" after")
            assert f"{name} in file" in leaks(key, "", tmp_path)
            assert f"{name} in the output" in leaks(key, form.decode())


def test_the_packaged_suite_keeps_the_key(compat: Compat, key: str, echo: list[str]) -> None:
    result = compat(*echo, *EVERYWHERE, *FILES, "--self-contained-html")

    assert result.ret == 10, result.output
    assert result.run.profiles[0].checks[0].diagnosis is not None
    assert result.run.profiles[0].checks[0].diagnosis.kind == "credentials"
    (exchange,) = [
        json.loads(line)
        for file in result.files("profiles/*/A/*answers*/exchanges.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert "[REDACTED" in json.dumps(exchange["response"]), "the endpoint echoed the key"
    assert exchange["request_headers"]["authorization"] == "[REDACTED]"
    assert leaks(key, result.output, compat.path) == []


def test_careless_tests_keep_the_key(compat: Compat, key: str, echo: list[str]) -> None:
    (compat.path / "test_own.py").write_text(CARELESS)
    (compat.path / "test_unreadable.py").write_text(UNREADABLE)

    result = compat(
        ".", *echo, *EVERYWHERE, *FILES, "--continue-on-collection-errors", "-o", "xfail_strict=0"
    )

    assert result.ret == 1, result.output
    assert "INTERNALERROR" not in result.output
    assert result.output.count("[REDACTED") > 50
    assert (compat.path / "debug.log").read_text().count("[REDACTED") >= 3
    assert len(result.run.profiles[0].checks) == 15
    assert leaks(key, result.output, compat.path) == []


def test_a_key_that_somebody_puts_into_the_folder_is_found(
    compat: Compat, key: str, echo: list[str]
) -> None:
    compat.pytester.makepyfile(
        """
        import os, pathlib

        def test_mine(llm_profile):
            pathlib.Path("run/left.txt").write_text(os.environ["OWN_KEY"])
        """
    )

    result = compat(".", *echo, "--llm-run-dir=run")

    (line,) = [line for line in result.output.splitlines() if "left in the run folder" in line]
    assert line.endswith("left.txt")


@pytest.fixture(scope="module")
def distributed(make_project: MakeProject) -> tuple[Path, Result]:
    """All of it on two workers, in a process of its own."""
    project = make_project("canary")
    project.write("test_own.py", CARELESS)
    project.write("test_unreadable.py", UNREADABLE)
    with Simulator("bad-key") as simulator:
        result = project.run(
            "test_own.py",
            "test_unreadable.py",
            "--pyargs",
            "compat_suite.test_a_connects",
            f"--llm-model=openai/{simulator.model}",
            f"--llm-base-url={simulator.base_url}",
            "--llm-api-key-env=OWN_KEY",
            "-n2",
            *EVERYWHERE,
            *FILES,
            "--continue-on-collection-errors",
            env={"OWN_KEY": KEYS["of no known shape"]},
        )
    return project.path, result


def test_workers_keep_the_key(distributed: tuple[Path, Result]) -> None:
    path, result = distributed

    assert result.ret == 1, result.output
    assert "INTERNALERROR" not in result.output
    assert [len(profile.checks) for profile in result.run.profiles] == [19]
    assert leaks(KEYS["of no known shape"], result.output, path) == []


WATCHING = """
import os, pathlib, re, threading, time
import pytest

def processes():
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            about = [(folder / name).read_bytes() for name in ("cmdline", "environ")]
            found[folder.name] = tuple(about)
        except OSError:
            pass  # it is gone
    return found

def test_what_the_model_sees(llm_driver):
    before, seen, done = processes(), set(), threading.Event()

    def watch():
        while not done.wait(0.02):
            now = processes()
            seen.update(now[pid] for pid in now.keys() - before.keys())

    thread = threading.Thread(target=watch)
    thread.start()
    transcript = llm_driver.converse("Please run `env`", allow=["env"])
    done.set()
    thread.join()

    (observation,) = transcript.observations("terminal")
    names = set(re.findall(r"^(\\w+)=", observation.text, re.MULTILINE))
    pathlib.Path("names").write_text("\\n".join(sorted(names)))
    home = re.search("^HOME=(.*)$", observation.text, re.MULTILINE)[0].encode()
    ours = [(line, env) for line, env in seen if home in env]
    assert ours, "the shell was seen"
    pathlib.Path("seen").write_bytes(b"\\n".join(line + b"\\n" + env for line, env in ours))
"""


def test_neither_the_models_shell_nor_any_process_has_the_key(
    compat: Compat, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNRELATED_TOKEN", "fake-token-of-somebody-else")
    (compat.path / "test_own.py").write_text(WATCHING)

    with Simulator(api_key=key) as simulator:
        result = compat(
            ".",
            f"--llm-model=openai/{simulator.model}",
            f"--llm-base-url={simulator.base_url}",
            "--llm-api-key-env=OWN_KEY",
        )

    assert result.ret == 0, result.output
    names = (compat.path / "names").read_text().split()
    assert {"PATH", "HOME"} <= set(names)
    assert not {"OWN_KEY", "UNRELATED_TOKEN"} & set(names)
    seen = (compat.path / "seen").read_bytes()
    assert b"UNRELATED_TOKEN" not in seen
    assert os.fsencode(key) not in seen
    assert leaks(key, result.output, compat.path) == []
