"""``ohllm profiles import``, ``export``, ``presets``, and ``add --preset``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.profiles.connection import resolve
from pytest_ohllm.profiles.store import load
from tests import secret_service
from tests.app.terminal import dialogue

KEY = "sk-canary-0123456789"
LOCAL = {"model": "openai/x", "base_url": "http://localhost:1/v1"}
KEYS_OF_A_PRESET = (
    *("name", "title", "prefix", "example", "model", "secrets", "address", "base_url"),
    *("key_prefixes", "settings", "notes"),
)
TYPICAL = LOCAL | {"temperature": 0.5, "api_key": KEY, "usage_id": "agent", "top_p": None}


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with secret_service.running() as address, secret_service.used(address, monkeypatch):
        yield


def written(path: Path, data: Any) -> str:
    path.write_text(json.dumps(data))
    return str(path)


class TestImport:
    @pytest.mark.parametrize(
        "data",
        [
            {"llm": TYPICAL, "tools": [], "kind": "Agent"},
            {"id": "1", "agent": {"llm": TYPICAL, "kind": "Agent"}},
            {"schema_version": 1, "agent_settings": {"llm": TYPICAL}},
        ],
        ids=["agent_settings", "base_state", "settings"],
    )
    def test_takes_over_settings_and_leaves_the_key_behind(
        self, data: Any, ohllm: Any, folder: Path, tmp_path: Path
    ) -> None:
        source = written(tmp_path / "source.json", data)
        done = ohllm("profiles", "import", source, "--name", "mine", "--yes")
        assert done.code == 0 and "saved profile 'mine'" in done.out
        assert "api_key: stands in the source, and is left behind" in done.err
        profile = load("mine", folder=folder)
        assert (profile.settings["temperature"], profile.settings["usage_id"]) == (0.5, "agent")
        assert profile.base_url == LOCAL["base_url"] and profile.secrets == {}
        assert "canary" not in done.out + done.err + (folder / "mine.json").read_text()
        assert json.loads(Path(source).read_text()) == data

    def test_takes_a_real_agent_of_the_sdk(self, ohllm: Any, folder: Path, tmp_path: Path) -> None:
        from pytest_ohllm.sdk import environment

        environment.load()
        with environment.sealed():
            from openhands.sdk import LLM, Agent

            llm = LLM(model="openai/x", api_key=KEY, base_url=LOCAL["base_url"], seed=3)
            agent = Agent(llm=llm, tools=[])
            data = agent.model_dump(mode="json", context={"expose_secrets": True})
        source = written(tmp_path / "agent_settings.json", data)
        done = ohllm("profiles", "import", source, "--name", "mine", "--yes", "--api-key-env", "K")
        assert done.code == 0 and "left out" not in done.err
        profile = load("mine", folder=folder)
        assert (profile.settings["seed"], profile.secrets) == (3, {"api_key": "env:K"})

    def test_names_the_variables_of_the_environment(
        self, ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in zip(("MODEL", "BASE_URL"), LOCAL.values(), strict=True):
            monkeypatch.setenv(f"LLM_{name}", value)
        monkeypatch.setenv("LLM_API_KEY", KEY)
        done = ohllm("profiles", "import", "env", "--name", "mine", "--yes")
        assert done.code == 0 and "api_key: from $LLM_API_KEY" in done.err
        profile = load("mine", folder=folder)
        assert profile.secrets == {"api_key": "env:LLM_API_KEY"}
        assert resolve(profile).secrets["api_key"].get_secret_value() == KEY

    @pytest.mark.usefixtures("keyring")
    def test_copies_a_key_to_the_keyring_when_told_so(
        self, ohllm: Any, folder: Path, tmp_path: Path
    ) -> None:
        source = written(tmp_path / "source.json", {"llm": TYPICAL})
        arguments = ("profiles", "import", source, "--name", "mine", "--yes", "--copy-keys")
        assert ohllm(*arguments).code == 0
        assert resolve(load("mine", folder=folder)).secrets["api_key"].get_secret_value() == KEY
        asked = dialogue(
            ["profiles", "import", source, "--name", "other"],
            [("Copy the api_key of 'other' to the keyring?", "n"), ("Save 'other'?", "y")],
        )
        assert asked.code == 0 and KEY not in asked.shown
        assert load("other", folder=folder).secrets == {}

    def test_says_what_it_leaves_out(self, ohllm: Any, folder: Path, tmp_path: Path) -> None:
        more = {
            "of_old": 1,
            "provider_connection_id": "shared",
            "extra_headers": {"Authorization": "Bearer hush"},
            "aws_session_token": "**********",
            "aws_secret_access_key": "gAAAAABsomething",
        }
        source = written(tmp_path / "source.json", {"llm": LOCAL | more})
        done = ohllm("profiles", "import", source, "--name", "mine", "--yes", "--json")
        (profile,) = json.loads(done.out)["profiles"]
        assert [line.split(":")[0] for line in profile["left_out"]] == [
            "of_old",
            "provider_connection_id",
            "aws_session_token",
            "aws_secret_access_key is encrypted",
            "extra_headers.Authorization",
        ]
        assert "hush" not in done.out + done.err + (folder / "mine.json").read_text()

    @pytest.mark.parametrize(
        ("data", "more", "message"),
        [
            ({"llm": TYPICAL}, ("--yes",), "does not name its profile: give --name NAME"),
            (
                {"llm": TYPICAL},
                ("--name", "x"),
                "no terminal to ask on: say so with --yes",
            ),
            ({"llm": TYPICAL}, ("--name", "sim", "--yes"), "'sim' is a built-in profile"),
            ({"llm": TYPICAL | {"top_p": 7}}, ("--name", "x", "--yes"), "top_p"),
            ({"llm": TYPICAL}, ("--name", "x", "--api-key-env", KEY, "--yes"), "give the NAME"),
            ({"nothing": 1}, ("--name", "x", "--yes"), "holds no connection that is known here"),
            ([1], ("--yes",), "expected a JSON object"),
        ],
    )
    def test_a_mistake_saves_nothing(
        self,
        data: Any,
        more: tuple[str, ...],
        message: str,
        ohllm: Any,
        folder: Path,
        tmp_path: Path,
    ) -> None:
        done = ohllm("profiles", "import", written(tmp_path / "source.json", data), *more)
        assert (done.code, done.out) == (4, "") and message in done.err.splitlines()[-1]
        assert not list(folder.glob("*.json")) and "canary" not in done.err

    def test_a_source_that_is_not_there_is_told(
        self, ohllm: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("LLM_MODEL", raising=False)
        assert "there is no file /nowhere" in ohllm("profiles", "import", "/nowhere").err
        assert "$LLM_MODEL is not set" in ohllm("profiles", "import", "env").err


class TestExport:
    @pytest.fixture
    def profiles(self, ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", KEY)
        base = ("profiles", "add")
        words = ("--model", "openai/x", "--base-url", "http://user:hush@localhost:1/v1")
        headers = 'extra_headers={"Authorization": "Bearer hush", "X-Org": "hush"}'
        body = 'litellm_extra_body={"a": 1, "b": {"proxy_token": "hush", "c": 2}}'
        assert not ohllm(*base, "one", *words, "--set", headers, "--set", body).code
        assert not ohllm(*base, "two", "--model", "openai/y", "--api-key-env", "MY_KEY").code
        (folder / "three.json").write_text(json.dumps(TYPICAL))

    @pytest.mark.usefixtures("profiles")
    def test_holds_no_secret_and_travels(self, ohllm: Any, folder: Path, tmp_path: Path) -> None:
        done = ohllm("profiles", "export")
        assert done.code == 0 and "hush" not in done.out and "canary" not in done.out
        data = json.loads(done.out)
        assert set(data) == {"kind", "schema_version", "profiles"}
        one, three, two = data["profiles"]
        assert [set(entry) for entry in (one, two, three)] == [
            {"name", "settings", "secrets", "left_out"}
        ] * 3
        assert one["settings"]["base_url"] == "http://localhost:1/v1"
        assert one["settings"]["litellm_extra_body"] == {"a": 1, "b": {"c": 2}}
        assert one["left_out"] == [
            "user and password of base_url",
            "extra_headers.Authorization",
            "extra_headers.X-Org",
            "litellm_extra_body.b.proxy_token",
        ]
        assert (two["secrets"], three["left_out"]) == ({"api_key": "env:MY_KEY"}, ["api_key"])
        before = load("two", folder=folder)
        for name in ("one", "two", "three"):
            assert ohllm("profiles", "remove", name, "--yes").code == 0
        path = tmp_path / "export.json"
        path.write_text(done.out)
        assert ohllm("profiles", "import", str(path), "--yes").code == 0
        assert load("two", folder=folder) == before

    @pytest.mark.usefixtures("profiles")
    def test_writes_a_new_file_and_never_over_one(self, ohllm: Any, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        arguments = ("profiles", "export", "two", "--output", str(path), "--json")
        expected = {"schema_version": 1, "file": str(path), "profiles": ["two"]}
        assert json.loads(ohllm(*arguments).out) == expected
        assert [one["name"] for one in json.loads(path.read_text())["profiles"]] == ["two"]
        again = ohllm(*arguments)
        assert again.code == 4 and "exists: give --output another name" in again.err

    def test_nothing_to_export_is_told(self, ohllm: Any) -> None:
        assert "there are no profiles in" in ohllm("profiles", "export").err
        assert "'sim' is built in everywhere" in ohllm("profiles", "export", "sim").err

    def test_a_key_reference_of_another_machine_is_not_followed(
        self, ohllm: Any, folder: Path, tmp_path: Path
    ) -> None:
        entry = {"name": "p", "settings": LOCAL, "secrets": {"api_key": "keyring:pytest-ohllm/x"}}
        data = {"kind": "pytest-ohllm profiles", "schema_version": 1, "profiles": [entry]}
        done = ohllm("profiles", "import", written(tmp_path / "e.json", data), "--yes")
        assert done.code == 0 and "belongs to another machine" in done.err
        assert load("p", folder=folder).secrets == {}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"schema_version": 2}, "schema_version is 2"),
            ({"profiles": 5}, "is a damaged export"),
            ({"profiles": [{"name": "p"}]}, "is a damaged export"),
        ],
    )
    def test_an_export_that_is_not_understood_is_told(
        self, change: Any, message: str, ohllm: Any, tmp_path: Path
    ) -> None:
        data = {"kind": "pytest-ohllm profiles", "schema_version": 1, "profiles": []} | change
        done = ohllm("profiles", "import", written(tmp_path / "e.json", data), "--yes")
        assert done.code == 4 and message in done.err


class TestPresets:
    def test_are_listed(self, ohllm: Any) -> None:
        done = ohllm("profiles", "presets")
        assert done.code == 0 and "openrouter" in done.out and "$GROQ_API_KEY" in done.out

    def test_are_listed_as_json_with_these_keys(self, ohllm: Any) -> None:
        data = json.loads(ohllm("profiles", "presets", "--json").out)
        assert set(data) == {"schema_version", "presets"}
        assert {frozenset(one) for one in data["presets"]} == {frozenset(KEYS_OF_A_PRESET)}

    def test_fill_in_what_the_provider_needs(
        self, ohllm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        done = ohllm("profiles", "add", "free", "--preset", "openrouter/qwen/qwen3-coder:free")
        assert done.code == 0 and "does not look like one of OpenRouter's" in done.err
        profile = load("free", folder=folder)
        assert profile.model == "openrouter/qwen/qwen3-coder:free" and profile.base_url is None
        assert profile.secrets == {"api_key": "env:OPENROUTER_API_KEY"}
        assert ohllm("profiles", "add", "here", "--preset", "ollama/qwen3:8b").code == 0
        here = load("here", folder=folder)
        assert (here.model, here.base_url) == ("ollama_chat/qwen3:8b", "http://localhost:11434")

    def test_what_is_given_wins(self, ohllm: Any, folder: Path) -> None:
        done = ohllm(
            *("profiles", "add", "az", "--preset", "azure", "--model", "azure/dep"),
            *("--base-url", "https://me.openai.azure.com", "--set", "api_version=2025-01-01"),
            *("--api-key-env", "MINE"),
        )
        assert done.code == 0
        profile = load("az", folder=folder)
        assert (profile.model, profile.base_url) == ("azure/dep", "https://me.openai.azure.com")
        assert profile.settings["api_version"] == "2025-01-01"
        assert profile.secrets == {"api_key": "env:MINE"}

    def test_secrets_that_are_not_named_are_where_they_usually_are(
        self, ohllm: Any, folder: Path
    ) -> None:
        base = ("profiles", "add", "--preset", "bedrock/x")
        assert not ohllm(*base, "a", "--secret-env", "aws_access_key_id=MINE").code
        assert load("a", folder=folder).secrets == {
            "aws_access_key_id": "env:MINE",
            "aws_secret_access_key": "env:AWS_SECRET_ACCESS_KEY",
        }
        assert not ohllm(*base, "b", "--api-key-env", "BEARER").code
        assert load("b", folder=folder).secrets == {"api_key": "env:BEARER"}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--preset", "opnai/x"), "there is no preset 'opnai' (did you mean 'openai'?)"),
            (("--preset", "openai"), "names no model: write it as --preset openai/gpt-4o-mini"),
            (("--preset", "openai/x", "--model", "y"), "the model is given twice"),
            (
                ("--preset", "azure/x"),
                "give --base-url https://{resource}.openai.azure.com",
            ),
        ],
    )
    def test_a_mistake_saves_nothing(
        self, arguments: tuple[str, ...], message: str, ohllm: Any, folder: Path
    ) -> None:
        done = ohllm("profiles", "add", "x", *arguments)
        assert (done.code, done.out) == (4, "") and message in done.err
        assert not folder.exists()
