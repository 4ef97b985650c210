"""A failure made self-sufficient: what is in the capsule, what is not, and what its scripts do."""

from __future__ import annotations

import importlib.util
import json
import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import httpx
import pytest

from pytest_ohllm.evidence import repro_script
from pytest_ohllm.evidence.capsule import (
    OFFLINE,
    REPRO,
    Capsule,
    Evidence,
    read_evidence,
    write_capsule,
)
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolderError
from pytest_ohllm.model import ErrorFacts, ErrorLink, Exchange, Profile, Transcript
from tests.unit.autofix.records import SDK, FakeRun, diagnosis, profile

KEY = "canary-Zk4tq8WvX1s0PlmN7r"
URL = "https://api.example/v1/chat/completions"
ASKED = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}
REFUSED = {"error": {"message": "Unsupported parameter: 'stop'"}}
ANSWERED = {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}


def ended(endpoint: Any) -> None:
    """Stop what a script has started: closed alone, its thread would spin for ever."""
    endpoint.server.shutdown()
    endpoint.server.server_close()


def exchange(request: Any, status: int | None, response: Any, url: str = URL) -> Exchange:
    return Exchange(
        method="POST",
        url=url,
        request=request,
        status=status,
        response=response,
        response_headers={"content-type": "application/json; charset=utf-8"},
    )


def error(kind: str = "openai.BadRequestError", status: int | None = 400) -> ErrorFacts:
    return ErrorFacts(links=(ErrorLink(type=kind, message="no", status=status),))


RED = exchange({**ASKED, "stop": ["x"]}, 400, REFUSED)
GREEN = exchange(ASKED, 200, ANSWERED)
FAILED = Transcript(
    scenario="ask",
    scene={"prompt": "Hello", "stream": False, "changes": {}},
    exchanges=(RED,),
    end="error",
    error=error(),
)

type Fails = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path)


@pytest.fixture
def fails(run: FakeRun) -> Fails:
    """Leaves a failed check with these transcripts and probes; its folder."""

    def leave(
        *made: Transcript, probes: tuple[tuple[str, Exchange | None], ...] = (("works", GREEN),)
    ) -> Path:
        folder = run.leaves("test_it", diagnosis())
        plain = [one.model_dump(mode="json") for one in made]
        (folder / "transcript.json").write_text(json.dumps(plain))
        (folder / "traceback.txt").write_text("Traceback: no\n")
        lines = [
            {
                "probe": {"change": "without stop", "status": 200, "result": result},
                "exchange": one and one.model_dump(mode="json"),
            }
            for result, one in probes
        ]
        (folder / "probes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        return folder

    return leave


def written(folder: Path, to: Path, *, of: Profile | None = None, known: str = KEY) -> Capsule:
    return write_capsule(
        to,
        folder,
        profile=of or profile(),
        sdk=SDK,
        packages={"litellm": "1.2.3"},
        redactor=Redactor({"agent": known}),
    )


def loaded(script: Path) -> ModuleType:
    """The script as a module; it does nothing before it is called."""
    spec = importlib.util.spec_from_file_location("script", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestWhatIsInIt:
    def test_everything_about_the_failure(self, fails: Fails, tmp_path: Path) -> None:
        capsule = written(fails(FAILED), tmp_path / "capsule")

        assert (
            Capsule.model_validate_json((tmp_path / "capsule" / "capsule.json").read_bytes())
            == capsule
        )
        assert (capsule.profile, capsule.sdk) == (profile(), SDK)
        assert capsule.check == "compat_suite.test_b::test_it"
        assert capsule.diagnosis == diagnosis()
        assert capsule.packages == {"litellm": "1.2.3"}
        assert (capsule.online, capsule.offline, capsule.gap) == (True, True, "")
        assert {one.name for one in (tmp_path / "capsule").iterdir()} == {
            "capsule.json",
            "probes.jsonl",
            "repro.py",
            "repro_offline.py",
            "traceback.txt",
        }

    def test_its_files_are_for_their_owner_only(self, fails: Fails, tmp_path: Path) -> None:
        written(fails(FAILED), tmp_path / "capsule")

        for path in (tmp_path / "capsule", *(tmp_path / "capsule").iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0

    def test_written_again_it_is_the_same(self, fails: Fails, tmp_path: Path) -> None:
        folder = fails(FAILED)
        written(folder, tmp_path / "capsule")
        before = {one.name: one.read_bytes() for one in (tmp_path / "capsule").iterdir()}
        written(folder, tmp_path / "capsule")

        after = {one.name: one.read_bytes() for one in (tmp_path / "capsule").iterdir()}
        assert before == after

    def test_no_key_that_turned_up_since_the_run(self, fails: Fails, tmp_path: Path) -> None:
        """The key of the agent was nobody's secret when the run wrote its folder."""
        said = {"error": {"message": f"{KEY} may not use {KEY[:14]}", "key": KEY[::-1]}}
        red = exchange({**ASKED, "stop": [KEY], KEY: 1}, 400, said)
        green = exchange({**ASKED, "user": KEY}, 200, f"data: {KEY}\n\n")
        folder = fails(
            FAILED.model_copy(
                update={
                    "exchanges": (red,),
                    "scene": {"prompt": f"Say {KEY}", "files": {f"{KEY}.txt": KEY}},
                }
            ),
            probes=(("works", green),),
        )
        for name in ("traceback.txt", "provider_traceback.txt", "exchanges.jsonl"):
            (folder / name).write_text(f"x {KEY} {KEY.encode().hex()}\n")
        settings = {"model": "m", "extra_headers": {"x": KEY}, "base_url": f"https://h/{KEY}"}

        written(folder, tmp_path / "capsule", of=Profile(name="gpt", settings=settings))

        assert Redactor({"agent": KEY}).scan_folder(tmp_path / "capsule") == []
        for path in (tmp_path / "capsule").iterdir():
            text = path.read_text()
            assert KEY not in text
            assert KEY[:14] not in text

    def test_no_key_of_a_vendor_either(self, fails: Fails, tmp_path: Path) -> None:
        key = "sk-proj-4fG7hJ9kL2mN5pQ8rS1tU4vW7xY0zA3bC6dE9fG2hJ5kL8mN"
        settings = {"model": "m", "litellm_extra_body": {"token": key}}

        written(fails(FAILED), tmp_path / "capsule", of=Profile(name="gpt", settings=settings))

        assert not any(key in path.read_text() for path in (tmp_path / "capsule").iterdir())


class TestTheScripts:
    def test_they_are_python_and_hold_the_case(self, fails: Fails, tmp_path: Path) -> None:
        """An earlier tool wrote a script that was none, and nobody had ever run it."""
        prompt = '"quotes" \'n \\backslashes\\ \n \'\'\' """ {{braces}} größe \U0001f600  \x00'
        scene = {**FAILED.scene, "prompt": prompt}
        written(fails(FAILED.model_copy(update={"scene": scene})), tmp_path / "capsule")

        for name in (REPRO, OFFLINE):
            source = (tmp_path / "capsule" / name).read_text()
            source.encode("ascii")
            assert max(map(len, source.splitlines())) < 120
            case = loaded(tmp_path / "capsule" / name).CASE
            assert case["scene"]["prompt"] == prompt

        online, offline = (loaded(tmp_path / "capsule" / name).CASE for name in (REPRO, OFFLINE))
        assert "answers" not in online
        assert {**online, "answers": offline["answers"]} == offline

    def test_what_the_case_says(self, fails: Fails, tmp_path: Path) -> None:
        written(fails(FAILED), tmp_path / "capsule")

        case = loaded(tmp_path / "capsule" / OFFLINE).CASE
        assert case["settings"] == {"model": "openai/gpt-5"}
        assert (case["key_variable"], case["wants_key"]) == ("KEY", True)
        assert case["failure"] == {"type": "openai.BadRequestError", "status": 400}
        assert case["base_path"] == "/v1"
        assert case["answers"] == {
            "before": [],
            "red": {"status": 400, "type": "application/json", "body": json.dumps(REFUSED)},
            "green": {"status": 200, "type": "application/json", "body": json.dumps(ANSWERED)},
            "conditions": [{"kind": "present", "path": ["stop"]}],
        }

    @pytest.mark.parametrize(
        ("secrets", "variable", "wants"),
        [
            ({}, "LLM_API_KEY", False),
            ({"api_key": "keyring:gpt"}, "LLM_API_KEY", True),
            ({"api_key": "env:MY_KEY"}, "MY_KEY", True),
            ({"a": "keyring:x", "api_key": "env:MY_KEY"}, "MY_KEY", True),
        ],
    )
    def test_where_the_key_comes_from(
        self, fails: Fails, tmp_path: Path, secrets: dict[str, str], variable: str, wants: bool
    ) -> None:
        about = Profile(name="gpt", settings={"model": "m"}, secrets=secrets)
        written(fails(FAILED), tmp_path / "capsule", of=about)

        case = loaded(tmp_path / "capsule" / REPRO).CASE
        assert (case["key_variable"], case["wants_key"]) == (variable, wants)

    @pytest.mark.parametrize(
        ("base_url", "url", "path"),
        [
            ("https://api.example/v1", URL, "/v1"),
            ("https://api.example/a/b/", URL, "/a/b/"),
            ("https://api.example", URL, ""),
            (None, URL, "/v1"),
            (None, "https://api.example/v1/responses", "/v1"),
            (None, "https://api.example/v1/messages", ""),
            (None, "https://api.example/something", ""),
        ],
    )
    def test_the_path_before_the_operation(
        self, fails: Fails, tmp_path: Path, base_url: str | None, url: str, path: str
    ) -> None:
        settings = {"model": "m"} | ({"base_url": base_url} if base_url else {})
        red = exchange(RED.request, 400, REFUSED, url)
        green = exchange(ASKED, 200, ANSWERED, url)
        folder = fails(FAILED.model_copy(update={"exchanges": (red,)}), probes=(("works", green),))

        written(folder, tmp_path / "capsule", of=Profile(name="gpt", settings=settings))

        assert loaded(tmp_path / "capsule" / OFFLINE).CASE["base_path"] == path

    def test_the_nearest_request_that_worked_is_compared(
        self, fails: Fails, tmp_path: Path
    ) -> None:
        far = exchange({"model": "gpt-5", "messages": [], "x": 1}, 200, {"far": True})
        folder = fails(
            FAILED, probes=(("same", RED), ("works", far), ("works", GREEN), ("works", None))
        )

        written(folder, tmp_path / "capsule")

        green = loaded(tmp_path / "capsule" / OFFLINE).CASE["answers"]["green"]
        assert green["body"] == json.dumps(ANSWERED)

    def test_a_scenario_that_a_setting_has_helped_is_the_one_before_it(
        self, fails: Fails, tmp_path: Path
    ) -> None:
        helped = Transcript(scenario="ask", scene={"prompt": "again"}, exchanges=(GREEN,))

        capsule = written(fails(FAILED, helped), tmp_path / "capsule")

        assert capsule.offline
        assert loaded(tmp_path / "capsule" / OFFLINE).CASE["scene"]["prompt"] == "Hello"


class TestWhereThereIsNoScript:
    def gap(self, capsule: Capsule, folder: Path) -> str:
        assert not (folder / OFFLINE).exists()
        return capsule.gap

    def test_a_failure_of_behaviour(self, fails: Fails, tmp_path: Path) -> None:
        calm = FAILED.model_copy(update={"error": None, "end": "finished"})
        capsule = written(fails(calm), tmp_path / "capsule")

        assert (capsule.online, capsule.offline) == (False, False)
        assert "behaviour" in self.gap(capsule, tmp_path / "capsule")

    def test_a_scenario_with_more_than_a_model_and_a_terminal(
        self, fails: Fails, tmp_path: Path
    ) -> None:
        scene = {"turns": ["x"], "mcp": {"servers": 1}, "resume": False}
        capsule = written(fails(FAILED.model_copy(update={"scene": scene})), tmp_path / "capsule")

        gap = self.gap(capsule, tmp_path / "capsule")
        assert "mcp" in gap
        assert "resume" not in gap

    @pytest.mark.parametrize("left", ["nothing", "half a file", "no list"])
    def test_no_transcript(self, fails: Fails, tmp_path: Path, left: str) -> None:
        folder = fails(FAILED)
        file = folder / "transcript.json"
        file.unlink()
        if left != "nothing":
            file.write_text('[{"scen' if left == "half a file" else "{}")

        capsule = written(folder, tmp_path / "capsule")

        assert (capsule.online, capsule.offline) == (False, False)
        assert capsule.gap

    @pytest.mark.parametrize(
        ("made", "probes"),
        [
            pytest.param(FAILED, (), id="nothing worked"),
            pytest.param(FAILED, (("same", RED), ("differs", GREEN)), id="all of it failed"),
            pytest.param(FAILED, (("works", RED),), id="no difference"),
            pytest.param(
                FAILED.model_copy(update={"exchanges": (exchange(RED.request, None, None),)}),
                (("works", GREEN),),
                id="no answer",
            ),
            pytest.param(FAILED.model_copy(update={"exchanges": ()}), (), id="no request"),
            pytest.param(
                FAILED.model_copy(
                    update={
                        "exchanges": (
                            GREEN,
                            exchange({"input": [{"type": "x"}, {"type": "y"}]}, 400, REFUSED),
                        )
                    }
                ),
                (("works", exchange({"input": [{"type": "y"}]}, 200, ANSWERED)),),
                id="what a recorded answer puts into the history",
            ),
        ],
    )
    def test_no_answers_for_a_twin(
        self,
        fails: Fails,
        tmp_path: Path,
        made: Transcript,
        probes: tuple[tuple[str, Exchange | None], ...],
    ) -> None:
        capsule = written(fails(made, probes=probes), tmp_path / "capsule")

        assert (capsule.online, capsule.offline) == (True, False)
        assert (tmp_path / "capsule" / REPRO).is_file()
        assert not (tmp_path / "capsule" / OFFLINE).exists()
        assert "answer" in capsule.gap

    def test_a_script_of_an_earlier_call_does_not_stay(self, fails: Fails, tmp_path: Path) -> None:
        written(fails(FAILED), tmp_path / "capsule")
        calm = FAILED.model_copy(update={"error": None, "end": "finished"})
        written(fails(calm), tmp_path / "capsule")

        assert not list((tmp_path / "capsule").glob("*.py"))


class TestDamagedEvidence:
    def test_no_result(self, fails: Fails, tmp_path: Path) -> None:
        folder = fails(FAILED)
        (folder / "result.json").unlink()

        with pytest.raises(RunFolderError, match="missing or damaged"):
            written(folder, tmp_path / "capsule")

    def test_no_diagnosis(self, run: FakeRun, tmp_path: Path) -> None:
        with pytest.raises(RunFolderError, match="no diagnosis"):
            written(run.leaves("test_fine", None), tmp_path / "capsule")

    def test_a_probe_that_was_being_written_when_the_run_was_killed(
        self, fails: Fails, tmp_path: Path
    ) -> None:
        folder = fails(FAILED)
        with (folder / "probes.jsonl").open("a") as file:
            file.write('{"probe": {"res')

        assert written(folder, tmp_path / "capsule").offline

    @pytest.mark.parametrize(
        "line",
        [
            "[]",
            "{}",
            '{"probe": {}}',
            '{"probe": {"result": "works"}, "exchange": {"x": 1}}',
            "\xff",
        ],
    )
    def test_a_probe_that_is_none(self, fails: Fails, tmp_path: Path, line: str) -> None:
        folder = fails(FAILED)
        (folder / "probes.jsonl").write_bytes(line.encode("latin-1") + b"\n")

        evidence = read_evidence(folder)

        assert isinstance(evidence, Evidence)
        assert evidence.working is None


class TestTheEndpointOfTheTwin:
    """It answers with the failure for as long as the request has what made the difference."""

    BEFORE: ClassVar = {"status": 200, "type": "application/json", "body": '"before"'}
    RED: ClassVar = {"status": 400, "type": "application/json", "body": '"red"'}
    GREEN: ClassVar = {"status": 200, "type": "text/event-stream", "body": '"green"'}

    def asked(self, answers: dict[str, Any], *bodies: Any) -> list[tuple[int, str]]:
        endpoint = repro_script.Endpoint(
            {"before": [], "red": self.RED, "green": self.GREEN} | answers
        )
        url = endpoint.address("/v1") + "/chat/completions"
        try:
            replies = [
                httpx.post(url, content=json.dumps(body), trust_env=False) for body in bodies
            ]
        finally:
            ended(endpoint)
        self.passed = endpoint.passed
        return [(one.status_code, str(one.json())[:7]) for one in replies]

    def test_red_until_the_difference_is_gone(self) -> None:
        told = {"conditions": [{"kind": "present", "path": ["stop"]}]}

        assert self.asked(told, {"stop": 1}, {"stop": 2}) == [(400, "red")] * 2
        assert not self.passed
        assert self.asked(told, {"stop": 1}, {}) == [(400, "red"), (200, "green")]
        assert self.passed

    def test_what_came_before_comes_first(self) -> None:
        told = {
            "before": [self.BEFORE, self.BEFORE],
            "conditions": [{"kind": "present", "path": ["stop"]}],
        }

        assert self.asked(told, {"stop": 1}, {}, {"stop": 1}, {}) == [
            (200, "before"),
            (200, "before"),
            (400, "red"),
            (200, "green"),
        ]

    def test_what_comes_later_is_not_known(self) -> None:
        told = {"conditions": [{"kind": "present", "path": ["stop"]}]}

        (_, later) = self.asked(told, {}, {"stop": 1})

        assert later[0] == 400
        assert later[1] == "{'error"

    def test_an_answer_that_the_sdk_could_not_read_is_behind_when_it_asks_on(self) -> None:
        assert self.asked({"conditions": []}, {}) == [(400, "red")]
        assert not self.passed
        self.asked({"conditions": []}, {}, {})
        assert self.passed

    def test_what_is_no_json_is_not_the_request_that_failed(self) -> None:
        endpoint = repro_script.Endpoint(
            {
                "before": [],
                "red": self.RED,
                "green": self.GREEN,
                "conditions": [{"kind": "present", "path": ["stop"]}],
            }
        )
        answer = endpoint.answer("/v1/chat/completions", b"\xff{")
        ended(endpoint)

        assert answer == self.GREEN


class TestTheJudgement:
    """What the script concludes from how the SDK's call ended."""

    @pytest.fixture
    def script(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        case = {"failure": {"type": "openai.BadRequestError", "status": 400}}
        monkeypatch.setattr(repro_script, "CASE", case)
        return repro_script

    class Refusal(Exception):
        def __init__(self, status: int) -> None:
            super().__init__(f"HTTP {status}")
            self.status_code = status

    @pytest.fixture
    def endpoint(self, script: ModuleType) -> Any:
        made = script.Endpoint(
            {"before": [], "conditions": [{"kind": "present", "path": ["stop"]}]}
            | {"red": {"status": 400, "type": "x", "body": ""}}
            | {"green": {"status": 200, "type": "x", "body": ""}}
        )
        yield made
        ended(made)

    def test_the_same_status_is_red(self, script: ModuleType) -> None:
        assert script.judged(self.Refusal(400), None) == 1

    def test_another_status_is_something_else(self, script: ModuleType) -> None:
        assert script.judged(self.Refusal(401), None) == 3

    def test_an_error_of_the_script_is_something_else(self, script: ModuleType) -> None:
        """An earlier tool's script failed by itself, which it took for the failure."""
        assert script.judged(TypeError("unhashable type: 'dict'"), None) == 3

    def test_no_error_is_green(self, script: ModuleType) -> None:
        assert script.judged(None, None) == 0

    def test_the_step_that_failed_is_behind(self, script: ModuleType, endpoint: Any) -> None:
        endpoint.answer("/v1/chat/completions", b"{}")

        assert script.judged(self.Refusal(400), endpoint) == 0
        assert script.judged(None, endpoint) == 0

    def test_an_error_that_is_swallowed_makes_nothing_green(
        self, script: ModuleType, endpoint: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The SDK could be changed to pass over the refusal instead of sending something else."""
        endpoint.answer("/v1/chat/completions", b'{"stop": 1}')

        assert script.judged(None, endpoint) == 1
        assert capsys.readouterr().out.startswith("RED")

    def test_a_request_that_never_came_makes_nothing_green(
        self, script: ModuleType, endpoint: Any
    ) -> None:
        assert script.judged(None, endpoint) == 3

    def test_an_answer_that_can_be_read_now_is_green(self, script: ModuleType) -> None:
        made = script.Endpoint({"before": [], "conditions": [], "red": {}, "green": {}})
        made.answer("/v1/chat/completions", b"{}")
        ended(made)

        assert script.judged(None, made) == 0

    def test_an_exception_without_a_status_is_known_by_its_type(
        self, script: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        case = {"failure": {"type": "builtins.KeyError", "status": None}}
        monkeypatch.setattr(script, "CASE", case)
        outer = RuntimeError("outer")
        outer.__cause__ = KeyError("inner")

        assert script.judged(outer, None) == 1
        assert script.judged(RuntimeError("outer"), None) == 3
        assert script.judged(KeyError("inner"), None) == 1

    def test_a_chain_of_errors_that_leads_back_to_itself(self, script: ModuleType) -> None:
        one, two = RuntimeError("one"), self.Refusal(400)
        one.__cause__, two.__cause__ = two, one

        assert script.judged(one, None) == 1
