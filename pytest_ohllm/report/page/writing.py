"""From a run folder to one HTML file that needs nothing else: no network, no script to be read."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pytest_ohllm.evidence.files import encode, replace_file
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.model import Run, Stage, Verdict
from pytest_ohllm.report.page.content import page_content
from pytest_ohllm.report.page.words import Redact, Words
from pytest_ohllm.report.palette import OUTCOMES, VERDICTS, Look
from pytest_ohllm.report.wording import seconds_text

PAGE = "report.html"

_SHADES = {"green": "good", "bright_red": "bad", "yellow": "unclear", "dim": "faint"}
_RANKS = {verdict: rank for rank, verdict in enumerate(reversed(Verdict))}


def write_page(run_folder: Path, *, run: Run | None = None, redact: Redact | None = None) -> Path:
    """Write ``report.html`` into ``run_folder``, for its owner only, and return its path.

    ``run`` saves reading what the caller knows; ``redact`` takes secrets out of a text, and is
    needed only by a session that knows them. Raises ``RunFolderError`` if it is no run folder, and
    ``OSError`` if it cannot be written.
    """
    html = page_html(run_folder, run or read_run(run_folder), Words(redact))
    replace_file(run_folder / PAGE, encode(html))
    return run_folder / PAGE


def page_html(run_folder: Path, run: Run, words: Words) -> str:
    """The page of ``run``, whose evidence is in ``run_folder``."""
    page = page_content(run_folder, run, words)
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment(words)
        .from_string(_asset("page.html.j2"))
        .render(
            page=page,
            explained=any(part.explained for part in page.profiles),
            stages=tuple(Stage),
            verdicts=VERDICTS,
            outcomes=OUTCOMES,
            ranks=_RANKS,
            shade=_shade,
            policy=Markup(_policy(style, script)),
            style=Markup(style),
            script=Markup(script),
        )
    )


def _environment(words: Words) -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "pre": lambda text, limit: Markup("{}").format(words.block(text, limit)),
        "short": words.line,
        "seconds": seconds_text,
        "words": lambda text: text.replace("_", " "),
        "when": _when,
    }
    return environment


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, and nothing may run but the page's own style and script."""
    return (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _shade(look: Look) -> str:
    return _SHADES[look.style.rpartition(" ")[2]]


def _when(started: Any) -> str:
    """``21 Nov 2026, 16:46 UTC``; what is no time is shown as it is."""
    try:
        return f"{datetime.fromisoformat(str(started)):%d %b %Y, %H:%M} UTC"
    except ValueError:
        return str(started)
