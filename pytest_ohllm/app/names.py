"""Arguments that name a profile, which a shell can complete."""

from __future__ import annotations

from typing import Annotated

import typer


def _saved(incomplete: str) -> list[str]:
    """Saved profiles that begin so. An error would disturb the command line that is typed."""
    try:
        from pytest_ohllm.profiles.location import directory
        from pytest_ohllm.profiles.store import names

        return [name for name in names(directory()) if name.startswith(incomplete)]
    except Exception:
        return []


def _usable(incomplete: str) -> list[str]:
    """The same, and what is built in."""
    from pytest_ohllm.profiles.builtin import SIM

    return [*_saved(incomplete), *([SIM] if SIM.startswith(incomplete) else [])]


def _presets(incomplete: str) -> list[str]:
    from pytest_ohllm.profiles.presets import presets

    return [name for name in presets() if name.startswith(incomplete)]


Saved = Annotated[str, typer.Argument(help="A saved profile.", autocompletion=_saved)]
Usable = Annotated[
    str, typer.Argument(help="A saved profile, sim, or sim:PERSONALITY.", autocompletion=_usable)
]
SeveralSaved = Annotated[
    list[str] | None,
    typer.Argument(help="Saved profiles; all, if none is named.", autocompletion=_saved),
]
New = Annotated[str, typer.Argument(help="What to call it, as in --llm-profile=NAME.")]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[/MODEL]",
        help="A known provider, see `ohllm profiles presets`.",
        autocompletion=_presets,
    ),
]
