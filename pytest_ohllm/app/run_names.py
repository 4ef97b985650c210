"""Arguments that name a run, which a shell can complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pytest_ohllm.evidence.run_store import RunStore

_HELP = "An id or the beginning of one, last, PROFILE@last, last~2, or a folder."
_MOST = 50

LAST = "last"


def _named(incomplete: str) -> list[str]:
    """Runs that begin so. An error would disturb the command line that is typed."""
    try:
        names = [LAST, *(path.name for path in store(None).folders()[:_MOST])]
    except Exception:
        return []
    return [name for name in names if name.startswith(incomplete)]


Run = Annotated[str, typer.Argument(metavar="[RUN]", help=_HELP, autocompletion=_named)]
Before = Annotated[str, typer.Argument(metavar="RUN", help=_HELP, autocompletion=_named)]
After = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="What to compare it with; last by default.", autocompletion=_named
    ),
]
Several = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help=f"Runs, or folders with runs. {_HELP}"),
]
Runs = Annotated[
    Path | None,
    typer.Option(
        "--runs", metavar="DIR", help="Where the runs are (default: the nearest .ohllm/runs)."
    ),
]


def store(runs: Path | None) -> RunStore:
    """The runs in ``runs``, or those of the project that the user is in."""
    from pytest_ohllm.evidence.run_store import RunStore

    return RunStore(runs) if runs is not None else RunStore.near(Path.cwd())


def chosen(name: str, runs: Path | None) -> Path:
    """The folder of the run that ``name`` means. Raises ``RunError``."""
    return store(runs).find(name)


def expanded(names: list[str], runs: Path | None) -> list[Path]:
    """The run folders that ``names`` mean; of a folder that is none itself, those in it."""
    from pytest_ohllm.evidence.errors import RunError

    found: list[Path] = []
    for name in names:
        path = Path(name)
        if not path.is_dir() or (path / "session.json").is_file():
            found.append(chosen(name, runs))
            continue
        inside = sorted(file.parent for file in path.rglob("session.json"))
        if not inside:
            raise RunError(f"there is no run in {name}")
        found += inside
    return found
