"""The rounds of a repair: the agent changes the SDK, the rules and the proofs judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_ohllm.autofix import task
from pytest_ohllm.autofix.agent import AgentRun, Limits, run_agent
from pytest_ohllm.autofix.errors import AutofixError, NotFixed
from pytest_ohllm.autofix.job import Cause
from pytest_ohllm.autofix.policy import Patch, PatchRefused
from pytest_ohllm.autofix.state import Folder, State
from pytest_ohllm.autofix.validation import Validated, Validation
from pytest_ohllm.autofix.workshop import Workshop
from pytest_ohllm.evidence.capsule import Capsule
from pytest_ohllm.evidence.files import replace_file
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.profiles.connection import Connection

ROUNDS = 2
PATCH = "change.patch"


@dataclass
class Repair:
    """One cause in the agent's hands. ``connections``: the model that fixes, then its fallbacks."""

    cause: Cause
    capsule: Capsule
    capsule_folder: Path
    workshop: Workshop
    validation: Validation
    connections: Sequence[Connection]
    limits: Limits
    redactor: Redactor
    folder: Folder
    say: Callable[[str], None]

    def run(self, state: State) -> State:
        """Let the agent try, at most twice, until the change is proved.

        Raises PatchRefused and NotFixed with what was wrong in the last round.
        """
        if state.tree and state.proved:
            return state
        if state.tree:
            # The process was stopped between the change and its proof.
            patch = Patch(self.workshop.checkout.git, state.base, state.tree)
            try:
                return self._judged(state, self._validated(patch), None)
            except NotFixed as error:
                self.say(f"what was there is not accepted: {error.problem.splitlines()[0]}")
        words, conversation = self._first_words(), None
        for number in range(1, ROUNDS + 1):
            run = self._agent(state, words, conversation, number)
            state = state.model_copy(
                update={
                    "rounds": number,
                    "cost": state.cost + (run.cost or 0.0),
                    "rationale": run.message or state.rationale,
                }
            )
            self.folder.keep(state)
            try:
                patch = self._patch(state.base)
                state = self.folder.keep(state.model_copy(update={"tree": patch.tree}))
                return self._judged(state, self._validated(patch), run)
            except (PatchRefused, NotFixed) as error:
                if number == ROUNDS or not self._may_go_on(state, run):
                    # The next call begins anew, on what is the base then.
                    self.folder.keep(self.folder.read().model_copy(update={"tree": ""}))
                    raise
                self.say(f"round {number} is not accepted: {error.problem.splitlines()[0]}")
                words, conversation = task.again(error.problem), run.conversation
                state = self.folder.keep(state.model_copy(update={"tree": ""}))
        raise AssertionError("a round returns or raises")

    def _first_words(self) -> str:
        return task.task(self.cause, self.capsule, self.capsule_folder)

    def _agent(self, state: State, words: str, conversation: str | None, number: int) -> AgentRun:
        """One run of the agent, with the next model where one fails."""
        sandbox = self.workshop.work(state.base, fresh=conversation is None)
        left = replace(self.limits, cost=max(0.01, self.limits.cost - state.cost))
        run: AgentRun | None = None
        for connection in self.connections:
            name = connection.profile.name
            self.say(f"round {number}: {name} ({connection.profile.model}) at work")
            run = run_agent(
                words,
                connection,
                sandbox,
                left,
                self.folder.path / f"agent-{number}-{name.replace(':', '-')}",
                self.redactor,
                lambda line: self.say(f"  {line}"),
                conversation=conversation,
            )
            self.say(f"round {number}: {run.status} after {run.seconds:.0f} s{_told(run)}")
            if not run.from_provider:
                break
        assert run is not None
        if run.status == "error":
            raise AutofixError(
                f"the agent could not work: {run.problem or 'no reason is known'}",
                "look at the transcript in the folder below, or give another --agent-profile",
            )
        return run

    def _patch(self, base: str) -> Patch:
        """The agent's change, kept as a file and judged by the rules."""
        patch = self.workshop.change(base)
        content = patch.content
        replace_file(self.folder.path / PATCH, self.redactor.value(content))
        patch.check(self.redactor)
        # What looks like a key in there now was in the SDK before; redacted, it would not apply.
        replace_file(self.folder.path / PATCH, content)
        self.say(f"the change touches {', '.join(patch.files)}")
        return patch

    def _validated(self, patch: Patch) -> Validated:
        return self.validation.of(self.workshop.checked(patch), patch.files)

    def _judged(self, state: State, validated: Validated, run: AgentRun | None) -> State:
        state = self.folder.keep(
            state.model_copy(update={"rows": validated.rows, "proved": validated.passed})
        )
        if validated.passed:
            return state
        failed = "; ".join(f"{row.step}: {row.after}" for row in validated.rows if not row.passed)
        stopped = f" (the agent ended as {run.status})" if run and run.status != "finished" else ""
        raise NotFixed(f"{failed}{stopped}\n{self.redactor.text(validated.output)}")

    def _may_go_on(self, state: State, run: AgentRun) -> bool:
        """Whether there is anything left for another round."""
        return run.status not in ("budget", "timeout") and state.cost < self.limits.cost


def _told(run: AgentRun) -> str:
    cost = "" if run.cost is None else f", {run.cost:.2f} USD"
    return f"{cost}, {run.usage.llm_calls} calls{f': {run.problem}' if run.problem else ''}"
