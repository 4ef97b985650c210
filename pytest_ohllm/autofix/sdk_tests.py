"""The SDK's own tests of what a patch changes, and which of them it breaks."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.autofix.sandbox import Finished, Sandbox, environment_for
from pytest_ohllm.evidence.files import make_folder, replace_file
from pytest_ohllm.evidence.junit import JUnitError, read_junit

MOST_FILES = 8
MOST_SECONDS = 600.0
_ENDED = {0, 1}
"""pytest's exit codes for a run that came to its end."""
_NO_REPORT = -1


@dataclass(frozen=True)
class Ran:
    """What a run of some tests left: how many there were, and those that failed."""

    tests: int
    failed: frozenset[str]
    code: int
    seconds: float
    output: str = ""

    @property
    def ended(self) -> bool:
        """Whether pytest came to its end."""
        return self.code in _ENDED


def choose(root: Path, changed: Sequence[str]) -> list[str]:
    """Test files, relative to ``root``, that are about the changed modules; the nearest first.

    Those that the patch changes, those that are named like a module, then those that import it.
    """
    tests = sorted(path for path in root.glob("tests/**/test_*.py") if path.is_file())
    scores: dict[Path, int] = {}
    for file in changed:
        path = root / file
        if path in tests:
            scores[path] = 4
            continue
        if not file.startswith("openhands-") or not file.endswith(".py"):
            continue
        module = Path(*Path(file).parts[1:]).with_suffix("")
        dotted = ".".join(module.parts).removesuffix(".__init__")
        for test in tests:
            if test.stem == f"test_{module.name}":
                scores[test] = max(scores.get(test, 0), 3)
            elif module.name in test.stem:
                scores[test] = max(scores.get(test, 0), 2)
            elif _imports(test.read_text(encoding="utf-8", errors="replace"), dotted):
                scores[test] = max(scores.get(test, 0), 1)
    nearest = sorted(scores, key=lambda path: (-scores[path], str(path)))[:MOST_FILES]
    return [path.relative_to(root).as_posix() for path in nearest]


def _imports(text: str, module: str) -> bool:
    """Whether a test seems to import the module, in either way."""
    package, _, name = module.rpartition(".")
    return module in text or (f"from {package} import " in text and name in text)


def run(sandbox: Sandbox, files: Sequence[str], name: str) -> Ran:
    """Run test files in the sandbox's worktree; those that are not there are left out."""
    root = sandbox.worktree
    there = [file for file in files if (root / file).is_file()]
    if not there:
        return Ran(0, frozenset(), 0, 0.0)
    report = sandbox.scratch / f"{name}.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:ohllm", "--timeout=120"]
    argv = [sys.executable, "-m", "pytest_ohllm.autofix.guarded", str(root), "pytest", *options]
    done = sandbox.run(
        [*argv, f"--junitxml={report}", *there],
        environment=environment_for(root, sandbox.scratch),
        timeout=MOST_SECONDS,
    )
    return _read(report, done)


def _read(report: Path, done: Finished) -> Ran:
    try:
        found = read_junit(report)
    except JUnitError:
        # Python's own exit code for an exception is pytest's for failed tests.
        return Ran(0, frozenset(), _NO_REPORT, done.seconds, done.output)
    failed = frozenset(failure.test for failure in found.failures)
    return Ran(found.tests, failed, done.code, done.seconds, done.output)


def baseline(sandbox: Sandbox, files: Sequence[str], commit: str) -> Ran:
    """The same tests before the patch; kept for the next time, since a commit does not change."""
    key = json.dumps([commit, sorted(files), sys.prefix, _environment_id()])
    kept = _cache() / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    try:
        known = json.loads(kept.read_bytes())
        return Ran(known["tests"], frozenset(known["failed"]), known["code"], 0.0)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    ran = run(sandbox, files, "baseline")
    if ran.ended:
        make_folder(kept.parent)
        record = {"tests": ran.tests, "failed": sorted(ran.failed), "code": ran.code}
        replace_file(kept, json.dumps(record).encode())
    return ran


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ohllm" / "baselines"


def _environment_id() -> list[str]:
    """What else decides how tests end: the versions of what they import."""
    from importlib.metadata import distributions

    return sorted({f"{one.name}=={one.version}" for one in distributions()})
