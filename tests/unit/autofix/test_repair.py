"""The rounds of a repair, with an agent and a proof that do as the test says; git is real."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.autofix import repair as module
from pytest_ohllm.autofix.agent import AgentRun, Limits
from pytest_ohllm.autofix.checkout import Checkout
from pytest_ohllm.autofix.errors import AutofixError, NotFixed
from pytest_ohllm.autofix.job import Cause, Row
from pytest_ohllm.autofix.policy import PatchRefused
from pytest_ohllm.autofix.pull_request import title
from pytest_ohllm.autofix.repair import PATCH, Repair
from pytest_ohllm.autofix.state import PLACE, Folder, State
from pytest_ohllm.autofix.story import commit, tell
from pytest_ohllm.autofix.validation import Validated
from pytest_ohllm.autofix.workshop import Workshop
from pytest_ohllm.evidence.capsule import Capsule
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Profile, Revision, Usage
from tests.unit.autofix.records import SDK, diagnosis, failure, profile, source
from tests.unit.autofix.repositories import MODULE, TEST, Repository

KEY = "canary-Zk4tq8WvX1s0PlmN7r"
GREEN = Validated((Row(step="repro", before="red", after="green"),))
RED = Validated((Row(step="repro", before="red", after="red", passed=False),), f"it said {KEY}")

type Acts = Callable[[Path], None]


def run(status: Any = "finished", **fields: Any) -> AgentRun:
    given = {"cost": 0.5, "usage": Usage(), "seconds": 1.0, "message": "It is right.", **fields}
    return AgentRun(status=status, conversation="c1", **given)


@dataclass
class Model:
    """A connection, of which the rounds need the profile alone."""

    profile: Profile


@dataclass
class Bench:
    """A repair, with what the agent does in each round and what the proofs say to it."""

    repository: Repository
    folder: Folder
    repair: Repair
    rounds: list[tuple[Acts, AgentRun]] = field(default_factory=list)
    verdicts: list[Validated] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    judged: list[list[str]] = field(default_factory=list)

    def agent(
        self, words: str, connection: Any, sandbox: Any, limits: Limits, *rest: Any, **named: Any
    ) -> AgentRun:
        acts, ended = self.rounds.pop(0)
        self.asked.append(
            {"words": words, "model": connection.profile.name, "limits": limits, **named}
        )
        acts(sandbox.worktree)
        return ended

    def of(self, changed: Any, files: Sequence[str]) -> Validated:
        self.judged.append(list(files))
        return self.verdicts.pop(0)

    def start(self, state: State | None = None) -> State:
        base = self.repository.git("rev-parse", "main")
        return self.repair.run(state or State(base=base))


@pytest.fixture
def bench(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(PLACE, str(tmp_path / "state"))
    cause = Cause(failures=(failure(),), source=source())
    folder = Folder(cause)
    checkout = Checkout.find(repository.root, Revision(version=None, path=None))
    made = Repair(
        cause=cause,
        capsule=Capsule(profile=profile(), check="c", node="n", diagnosis=diagnosis(), sdk=SDK),
        capsule_folder=tmp_path / "capsule",
        workshop=Workshop(checkout, folder.path, (), (), unsafe=False),
        validation=None,  # type: ignore[arg-type]
        connections=[Model(profile("one")), Model(profile("two"))],  # type: ignore[list-item]
        limits=Limits(cost=2.0, minutes=1, iterations=5),
        redactor=Redactor({"agent": KEY}),
        folder=folder,
        say=lambda _: None,
    )
    found = Bench(repository, folder, made)
    made.validation = found  # type: ignore[assignment]
    monkeypatch.setattr(module, "run_agent", found.agent)
    return found


def repairs(worktree: Path) -> None:
    (worktree / MODULE).write_text("def double(x):\n    return 2 * x\n")


def nothing(worktree: Path) -> None:
    """Changes nothing."""


def weakens(worktree: Path) -> None:
    repairs(worktree)
    (worktree / TEST).write_text("def test_double():\n    pass\n")


def tells_the_key(worktree: Path) -> None:
    (worktree / MODULE).write_text(f"KEY = '{KEY}'\n")


class TestOneRound:
    def test_a_change_that_is_proved(self, bench: Bench) -> None:
        bench.rounds, bench.verdicts = [(repairs, run())], [GREEN]

        state = bench.start()

        assert state == bench.folder.read()
        assert (state.proved, state.rounds, state.cost) == (True, 1, 0.5)
        assert (state.rows, state.rationale) == (GREEN.rows, "It is right.")
        assert bench.judged == [[MODULE]]
        assert bench.asked[0]["conversation"] is None

    def test_the_patch_is_kept_as_git_takes_it(self, bench: Bench) -> None:
        bench.rounds, bench.verdicts = [(repairs, run())], [GREEN]
        state = bench.start()

        bench.repository.git("apply", "--index", str(bench.folder.path / PATCH))

        assert bench.repository.git("write-tree") == state.tree

    def test_what_looks_like_a_key_beside_the_change_leaves_the_patch_fit(
        self, bench: Bench
    ) -> None:
        fake = "sk-proj-1aB2cD3eF4gH5iJ6kL7mN8oP9qR0sT1uV2wX3yZ4aB5cD6eF"
        bench.repository.write(MODULE, f"KEY = '{fake}'\nx = 1\n")
        bench.repository.commit()

        def changes(worktree: Path) -> None:
            (worktree / MODULE).write_text(f"KEY = '{fake}'\nx = 2\n")

        bench.rounds, bench.verdicts = [(changes, run())], [GREEN]
        bench.start()

        patch = bench.folder.path / PATCH
        assert fake in patch.read_text()
        bench.repository.git("apply", str(patch))
        assert (bench.repository.root / MODULE).read_text() == f"KEY = '{fake}'\nx = 2\n"

    @pytest.mark.parametrize("status", ["stuck", "iteration_limit", "budget", "timeout"])
    def test_how_the_agent_ended_does_not_matter_if_the_change_is_right(
        self, bench: Bench, status: str
    ) -> None:
        bench.rounds, bench.verdicts = [(repairs, run(status))], [GREEN]

        assert bench.start().proved

    def test_an_agent_that_could_not_work_is_an_error(self, bench: Bench) -> None:
        """An earlier tool took an agent that had exited with 7 for a success."""
        bench.rounds = [(repairs, run("error", problem="exit code 7"))]

        with pytest.raises(AutofixError, match="exit code 7") as raised:
            bench.start()

        assert raised.value.exit_code == 10
        assert bench.judged == []

    def test_the_agents_own_commit_is_a_part_of_the_change(self, bench: Bench) -> None:
        """An earlier tool saw nothing of what the agent had committed, or had not staged."""

        def commits(worktree: Path) -> None:
            repairs(worktree)
            inner = Repository(worktree)
            inner.commit("mine")
            inner.write("tests/sdk/llm/test_new.py", "def test_it():\n    assert True\n")

        bench.rounds, bench.verdicts = [(commits, run())], [GREEN]
        bench.start()

        assert bench.judged == [[MODULE, "tests/sdk/llm/test_new.py"]]


class TestTwoRounds:
    @pytest.mark.parametrize(
        ("first", "reason"),
        [(nothing, "the patch is empty"), (weakens, "weakens tests/"), (tells_the_key, "a secret")],
    )
    def test_a_refused_change_may_be_repaired(self, bench: Bench, first: Acts, reason: str) -> None:
        def corrects(worktree: Path) -> None:
            Repository(worktree).git("checkout", "--quiet", ".")
            repairs(worktree)

        bench.rounds, bench.verdicts = [(first, run()), (corrects, run())], [GREEN]

        state = bench.start()

        assert (state.proved, state.rounds, state.cost) == (True, 2, 1.0)
        assert reason in bench.asked[1]["words"]
        assert bench.asked[1]["conversation"] == "c1"
        assert bench.asked[1]["limits"].cost == 1.5

    def test_a_change_that_does_not_help_may_be_repaired(self, bench: Bench) -> None:
        bench.rounds, bench.verdicts = [(repairs, run()), (nothing, run())], [RED, GREEN]

        assert bench.start().proved
        assert "repro: red" in bench.asked[1]["words"]
        assert KEY not in bench.asked[1]["words"]

    def test_a_second_one_that_is_no_better_is_the_last(self, bench: Bench) -> None:
        bench.rounds, bench.verdicts = [(repairs, run()), (nothing, run("stuck"))], [RED, RED]

        with pytest.raises(NotFixed, match="repro: red") as raised:
            bench.start()

        assert raised.value.exit_code == 1
        assert "stuck" in raised.value.problem
        assert KEY not in raised.value.problem
        kept = bench.folder.read()
        assert (kept.rows, kept.proved, kept.cost) == (RED.rows, False, 1.0)
        assert kept.tree == "", "the next call does not begin with it"

    def test_a_second_one_that_is_refused_is_the_last(self, bench: Bench) -> None:
        bench.rounds = [(nothing, run()), (tells_the_key, run())]

        with pytest.raises(PatchRefused) as raised:
            bench.start()

        assert raised.value.exit_code == 2
        assert bench.judged == []
        assert KEY not in (bench.folder.path / PATCH).read_text()

    @pytest.mark.parametrize("status", ["budget", "timeout"])
    def test_there_is_none_when_nothing_is_left_for_it(self, bench: Bench, status: str) -> None:
        bench.rounds, bench.verdicts = [(repairs, run(status))], [RED]

        with pytest.raises(NotFixed):
            bench.start()

    def test_there_is_none_when_the_money_is_spent(self, bench: Bench) -> None:
        bench.rounds, bench.verdicts = [(repairs, run(cost=2.5))], [RED]

        with pytest.raises(NotFixed):
            bench.start()


class TestModels:
    def test_the_next_one_is_asked_where_a_provider_fails(self, bench: Bench) -> None:
        bench.rounds = [
            (nothing, run("error", problem="HTTP 500", from_provider=True)),
            (repairs, run()),
        ]
        bench.verdicts = [GREEN]

        assert bench.start().proved
        assert [one["model"] for one in bench.asked] == ["one", "two"]

    def test_no_other_one_is_asked_where_the_fault_is_not_the_providers(self, bench: Bench) -> None:
        bench.rounds = [(nothing, run("error", problem="no such tool"))]

        with pytest.raises(AutofixError, match="no such tool"):
            bench.start()

    def test_all_of_them_fail(self, bench: Bench) -> None:
        down = run("error", problem="HTTP 500", from_provider=True)
        bench.rounds = [(nothing, down), (nothing, down)]

        with pytest.raises(AutofixError, match="HTTP 500"):
            bench.start()


class TestGoingOn:
    def made(self, bench: Bench) -> State:
        """The state after a change was made, before it was proved."""
        bench.rounds, bench.verdicts = [(repairs, run())], [GREEN]
        state = bench.start()
        bench.asked.clear()
        bench.judged.clear()
        return state

    def test_what_is_proved_is_not_done_again(self, bench: Bench) -> None:
        state = self.made(bench)

        assert bench.start(state) == state
        assert (bench.asked, bench.judged) == ([], [])

    def test_what_was_not_proved_yet_is_proved_without_an_agent(self, bench: Bench) -> None:
        state = self.made(bench).model_copy(update={"proved": False, "rows": ()})
        bench.verdicts = [GREEN]

        again = bench.start(state)

        assert (again.proved, again.tree) == (True, state.tree)
        assert bench.asked == []

    def test_what_turns_out_wrong_is_made_anew(self, bench: Bench) -> None:
        state = self.made(bench).model_copy(update={"proved": False, "rows": ()})
        bench.rounds, bench.verdicts = [(repairs, run())], [RED, GREEN]

        assert bench.start(state).proved
        assert bench.asked[0]["conversation"] is None

    def test_the_agent_begins_in_a_fresh_worktree(self, bench: Bench) -> None:
        left = bench.repair.workshop.work(bench.repository.git("rev-parse", "main"), fresh=True)
        (left.worktree / "left.txt").write_text("of a killed run")
        (left.scratch / "left.txt").write_text("of a killed run")

        def looks(worktree: Path) -> None:
            assert not (worktree / "left.txt").exists()
            assert not (left.scratch / "left.txt").exists()
            repairs(worktree)

        bench.rounds, bench.verdicts = [(looks, run())], [GREEN]

        assert bench.start().proved


class TestTheCommit:
    def committed(self, bench: Bench, rationale: str = "It is right.") -> str:
        bench.rounds, bench.verdicts = [(repairs, run(message=rationale))], [GREEN]
        state = bench.folder.read()
        state = state if state.proved else bench.start()
        repair = bench.repair
        story = tell(
            repair.cause, repair.capsule, repair.capsule_folder, state, None, repair.redactor
        )
        made = commit(repair.workshop.checkout, repair.cause, state, story)
        assert bench.repository.git("show", "-s", "--format=%s", made) == title(story)
        return made

    def test_it_stands_on_a_branch_of_its_own(self, bench: Bench) -> None:
        before = bench.repository.git("rev-parse", "HEAD")
        made = self.committed(bench)

        branch = bench.repair.cause.branch
        assert bench.repository.git("rev-parse", branch) == made
        assert bench.repository.git("rev-parse", f"{branch}^") == before
        assert bench.repository.git("rev-parse", "HEAD") == before
        assert bench.repository.git("diff", "--name-only", "main", branch) == MODULE

    def test_made_again_it_is_the_same(self, bench: Bench) -> None:
        """An earlier tool committed in a dry run, and had no changes left for the real one."""
        made = self.committed(bench)

        assert self.committed(bench) == made
        assert (
            bench.repository.git("rev-list", "--count", f"main..{bench.repair.cause.branch}") == "1"
        )

    def test_its_message_holds_no_key(self, bench: Bench) -> None:
        made = self.committed(bench, f"I used {KEY} to try it.")

        message = bench.repository.git("show", "-s", "--format=%B", made)
        assert "to try it" in message
        assert KEY not in message

    def test_its_author_is_the_user_where_git_knows_one(self, bench: Bench) -> None:
        bench.repository.git("config", "user.name", "A Person")
        bench.repository.git("config", "user.email", "person@example.org")

        made = self.committed(bench)

        author = bench.repository.git("show", "-s", "--format=%an <%ae>, %cn", made)
        assert author == "A Person <person@example.org>, A Person"

    def test_hooks_of_the_user_do_not_hold_it_up(self, bench: Bench, tmp_path: Path) -> None:
        for name in ("commit-msg", "pre-commit", "reference-transaction"):
            hook = bench.repository.root / ".git" / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'marker'}\nexit 1\n")
            hook.chmod(0o755)

        self.committed(bench)

        assert not (tmp_path / "marker").exists()
