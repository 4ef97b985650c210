"""``ohllm profiles check``: what can be known of a profile before it is used."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm import gates, plan

KEY = "sk-canary-0123456789"
NOBODY = "http://127.0.0.1:9/v1"
CONNECTS = {"calls": 2, "prompt_tokens": 10, "completion_tokens": 300}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that accepts connections, and can tell whether there was one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def _asked(listener: socket.socket) -> bytes | None:
    """What was sent to the listener, or None if nobody connected."""
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return None
    with connection:
        connection.settimeout(5)
        return connection.recv(1000)


@pytest.fixture
def add(ohllm: Any) -> Any:
    """Save a profile called ``mine``."""

    def save(url: str | None, *more: str, model: str = "openai/gpt-4o") -> None:
        address = () if url is None else ("--base-url", url)
        assert ohllm("profiles", "add", "mine", "--model", model, *address, *more).code == 0

    return save


def test_a_dry_run_connects_to_nothing(ohllm: Any, add: Any, listener: socket.socket) -> None:
    add(_url(listener))
    done = ohllm("profiles", "check", "mine", "--dry-run")
    assert (done.code, _asked(listener)) == (0, None)
    assert "not checked (--dry-run)" in done.out


def test_a_host_that_does_not_answer_is_told_with_the_next_step(ohllm: Any, add: Any) -> None:
    add(NOBODY)
    done = ohllm("profiles", "check", "mine")
    assert (done.code, done.err) == (10, "")
    assert "not usable now: nothing listens at 127.0.0.1:9" in done.out
    assert "start the server" in done.out and "nothing speaks against it" not in done.out
    assert ohllm("profiles", "check", "mine", "--dry-run").code == 0


def test_a_key_that_is_not_there_is_told_even_by_a_dry_run(
    ohllm: Any, add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    add(None, "--api-key-env", "MY_KEY")
    done = ohllm("profiles", "check", "mine", "--dry-run")
    assert done.code == 10 and "$MY_KEY (not set)" in done.out
    assert "not usable now: profile 'mine' reads its api_key from $MY_KEY" in done.out


def test_a_missing_key_and_a_host_that_is_down_are_both_told(
    ohllm: Any, add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    add(NOBODY, "--api-key-env", "MY_KEY")
    lines = ohllm("profiles", "check", "mine").out.splitlines()
    assert len([line for line in lines if line.startswith("not usable now: ")]) == 2


def test_an_address_that_is_malformed_is_no_crash(ohllm: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    settings = {"model": "openai/x", "base_url": "http://user:hush@host:port/v1"}
    (folder / "mine.json").write_text(json.dumps(settings))
    done = ohllm("profiles", "check", "mine")
    assert (done.code, done.err) == (10, "")
    assert "not usable now: the base_url" in done.out and "hush" not in done.out


@pytest.mark.parametrize("model", ["bedrock/x", "some-provider/x", "gpt-4o"])
def test_an_address_that_only_litellm_knows_is_not_asked(
    model: str, ohllm: Any, add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    add(None, "--api-key-env", "MY_KEY", model=model)
    done = ohllm("profiles", "check", "mine")
    assert done.code == 0 and "not asked: only litellm knows how" in done.out


def test_the_embedded_provider_is_usable_and_free(ohllm: Any) -> None:
    done = ohllm("profiles", "check", "sim:parrot")
    assert (done.code, done.err) == (0, "")
    assert "The embedded provider is free." in done.out and "unknown" not in done.out


def test_the_cost_is_told_part_by_part_and_in_total(ohllm: Any, add: Any) -> None:
    add(NOBODY)
    lines = ohllm("profiles", "check", "mine", "--dry-run").out.splitlines()
    rows = {line.partition("│")[0].strip(): line.split("│")[1:] for line in lines if "│" in line}
    whole = plan.plan(gates.STAGES, gates.GATES)
    for part in ("A connects", "B converses", "C calls tools", "D vision", "D reasoning, usage"):
        assert rows[part][-1].strip().startswith("$0.")
    calls, sent, written, cost = (cell.strip() for cell in rows["total, at most"])
    assert (calls, sent) == (str(whole.calls), f"{whole.prompt_tokens:,}")
    assert written == f"{whole.completion_tokens:,}"
    assert cost == f"${whole.cost(plan.price('gpt-4o')):.4f}"


@pytest.mark.parametrize(
    ("options", "at_most"),
    [
        ([], True),
        (["--gates=all"], False),
        (["--gates=-vision,-responses,-server"], False),
        (["--gates=vision"], False),
        (["--stages=A,B,C"], False),
    ],
)
def test_a_number_that_auto_may_lower_is_the_most(
    options: list[str], at_most: bool, ohllm: Any
) -> None:
    done = ohllm("profiles", "check", "sim", *options)
    assert (done.code, "total, at most" in done.out) == (0, at_most)
    assert json.loads(ohllm("profiles", "check", "sim", "--json", *options).out)["plan"][
        "at_most"
    ] is (at_most)


def test_the_run_is_named_with_the_stages_and_gates_that_were_asked_for(ohllm: Any) -> None:
    done = ohllm("profiles", "check", "sim", "--stages", "A,D", "--gates", "mcp, usage")
    command = "pytest --llm-profile=sim --llm-stages=A,D '--llm-gates=mcp, usage'"
    assert done.out.endswith(f": {command}\n")


def test_an_unknown_price_is_said_to_be_unknown(ohllm: Any, add: Any) -> None:
    add(NOBODY, model="openai/my-own-model")
    done = ohllm("profiles", "check", "mine", "--dry-run")
    assert "unknown" in done.out and "$" not in done.out
    assert "--set input_cost_per_token=…" in done.out
    data = json.loads(ohllm("profiles", "check", "mine", "--dry-run", "--json").out)
    assert data["price"] is None and data["plan"]["cost"] is None
    assert {part["cost"] for part in data["plan"]["parts"]} == {None}


def test_the_profiles_own_price_comes_first(ohllm: Any, add: Any) -> None:
    own = ("--set", "input_cost_per_token=1e-6", "--set", "output_cost_per_token=2e-6")
    add(NOBODY, *own)
    done = ohllm("profiles", "check", "mine", "--dry-run", "--stages=A", "--json")
    data = json.loads(done.out)
    assert data["price"] == {"input": 1e-6, "output": 2e-6}
    assert data["plan"]["cost"] == pytest.approx(10 * 1e-6 + 300 * 2e-6)
    said = ohllm("profiles", "check", "mine", "--dry-run").out
    assert "The price is $1.00 for a million tokens sent, $2.00 for a million written." in said


def test_the_check_as_json_has_these_keys(ohllm: Any, add: Any, folder: Path) -> None:
    add(NOBODY, model="openai/my-own-model")
    done = ohllm("profiles", "check", "mine", "--stages=A", "--json")
    assert (done.code, done.err) == (10, "")
    assert json.loads(done.out) == {
        "schema_version": 1,
        "name": "mine",
        "model": "openai/my-own-model",
        "base_url": NOBODY,
        "key": "not needed",
        "secrets": [],
        "source": str(folder / "mine.json"),
        "problem": None,
        "reachable": False,
        "unreachable": {
            "reason": "refused",
            "summary": "nothing listens at 127.0.0.1:9 (connection refused)",
            "next_step": "start the server, or correct the host and port in base_url",
        },
        "protocol": None,
        "key_accepted": None,
        "model_listed": None,
        "diagnosis": None,
        "usable": False,
        "price": None,
        "plan": {
            "at_most": False,
            **CONNECTS,
            "cost": None,
            "parts": [{"stage": "A", "gates": [], **CONNECTS, "cost": None}],
        },
    }


@pytest.mark.parametrize(("options", "reachable"), [((), True), (("--dry-run",), None)])
def test_what_was_not_asked_is_null_in_json(
    options: tuple[str, ...], reachable: bool | None, ohllm: Any, add: Any, listener: socket.socket
) -> None:
    add(_url(listener), model="azure/x")
    data = json.loads(ohllm("profiles", "check", "mine", "--json", *options).out)
    assert (data["reachable"], data["unreachable"], data["usable"]) == (reachable, None, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument"),
        (("nope",), "there is no profile 'nope'"),
        (("sim:parot",), "did you mean 'parrot'?"),
        (("sim", "--stages=A,X"), "--stages=A,X: X names no stage"),
        (("sim", "--stages="), "names no stage"),
        (("sim", "--gates=visoin"), "--gates=visoin: visoin names no gate (did you mean vision?)"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_code_4(
    arguments: tuple[str, ...], message: str, ohllm: Any
) -> None:
    done = ohllm("profiles", "check", *arguments)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("ohllm: error: ") and message in done.err
    assert done.err.count("\n") == 1


def test_neither_pytest_nor_the_sdk_is_imported(folder: Path) -> None:
    program = (
        "import sys\n"
        "from pytest_ohllm.app import cli\n"
        "assert cli.run(['profiles', 'check', 'sim']) == 0\n"
        "heavy = {'pytest', '_pytest', 'openhands', 'litellm', 'starlette', 'httpx'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_the_tables_fit_a_terminal(ohllm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = ohllm("profiles", "check", "sim").out.splitlines()
    assert max(len(line) for line in lines if "│" in line) <= 80
