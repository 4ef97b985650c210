"""What several checks ask of a transcript, each with the words that a person needs to go on."""

from __future__ import annotations

from compat_suite.scenarios import Played
from pytest_ohllm.judgement import Shortfall, require_answer
from pytest_ohllm.model import Blame, End, Kind, Transcript
from pytest_ohllm.sdk.guard import shorten

READ_IT = "read the transcript in the run folder"

HOW_IT_ENDED: dict[End, str] = {
    "stuck": "the model repeats itself until the SDK's stuck detection stops it",
    "iteration_limit": "the model does not come to an end",
    "rejected": "the model keeps asking for commands that nobody wanted",
    "timeout": "the conversation did not end in time",
}


def require_end(transcript: Transcript) -> None:
    """Fail unless the conversation ended by itself."""
    __tracebackhide__ = True
    if transcript.end == "finished":
        return
    if transcript.end == "timeout" and (command := _unanswered(transcript)):
        raise _silent_terminal(f"the terminal did not come to an end with {command!r} in time")
    rejected = "; ".join(sorted({event.text for event in transcript.rejections}))
    details = f" ({rejected})" if rejected else ""
    raise Shortfall(
        f"{HOW_IT_ENDED.get(transcript.end, transcript.end)}{details}",
        next_step=READ_IT,
    )


def require_shown(transcript: Transcript, **files: str) -> None:
    """Fail, and not for the model, if a command that ran did not show what a file holds.

    ``files`` are the words in files without their extension. Only commands that were asked for
    run, so what they print is known, and a terminal that shows something else is in trouble.
    """
    __tracebackhide__ = True
    for event in transcript.observations("terminal"):
        for file, word in files.items():
            if f"{file}.txt" in (event.command or "") and word not in event.text:
                raise _silent_terminal(
                    f"the terminal did not show what {event.command!r} prints, but "
                    f"{shorten(event.text, 60)!r} (exit code {event.exit_code})"
                )


def _unanswered(transcript: Transcript) -> str | None:
    """The command whose result was being waited for: none that is allowed takes any time."""
    calls = transcript.tool_calls("terminal")
    last = transcript.events[-1] if transcript.events else None
    return calls[-1].command if calls and last == calls[-1] else None


def _silent_terminal(summary: str) -> Shortfall:
    return Shortfall(
        summary,
        next_step="run it again on a machine with less to do; if it repeats, look at tmux and at "
        "the SDK's terminal",
        kind=Kind.ENVIRONMENT,
        blame=Blame.ENVIRONMENT,
        avoidable=False,
    )


def require_words(transcript: Transcript, *words: str) -> None:
    """Fail unless the final answer holds all ``words``."""
    __tracebackhide__ = True
    missing = [word for word in words if word not in transcript.final_text]
    if missing:
        raise Shortfall(
            f"the answer lacks {', '.join(missing)}; the model said: "
            f"{shorten(transcript.final_text) or 'nothing'}",
            next_step=READ_IT,
        )


def require_memory(played: Played) -> None:
    """Fail unless the conversation ends, and with the word that was told at its beginning."""
    __tracebackhide__ = True
    transcript = played.transcript
    require_answer(transcript)
    require_end(transcript)
    require_words(transcript, played.expected["word"])


def require_no_secrets(files: list[str]) -> None:
    """Fail if the SDK wrote a secret into any of the files that it keeps."""
    __tracebackhide__ = True
    if files:
        raise Shortfall(
            f"the SDK persisted a secret in {', '.join(files)}",
            next_step="report it to the SDK's maintainers, and rotate the key",
            kind=Kind.SDK_GAP,
            blame=Blame.SDK,
        )
