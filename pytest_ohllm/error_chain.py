"""An exception chain as data: the outermost exception rarely tells what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_ohllm.model import ErrorFacts, ErrorLink

_LONGEST_MESSAGE = 8000


def facts_of(error: BaseException) -> ErrorFacts:
    """The chain of ``error``, outermost first, with HTTP statuses and bodies."""
    return ErrorFacts(links=tuple(_link(link) for link in _chain(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # The SDK keeps the provider's exception as an attribute, too, and an explicit cause says
        # more than whatever happened to be handled at that moment.
        error = error.__cause__ or getattr(error, "original_exception", None) or _context(error)


def _context(error: BaseException) -> BaseException | None:
    """What was being handled when ``error`` was raised, unless it was hidden on purpose.

    httpcore hides by ``from None`` whether it was the name, the port or the certificate.
    """
    cut = error.__suppress_context__ and not type(error).__module__.startswith("httpcore")
    return None if cut else error.__context__


def _link(error: BaseException) -> ErrorLink:
    response = getattr(error, "response", None)
    kind = type(error)
    return ErrorLink(
        type=f"{kind.__module__}.{kind.__qualname__}",
        message=_message(error),
        status=_status(error, response),
        body=_body(error, response),
        frame=_deepest_frame(error),
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST_MESSAGE]
    except (
        Exception
    ) as broken:  # a third party's __str__ may fail, and that must not hide the error
        return f"<no message: {type(broken).__name__}>"


def _status(error: BaseException, response: Any) -> int | None:
    for holder in (response, error):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    return None


def _body(error: BaseException, response: Any) -> Any:
    body = getattr(error, "body", None)
    if isinstance(body, dict | list | str) and body:
        return body
    try:
        text = response.text
    except Exception:  # no response, or one whose body was never read
        return None
    return text[:_LONGEST_MESSAGE] if isinstance(text, str) and text else None


def _deepest_frame(error: BaseException) -> str | None:
    """Where it was raised, as ``package/module.py:function``."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{_short(code.co_filename)}:{code.co_name}"


def _short(filename: str) -> str:
    for root in ("site-packages/", "dist-packages/"):
        _, found, rest = filename.rpartition(root)
        if found:
            return rest
    return "/".join(filename.split("/")[-3:])
