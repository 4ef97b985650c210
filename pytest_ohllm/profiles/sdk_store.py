"""The one module of this room that imports the SDK: only to write, or if its text is unreadable.

Every use happens without credentials in the environment, since ``LLM`` would pick them up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.sdk import environment

_owns_home = False
"""Whether the SDK was imported from here. Else a run in this process owns the throw-away home."""


@contextmanager
def _imported() -> Iterator[None]:
    global _owns_home
    _owns_home = _owns_home or not environment.sdk_is_imported()
    try:
        environment.load()
    except Exception as error:
        raise ProfileError(
            f"openhands-sdk cannot be imported ({type(error).__name__}: {_first_line(error)}): "
            "install a working openhands-sdk in this environment"
        ) from error
    try:
        with environment.sealed():
            yield
    finally:
        if _owns_home:
            environment.remove_home()


def llm_class() -> type[BaseModel]:
    """The SDK's ``LLM``."""
    with _imported():
        from openhands.sdk import LLM

        return LLM


def file_version() -> int:
    """The newest ``schema_version`` of a profile file that the SDK reads."""
    with _imported():
        from openhands.sdk.llm import llm

        return int(getattr(llm, "LLM_PROFILE_SCHEMA_VERSION", 1))


def prepared(settings: Mapping[str, Any]) -> Callable[[Path, str], None]:
    """Build the ``LLM`` of a new profile, and return what saves it through the SDK's own store.

    Raises ``ProfileError`` unless the SDK takes every value and would give the same back when it
    reads the file, so that a caller may change things before it saves. What is returned takes the
    folder and the name, writes no secret, and raises ``ProfileError`` if it cannot.
    """
    with _imported():
        try:
            from openhands.sdk.llm.llm_profile_store import LLMProfileStore
        except ImportError as error:
            raise ProfileError(
                "the installed openhands-sdk has no profile store: update it to save profiles"
            ) from error
        llm = _built(settings)
        _check_kept(llm, settings, settings)

    def save(folder: Path, name: str) -> None:
        with _imported():
            try:
                LLMProfileStore(folder).save(name, llm)
            except (OSError, TimeoutError) as error:
                raise ProfileError(f"cannot write profile {name!r} to {folder}: {error}") from error

    return save


def validated(settings: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """The JSON of those ``settings`` that are ``changes``, if the SDK takes all of them together.

    A changed field that the result lacks is ``null`` by default, and is left out of a file. Raises
    ``ProfileError`` as ``prepared`` does.
    """
    changed = list(changes)
    with _imported():
        llm = _built(settings)
        _check_kept(llm, settings, changed)
        data = llm.model_dump(mode="json", exclude_none=True)
        return {name: data[name] for name in changed if name in data}


def _built(settings: Mapping[str, Any]) -> Any:
    from openhands.sdk import LLM

    try:
        return LLM(**settings)
    except ValidationError as error:
        # The value is not shown: a header may hold a token.
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'profile'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise ProfileError(f"the SDK refuses these settings: {'; '.join(problems)}") from error
    except Exception as error:
        raise ProfileError(
            f"the SDK refuses these settings: {type(error).__name__}: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no reason given")


def _check_kept(llm: Any, settings: Mapping[str, Any], changes: Iterable[str]) -> None:
    """Refuse what a file cannot hold: excluded fields, and ``null`` where it is no default."""
    data = llm.model_dump(mode="json", exclude_none=True)  # as the store writes it
    again = _built({key: value for key, value in data.items() if key in type(llm).model_fields})
    for name in changes:
        if getattr(llm, name) != getattr(again, name):
            raise ProfileError(
                f"the SDK does not keep {name}={json.dumps(settings[name])} in a profile file "
                f"(read back, it is {json.dumps(getattr(again, name), default=str)}): leave it out"
            )
