"""The proof that a patch fixes the failure and nothing else breaks, before and after in one table.

Everything here runs code that an agent wrote, so it runs in the sandbox, on fresh worktrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pytest_ohllm.autofix import process, proofs, sdk_tests
from pytest_ohllm.autofix.job import Row
from pytest_ohllm.autofix.proofs import Proof, State
from pytest_ohllm.autofix.sandbox import Sandbox
from pytest_ohllm.autofix.sdk_tests import Ran

SIDE_BY_SIDE = 2
"""Commands at once: each imports the SDK, which takes a core."""

_SHOWN = 3000
"""Characters of a command's output that the agent gets to see."""


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for commands, which an exception such as KeyboardInterrupt ends with their commands:
    it reaches the main thread alone."""
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        yield pool
    except BaseException:
        process.end_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Validated:
    """The table, whether all of it is as it must be, and what was said where it is not."""

    rows: tuple[Row, ...]
    output: str = ""

    @property
    def passed(self) -> bool:
        """Whether every line of the table is as it must be."""
        return bool(self.rows) and all(row.passed for row in self.rows)


@dataclass
class Validation:
    """The proofs of one cause, on the base and on the change.

    ``base`` and ``changed`` are sandboxes with a worktree each. ``before`` fills when ``red`` runs.
    Of proofs with one name, all but the first get a number.
    """

    proofs: Sequence[Proof]
    base: Sandbox
    commit: str
    say: Callable[[str], None]
    before: dict[str, State] = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        names = [one.step for one in self.proofs]
        earlier = [names[:index].count(name) for index, name in enumerate(names)]
        self.proofs = [
            replace(one, step=f"{one.step} ({number + 1})") if number else one
            for one, number in zip(self.proofs, earlier, strict=True)
        ]

    def red(self) -> Mapping[str, State]:
        """Run all proofs on the base; what came of each, by its step."""
        with _pool() as pool:
            running = [(proof, self._start(pool, proof, self.base)) for proof in self.proofs]
            for proof, result in running:
                self.before[proof.step] = result.result()
                self.say(f"before: {proof.step}: {self.before[proof.step].word}")
        return self.before

    def of(self, changed: Sandbox, files: Sequence[str]) -> Validated:
        """Judge the change in the worktree of ``changed``, which touches ``files``."""
        telling = [one for one in self.proofs if self.before[one.step].word == "red"]
        chosen = sdk_tests.choose(changed.worktree, files)
        with _pool() as pool:
            after = [(proof, self._start(pool, proof, changed)) for proof in telling]
            healthy = self._start(pool, proofs.healthy(), changed)
            tested = pool.submit(sdk_tests.run, changed, chosen, "tests")
            known = pool.submit(sdk_tests.baseline, self.base, chosen, self.commit)
            again = [(proof, self._start(pool, proof, self.base)) for proof in telling[:1]]
            rows = [self._proved(proof, result.result()) for proof, result in after]
            rows.append(self._kept(healthy.result()))
            rows.append(self._tested(chosen, known.result(), tested.result()))
            rows += [self._taken_back(proof, result.result()) for proof, result in again]
        return Validated(
            tuple(row for row, _ in rows), "\n\n".join(text for _, text in rows if text)
        )

    def _start(self, pool: ThreadPoolExecutor, proof: Proof, sandbox: Sandbox) -> Future[State]:
        self._number += 1
        return pool.submit(proof.play, sandbox, f"run-{self._number}")

    def _proved(self, proof: Proof, state: State) -> tuple[Row, str]:
        before = self.before[proof.step].word
        row = Row(
            step=proof.step,
            before=before,
            after=state.word,
            seconds=state.seconds,
            passed=state.green,
        )
        return self._told(row, state.output)

    def _kept(self, state: State) -> tuple[Row, str]:
        row = Row(
            step="the suite on healthy models",
            before="green",
            after=state.word,
            seconds=state.seconds,
            passed=state.green,
        )
        return self._told(row, state.output)

    def _tested(self, chosen: Sequence[str], before: Ran, after: Ran) -> tuple[Row, str]:
        if not chosen:
            row = Row(
                step="tests of the SDK", before="none", after="none is about what was changed"
            )
            return self._told(row, "")
        new = sorted(after.failed - before.failed)
        # A test that is no longer found is no test that passes.
        passed = not new and after.ended and after.tests >= before.tests
        said = f"{after.tests} tests, {len(after.failed)} failed" if after.ended else "no end"
        row = Row(
            step=f"tests of the SDK: {', '.join(chosen)}",
            before=f"{before.tests} tests, {len(before.failed)} failed",
            after=f"{said}, {len(new)} of them new" if new else said,
            seconds=after.seconds,
            passed=passed,
        )
        return self._told(row, "\n".join([*new, after.output]))

    def _taken_back(self, proof: Proof, state: State) -> tuple[Row, str]:
        row = Row(
            step=f"{proof.step}, with the change taken back",
            before="red",
            after=state.word,
            seconds=state.seconds,
            passed=state.word == "red",
        )
        return self._told(row, state.output)

    def _told(self, row: Row, output: str) -> tuple[Row, str]:
        self.say(f"after: {row.step}: {row.after}{'' if row.passed else ', which must not be'}")
        return row, "" if row.passed else f"# {row.step}: {row.after}\n{output[-_SHOWN:]}"
