from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.environment import IMPORT_SETTINGS, home, remove_home, sealed
from tests.endpoints import Endpoint, says

CANARY = "fake-secret-0123456789"
SECRETS = {
    "OPENAI_API_KEY": CANARY,
    "ANTHROPIC_API_KEY": CANARY,
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "GITHUB_TOKEN": CANARY,
    "OPENAI_ORG_ID": CANARY,
    "OPENAI_BASE_URL": f"http://{CANARY}.invalid",
    "SSH_AUTH_SOCK": f"/run/{CANARY}",
    "SOMETHING_PRIVATE": CANARY,
    "HTTPS_PROXY": f"http://user:{CANARY}@proxy.invalid:3128",
    "http_proxy": f"user:{CANARY}@proxy.invalid:3128",
}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment as users have it; whatever happens, it is put back."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    yield
    assert os.environ.items() >= SECRETS.items()


def seen_by_a_child() -> dict[str, str]:
    """The environment that a command finds, as a shell that the model drives would."""
    listing = subprocess.run(["env", "-0"], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in listing.split("\0") if line)


@pytest.mark.usefixtures("secrets")
class TestTheSeal:
    def test_hides_every_credential_from_what_is_started_in_it(self) -> None:
        assert CANARY in str(seen_by_a_child()), "the canary is there without the seal"

        with sealed():
            inside = seen_by_a_child()

        assert CANARY not in str(inside)
        assert not SECRETS.keys() & inside.keys()

    def test_leaves_what_a_shell_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
        with sealed():
            inside = seen_by_a_child()

        assert inside["PATH"] == os.environ["PATH"]
        assert inside["LC_ALL"] == "C.UTF-8"
        assert inside["HTTP_PROXY"] == "http://proxy.invalid:3128"
        assert inside.items() >= IMPORT_SETTINGS.items()

    def test_gives_a_home_that_is_nobody_s(self) -> None:
        with sealed():
            inside = seen_by_a_child()
            expanded = Path("~").expanduser()

        assert expanded == home() == Path(inside["HOME"])
        assert expanded != Path("~").expanduser()
        assert stat.S_IMODE(home().stat().st_mode) == 0o700
        for name in ("TMUX_TMPDIR", "OH_PERSISTENCE_DIR"):
            assert Path(inside[name]).is_relative_to(home())
            assert Path(inside[name]).is_dir()

    def test_puts_everything_back(self) -> None:
        before = dict(os.environ)

        with sealed():
            os.environ["LEFT_BEHIND"] = "by the SDK"
            del os.environ["PATH"]

        assert dict(os.environ) == before

    def test_leaves_it_to_pytest_what_the_current_test_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTEST_CURRENT_TEST", "the first")
        with sealed():
            assert seen_by_a_child()["PYTEST_CURRENT_TEST"] == "the first"
            os.environ["PYTEST_CURRENT_TEST"] = "the second"

        assert os.environ["PYTEST_CURRENT_TEST"] == "the second"

    def test_puts_everything_back_after_a_failure(self) -> None:
        before = dict(os.environ)

        with pytest.raises(ZeroDivisionError), sealed(), sealed():
            raise ZeroDivisionError

        assert dict(os.environ) == before

    def test_holds_until_the_outermost_is_left(self) -> None:
        with sealed():
            with sealed():
                pass
            assert CANARY not in str(seen_by_a_child())
        assert CANARY in str(seen_by_a_child())

    def test_holds_until_the_last_thread_has_left(self) -> None:
        both_in, one_out = threading.Barrier(2, timeout=10), threading.Event()
        found: dict[str, dict[str, str]] = {}

        def short() -> None:
            with sealed():
                both_in.wait()
                found["while both are in"] = seen_by_a_child()
            one_out.set()

        def long() -> None:
            with sealed():
                both_in.wait()
                assert one_out.wait(10)
                found["after one has left"] = seen_by_a_child()

        threads = [threading.Thread(target=work) for work in (short, long)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(found) == 2
        assert CANARY not in str(found)
        assert CANARY in str(seen_by_a_child())

    def test_is_never_half_open_while_threads_come_and_go(self) -> None:
        leaks: list[str] = []

        def work() -> None:
            for _ in range(300):
                with sealed():
                    leaks.extend(name for name in SECRETS if name in os.environ)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert leaks == []


def test_a_removed_home_is_gone_with_its_files_and_the_next_is_new() -> None:
    first = home()
    (first / "history").write_text("what the model typed")

    remove_home()

    assert not first.exists()
    assert home() != first
    assert home().is_dir()


def test_importing_the_sdk_leaves_the_environment_as_it_was() -> None:
    before = dict(os.environ)

    environment.load()

    assert dict(os.environ) == before
    assert environment.sdk_is_imported()


FIRST_IMPORT = """
import os, sys
from pydantic import SecretStr
from pytest_ohllm.model import Profile
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import environment
from pytest_ohllm.sdk.driver import Driver

before = dict(os.environ)
settings = {"model": "openai/some-model", "base_url": sys.argv[1]}
connection = Connection(Profile(name="keyless", settings=settings))
driver = Driver(connection, timeout=20, redact=lambda value: value)
transcript = driver.complete("Say hello.")
assert transcript.error is None, transcript.error
assert transcript.final_text == "hello"
assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())
print("ANSWERED")
"""


def test_no_key_of_the_environment_goes_to_an_endpoint_that_needs_none(tmp_path: Path) -> None:
    """Neither one that was set before the import, nor one from a .env file, which litellm reads."""
    (tmp_path / ".env").write_text(f"MISTRAL_API_KEY={CANARY}\nLITELLM_API_KEY={CANARY}\n")
    kept = {name: value for name, value in SECRETS.items() if "proxy" not in name.lower()}
    with Endpoint(says("hello")) as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_IMPORT, endpoint.base_url],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **kept},
            timeout=60,
            check=False,
        )

    assert "ANSWERED" in done.stdout, done.stderr
    (request,) = endpoint.requests
    assert request.headers["authorization"] == "Bearer not-needed"
    assert CANARY not in str(request)
