"""Looks at the processes of the machine while a run goes on: who shows a secret to the others?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.plugin.conftest import disguises

PROC = Path("/proc")
_PAUSE = 0.05


class Watch:
    """From ``with`` to the end of its block, every process is looked at twenty times a second.

    ``told`` lists where the secret was seen: in the arguments of any process, and in the
    environment of any but the one whose arguments are ``exempt``. A child that has just been forked
    from that one is still a copy of it, so its arguments tell, and not its number. ``seen`` are the
    arguments of all processes that were not there before.
    """

    def __init__(self, secret: str, exempt: tuple[str, ...] = ()) -> None:
        self._forms = disguises(secret)
        self._exempt = b"\0".join(map(str.encode, exempt)) + b"\0" if exempt else b""
        self._known: set[tuple[str, bytes]] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seen: set[str] = set()
        self.told: set[str] = set()

    def __enter__(self) -> Self:
        self._known.update(_processes())
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_PAUSE):
            for process in _processes():
                if process not in self._known and self._look(*process):
                    self._known.add(process)

    def _look(self, number: str, arguments: bytes) -> bool:
        """Look at one process; whether there was something to see."""
        shown = arguments.replace(b"\0", b" ").decode(errors="replace")
        self._tell("the arguments", shown, arguments)
        if arguments == self._exempt:
            return True
        try:
            environment = (PROC / number / "environ").read_bytes()
        except OSError:
            return False  # it has ended, or is somebody else's
        self.seen.add(shown)
        self._tell("the environment", shown, environment)
        return bool(environment)

    def _tell(self, place: str, shown: str, data: bytes) -> None:
        forms = [name for name, form in self._forms.items() if form in data]
        self.told.update(f"{name} in {place} of {shown[:200]}" for name in forms)


def _processes() -> Iterator[tuple[str, bytes]]:
    """Number and arguments of each process; a program that replaces another has other arguments."""
    for folder in PROC.glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if arguments:
            yield folder.name, arguments
