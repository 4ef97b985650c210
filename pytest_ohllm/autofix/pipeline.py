"""One cause from the evidence to the pull request; what was done before is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from pytest_ohllm.autofix import proofs, publishing, sandbox
from pytest_ohllm.autofix.agent import Limits
from pytest_ohllm.autofix.checkout import Checkout
from pytest_ohllm.autofix.errors import AutofixError, NotFixed, Refused
from pytest_ohllm.autofix.job import Cause, Outcome
from pytest_ohllm.autofix.live import Live
from pytest_ohllm.autofix.proofs import Proof
from pytest_ohllm.autofix.pull_request import Story, body, human_part, title
from pytest_ohllm.autofix.repair import PATCH, Repair
from pytest_ohllm.autofix.state import Folder, State
from pytest_ohllm.autofix.story import commit, tell, template_of
from pytest_ohllm.autofix.validation import Validation
from pytest_ohllm.autofix.workshop import Workshop
from pytest_ohllm.evidence.capsule import OFFLINE, Capsule, write_capsule
from pytest_ohllm.evidence.files import encode, replace_file
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.profiles.connection import Connection

BODY = "pull-request.md"


@dataclass(frozen=True)
class Plan:
    """What the user wants."""

    target: publishing.Target
    limits: Limits
    ref: str | None = None
    publish: bool = True
    unsafe: bool = False


@dataclass
class Pipeline:
    """The steps for one cause. ``agents`` are the models that fix, ``live`` what a failed check can
    be run with again, where that takes a key."""

    cause: Cause
    plan: Plan
    checkout: Checkout
    agents: Sequence[Connection]
    live: Mapping[str, Connection]
    redactor: Redactor
    say: Callable[[str], None]
    _started: float = field(default_factory=time.monotonic)

    def run(self) -> Outcome:
        """All that is left to do; how it ended, whatever happened."""
        folder = Folder(self.cause)
        try:
            with folder.locked():
                return self._steps(folder)
        except AutofixError as error:
            status = {Refused: "refused", NotFixed: "not_fixed"}
            word = next((w for kind, w in status.items() if isinstance(error, kind)), "stopped")
            return self._outcome(
                folder, word, self.redactor.text(error.problem), advice=error.advice
            )

    def _steps(self, folder: Folder) -> Outcome:
        state = self._begun(folder)
        if state.url:
            return self._outcome(folder, "fixed", "it was published before")
        self._ask_the_machine()
        ready = publishing.preflight(self.plan.target) if self.plan.publish else None
        capsule_folder = folder.path / "capsule"
        capsule = self._capsule(capsule_folder)
        if not state.commit:
            if not state.tree:
                base = self.checkout.base(
                    self.plan.target.repository, self.plan.target.base, self.plan.ref
                )
                state = folder.keep(state.model_copy(update={"base": base}))
            repaired = self._repaired(folder, state, capsule, capsule_folder)
            if repaired is None:
                return self._outcome(
                    folder, "already_fixed", f"the failure is gone at {state.base[:12]}"
                )
            state = repaired
        return self._published(folder, state, capsule, capsule_folder, ready)

    def _begun(self, folder: Folder) -> State:
        """What was kept, unless it stands in another checkout than the one that is used now."""
        state = folder.read()
        known = self.checkout.git.succeeds("cat-file", "-e", f"{state.base}^{{commit}}")
        return state if known or state.url else State()

    def _ask_the_machine(self) -> None:
        if not self.plan.unsafe and (problem := sandbox.problem()):
            raise Refused(
                f"the agent would run without a sandbox: {problem}",
                "or give --unsafe-no-sandbox, which lets it do what you can do",
            )
        if not self.agents:
            raise AutofixError("no model is named that fixes", "give --agent-profile NAME")

    def _capsule(self, path: Path) -> Capsule:
        first = self.cause.first
        capsule = write_capsule(
            path,
            first.folder,
            profile=first.profile,
            sdk=self.cause.source.sdk,
            packages=self.cause.source.packages,
            redactor=self.redactor,
        )
        self.say(f"the evidence is in {path}")
        return capsule

    def _repaired(
        self, folder: Folder, state: State, capsule: Capsule, capsule_folder: Path
    ) -> State | None:
        """The state with a commit; ``None`` if there is nothing to repair."""
        judging = folder.path / "live"
        workshop = Workshop(
            self.checkout, folder.path, (capsule_folder,), (judging,), unsafe=self.plan.unsafe
        )
        with Live(self.cause, self.live, judging, self.redactor) as live, closing(workshop):
            shown = self._proofs(capsule, capsule_folder, live)
            validation = Validation(shown, workshop.base(state.base), state.base, self.say)
            if not self._is_red(validation):
                return None
            repair = Repair(
                cause=self.cause,
                capsule=capsule,
                capsule_folder=capsule_folder,
                workshop=workshop,
                validation=validation,
                connections=self.agents,
                limits=self.plan.limits,
                redactor=self.redactor,
                folder=folder,
                say=self.say,
            )
            state = repair.run(state)
        story = self._story(state, capsule, capsule_folder)
        made = commit(self.checkout, self.cause, state, story)
        self.say(f"branch {self.cause.branch}, commit {made[:12]}")
        return folder.keep(state.model_copy(update={"commit": made}))

    def _is_red(self, validation: Validation) -> bool:
        """Whether the failure is there before anything is changed; it must be seen."""
        before = validation.red().values()
        for one in before:
            if one.word not in ("red", "green"):
                self.say(f"  {self.redactor.text(one.output[-300:])}")
        if all(one.green for one in before):
            return False
        if any(one.word == "red" for one in before):
            return True
        said = "\n".join(self.redactor.text(one.output[-800:]) for one in before)
        raise AutofixError(
            f"it cannot be seen whether the failure is there: {said}",
            "is the endpoint still there, and the key? or run the suite again first",
        )

    def _proofs(self, capsule: Capsule, folder: Path, live: Live) -> list[Proof]:
        """What shows the failure; there must be something that does."""
        shown = [proofs.repro(folder / OFFLINE)] if capsule.offline else []
        shown += live.proofs()
        if not shown:
            raise Refused(
                f"nothing can show the failure here: {capsule.gap or 'no answer was recorded'}",
                "run the suite again with the key at hand, and give its JUnit file",
            )
        return shown

    def _story(self, state: State, capsule: Capsule, folder: Path) -> Story:
        template = template_of(self.checkout, state.base)
        return tell(self.cause, capsule, folder, state, template, self.redactor)

    def _published(
        self,
        folder: Folder,
        state: State,
        capsule: Capsule,
        capsule_folder: Path,
        ready: publishing.Ready | None,
    ) -> Outcome:
        story = self._story(state, capsule, capsule_folder)
        text = body(story, self.redactor)
        replace_file(folder.path / BODY, encode(text))
        change = publishing.Change(
            self.checkout.git, self.cause.branch, state.commit, title(story), text
        )
        by_hand = publishing.by_hand(change, self.plan.target, ready, folder.path / BODY)
        if ready is None:
            return self._outcome(
                folder, "ready", "proved, and not published", by_hand=tuple(by_hand)
            )
        try:
            done = publishing.publish(change, ready, self.plan.target, self.redactor)
        except AutofixError as error:
            return self._outcome(
                folder, "stopped", error.problem, advice=error.advice, by_hand=tuple(by_hand)
            )
        folder.keep(state.model_copy(update={"url": done.url}))
        return self._outcome(folder, "fixed", human_part(story.template))

    def _outcome(
        self,
        folder: Folder,
        status: str,
        reason: str,
        *,
        advice: str = "",
        by_hand: tuple[str, ...] = (),
    ) -> Outcome:
        state = folder.read()
        patch = folder.path / PATCH
        return Outcome(
            id=self.cause.id,
            failures=tuple(failure.node for failure in self.cause.failures),
            status=status,
            reason=reason,
            advice=advice,
            url=state.url or None,
            branch=self.cause.branch if state.commit else None,
            commit=state.commit or None,
            patch=str(patch) if patch.is_file() else None,
            folder=str(folder.path),
            rows=state.rows,
            cost=state.cost,
            seconds=time.monotonic() - self._started,
            by_hand=by_hand,
        )
