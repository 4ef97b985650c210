"""The runs of a project: found, listed, and named.

A list reads one small file of each run, and needs neither pydantic nor the run itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.files import create_file, make_folder
from pytest_ohllm.evidence.liveness import State, state
from pytest_ohllm.evidence.run_summary import RunSummary, read_summary

FOLDER = Path(".ohllm") / "runs"
MOST_CANDIDATES = 8

_STAMP = re.compile(r"\d{8}T\d{6}Z")
_LAST = re.compile(r"(?:(?P<profile>.+)@)?last(?:~(?P<back>\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a list; ``summary`` is missing while it runs and after a crash."""

    path: Path
    run_id: str
    started: str
    state: State
    profiles: tuple[str, ...]
    summary: RunSummary | None

    @property
    def told(self) -> str:
        """The run in a few words, to be chosen from."""
        names = ", ".join(self.profiles[:3]) + (", …" if len(self.profiles) > 3 else "")
        return f"{self.path.name} ({names or 'no profile'})"


class RunStore:
    """The folder that holds the runs of a project; it need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def near(cls, start: Path) -> RunStore:
        """The runs of the project that ``start`` is in: the nearest ``.ohllm/runs`` above it."""
        start = start.absolute()
        found = (one / FOLDER for one in (start, *start.parents) if (one / FOLDER).is_dir())
        return cls(next(found, start / FOLDER))

    def make(self) -> None:
        """Create the folder if it is missing, so that git does not see it. Raises ``OSError``."""
        if self.path.parts[-2:] == FOLDER.parts and make_folder(self.path.parent):
            create_file(self.path.parent / ".gitignore", b"*\n")
        make_folder(self.path)

    def folders(self) -> list[Path]:
        """The run folders, the newest first."""
        try:
            found = [path for path in self.path.iterdir() if not path.name.startswith(".")]
        except OSError:
            return []
        keyed = [(key, path) for path in found if (key := _age(path)) is not None]
        return [path for _, path in sorted(keyed, reverse=True)]

    def entries(self, profile: str | None = None) -> Iterator[Entry]:
        """The runs, the newest first, each read as it is asked for; of ``profile`` alone, if given.

        ``profile`` may be a pattern, such as ``vllm-*``.
        """
        for path in self.folders():
            entry = read_entry(path)
            if profile is None or any(fnmatchcase(name, profile) for name in entry.profiles):
                yield entry

    def find(self, name: str, base: Path | None = None) -> Path:
        """The run that ``name`` means. Raises ``RunError`` that says which there are.

        An id or the unique beginning of one (or of its last part), ``last``, ``PROFILE@last``,
        each with ``~N`` for the Nth before it, or a path, relative to ``base``.
        """
        path = (base or Path.cwd()) / name
        if (path / "session.json").is_file():
            return path
        if not name or "/" in name or path.is_file():
            raise RunError(_no_folder(name, path))
        if found := _LAST.fullmatch(name):
            return self._last(found["profile"], int(found["back"] or 0))
        return self._called(name)

    def _last(self, profile: str | None, back: int) -> Path:
        for number, entry in enumerate(self.entries(profile)):
            if number == back:
                return entry.path
        before = f" and {back} before it" if back else ""
        if profile is None:
            raise RunError(f"there is no last run{before} in {self.path}: {_HOW}")
        named = sorted({name for entry in self.entries() for name in entry.profiles})
        near = get_close_matches(profile, named, n=1)
        meant = f" (did you mean {near[0]}@last?)" if near and near[0] != profile else ""
        raise RunError(f"there is no run of profile {profile!r}{before} in {self.path}{meant}")

    def _called(self, name: str) -> Path:
        names = [(alias, path) for path in self.folders() for alias in _aliases(path)]
        if exact := [path for alias, path in names if alias == name]:
            return exact[0]
        found = list(dict.fromkeys(path for alias, path in names if alias.startswith(name)))
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(read_entry(path).told for path in found[:MOST_CANDIDATES])
            more = f" and {len(found) - MOST_CANDIDATES} more" * (len(found) > MOST_CANDIDATES)
            raise RunError(f"{name!r} may be any of {len(found)} runs: {shown}{more}")
        near = get_close_matches(name, [alias for alias, _ in names], n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise RunError(
            f"there is no run {name!r} in {self.path}{meant}: `ohllm runs list` shows the runs"
        )


_HOW = "make one with pytest --llm-profile=sim, or say with --runs where they are"


def read_entry(path: Path) -> Entry:
    """What a list says of the run in ``path``, whatever is missing there."""
    summary = read_summary(path)
    if summary is not None:
        names = tuple(profile.name for profile in summary.profiles)
        return Entry(path, summary.run_id, summary.started, state(path), names, summary)
    session = _session(path)
    found = session.get("profiles")
    listed = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return Entry(
        path=path,
        run_id=str(session.get("run_id", path.name)),
        started=str(session.get("started", "")),
        state=state(path),
        profiles=tuple(str(one.get("name", "")) for one in listed),
        summary=None,
    )


def _aliases(path: Path) -> list[str]:
    """The names of one run: its folder's, its id, and what makes its id different."""
    names = [path.name]
    if not _STAMP.match(path.name):
        names.append(str(_session(path).get("run_id", "")))
    tails = [name.rpartition("-")[2] for name in names if _STAMP.match(name) and "-" in name]
    return [name for name in (*names, *tails) if name]


def _age(path: Path) -> tuple[str, int] | None:
    """What sorts runs by their start; ``None`` if ``path`` is no run."""
    try:
        written = (path / "session.json").stat().st_mtime_ns
    except OSError:
        return None
    if stamp := _STAMP.match(path.name):
        return stamp[0], written
    # 2026-11-21T07:49:05+00:00 as 20261121T074905Z
    started = str(_session(path).get("started", ""))[:19]
    return started.replace("-", "").replace(":", "") + "Z", written


def _session(path: Path) -> dict[str, object]:
    try:
        found = json.loads((path / "session.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _no_folder(name: str, path: Path) -> str:
    if path.is_file():
        return f"{name} is a file, not a run folder: an archive is read by `ohllm runs import`"
    if path.is_dir():
        return f"{name} is not a run folder: it has no session.json"
    return f"there is no run folder {name!r}"
