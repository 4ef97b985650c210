"""Print what the redaction of a long log costs, whole and in pieces; run by `nox -s bench`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from pytest_ohllm.evidence.redaction import Redactor

CHARACTERS = 20_000_000
TARGET = 10.0
PIECE = 65_536

KNOWN = {
    "one": "sk-proj-FAKEfakeFAKE_0123-not/a+real=key&at<all>",
    "two": "sk-or-v1-fake0123456789abcdeffake0123456789abcdef",
    "three": "another-fake-key-0123456789",
}


def log(with_keys: bool) -> str:
    """Lines such as libraries write them; with keys, one in every hundred lines shows one."""
    lines: list[str] = []
    size = number = 0
    while size < CHARACTERS:
        number += 1
        body = {"usage": {"prompt_tokens": number}, "text": f'said "hello" {number * 7919:x}\n'}
        line = (
            f"2026-01-01 00:00:{number % 60:02} INFO httpx: POST https://host.invalid/v1/chat/"
            f"completions?request={number:032x} 200 OK {json.dumps(body)}\n"
        )
        if with_keys and number % 100 == 0:
            line = f"Authorization: Bearer {list(KNOWN.values())[number % 3]} {line}"
        lines.append(line)
        size += len(line)
    return "".join(lines)


def measured(name: str, redact: Callable[[str], str], text: str) -> bool:
    """Print how long it took; whether that was within the target."""
    started = time.perf_counter()
    shown = redact(text)
    seconds = time.perf_counter() - started
    left = [key for key in KNOWN.values() if key in shown]
    print(f"{name:44}{seconds:6.2f} s for {len(text) / 1e6:.0f} MB (target: {TARGET:.0f} s)")
    return seconds < TARGET and not left


def in_pieces(text: str) -> str:
    """The same through a stream."""
    stream = Redactor(KNOWN).stream()
    pieces = [stream.feed(text[at : at + PIECE]) for at in range(0, len(text), PIECE)]
    return "".join([*pieces, stream.close()])


def main() -> None:
    """Exit with 1 if a target was missed."""
    clean, dirty = log(with_keys=False), log(with_keys=True)
    good = [
        measured("redaction of a log without keys", Redactor(KNOWN).text, clean),
        measured("redaction of a log with keys", Redactor(KNOWN).text, dirty),
        measured("the same in pieces of 64 KiB", in_pieces, dirty),
    ]
    raise SystemExit(not all(good))


if __name__ == "__main__":
    main()
