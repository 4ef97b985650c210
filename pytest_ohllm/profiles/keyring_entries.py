"""Secrets in the keyring of the system: one entry for each secret field of a profile.

Only backends that protect what they keep are taken, and what was stored is read back: some
"store" nothing, and some write plain text. An entry is never overwritten.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pytest_ohllm.profiles import references
from pytest_ohllm.profiles.errors import ProfileError

SERVICE = "pytest-ohllm"
"""The service of every entry that is made here."""

_REAL = 1
"""keyring gives less to backends that it does not recommend: plain text, null, none at all."""
_SECONDS = 60.0
"""A desktop may ask its user to unlock the keyring."""
_WAY_OUT = "name an environment variable instead, with --api-key-env VAR or --secret-env FIELD=VAR"


def store(name: str, value: str) -> str:
    """Store ``value`` under ``name``, or the next name that is free; the reference to it.

    Raises ``ProfileError`` if there is no keyring, it is locked, or it does not keep the value.
    """
    backend = _backend()

    def put() -> str:
        free: str = next(n for n in _candidates(name) if backend.get_password(SERVICE, n) is None)
        backend.set_password(SERVICE, free, value)
        if backend.get_password(SERVICE, free) != value:
            raise ProfileError(
                f"the keyring ({_title(backend)}) does not keep what is stored in it: {_WAY_OUT}"
            )
        return free

    return f"{references.KEYRING}{SERVICE}/{_answer(backend, put)}"


def fetch(reference: str) -> str | None:
    """The value behind ``reference``, ``None`` if there is no such entry. Raises as ``store``."""
    service, name = _parts(reference)
    backend = _backend()
    value = _answer(backend, lambda: backend.get_password(service, name))
    return None if value is None else str(value)


def forget(reference: str) -> bool:
    """Delete the entry; whether there was one, and it was made here. Raises as ``store``."""
    service, name = _parts(reference)
    if service != SERVICE:
        return False  # somebody else's
    backend = _backend()

    def delete() -> bool:
        if backend.get_password(service, name) is None:
            return False
        backend.delete_password(service, name)
        return True

    return bool(_answer(backend, delete))


def _candidates(name: str) -> Iterator[str]:
    return itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))


def _parts(reference: str) -> tuple[str, str]:
    service, _, name = reference.removeprefix(references.KEYRING).partition("/")
    if not service or not name:
        raise ProfileError(f"{reference!r} is no reference: expected keyring:SERVICE/NAME")
    return service, name


def _backend() -> Any:
    try:
        import keyring

        found = keyring.get_keyring()
        # A chain of backends would fall back to its unreal ones.
        several = list(getattr(found, "backends", ())) or [found]
        real = [one for one in several if one.priority >= _REAL]
    except Exception as error:
        raise ProfileError(f"the keyring cannot be used ({_named(error)}): {_WAY_OUT}") from error
    if not real:
        names = ", ".join(map(_title, several))
        raise ProfileError(
            f"there is no keyring here that protects what it keeps (found: {names}): start the "
            f"system's keyring service, or {_WAY_OUT}"
        )
    return max(real, key=lambda one: one.priority)


def _title(backend: Any) -> str:
    return type(backend).__module__.removeprefix("keyring.backends.")


def _answer(backend: Any, ask: Callable[[], Any]) -> Any:
    """What ``ask`` returns, in time: a keyring that waits for its user must not wait for ever."""
    answers: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if answers:
        return answers[0]
    if not errors:
        raise ProfileError(
            f"the keyring ({_title(backend)}) did not answer within {_SECONDS:g} s: unlock it and "
            f"try again, or {_WAY_OUT}"
        )
    (error,) = errors
    if isinstance(error, ProfileError):
        raise error
    raise ProfileError(_refusal(backend, error)) from error


def _refusal(backend: Any, error: BaseException) -> str:
    from keyring.errors import KeyringLocked

    if isinstance(error, KeyringLocked):
        return f"the keyring ({_title(backend)}) is locked: unlock it and try again, or {_WAY_OUT}"
    return f"the keyring ({_title(backend)}) refuses ({_named(error)}): {_WAY_OUT}"


def _named(error: BaseException) -> str:
    """The kind of error alone: its words may hold the value."""
    return type(error).__name__
