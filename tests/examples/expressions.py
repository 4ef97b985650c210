"""The part of GitHub's expressions that the examples use: ``${{ a.b == 'c' && always() }}``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, Any]

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||[!=]=|[!(),]|[A-Za-z_][\w.-]*|-?\d+(?:\.\d+)?)")
_EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class ExpressionError(Exception):
    """What GitHub would refuse, and what is not known here."""


def evaluate(text: str, context: Context) -> Any:
    """The value of one expression without its braces."""
    return _Parser(text, context).whole()


def filled(value: Any, context: Context) -> Any:
    """``value`` with its expressions evaluated; one that is nothing else keeps its type."""
    if isinstance(value, dict):
        return {key: filled(one, context) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, context) for one in value]
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"\$\{\{((?:(?!\}\}).)*)\}\}", value.strip(), re.DOTALL):
        return evaluate(whole[1], context)
    return _EMBEDDED.sub(lambda found: as_text(evaluate(found[1], context)), value)


def condition(value: Any, context: Context) -> bool:
    """An ``if``: without a status function, it asks for success, too."""
    text = str(value).strip()
    if braces := re.fullmatch(r"\$\{\{(.*)\}\}", text, re.DOTALL):
        text = braces[1]
    asks = re.search(r"\b(always|cancelled|failure|success)\(\)", text)
    return bool(evaluate(text, context)) and bool(asks or context["success"]())


def as_text(value: Any) -> str:
    """As it becomes a part of a string or an environment variable."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


class _Parser:
    def __init__(self, text: str, context: Context) -> None:
        self.text, self.context = text, context
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise ExpressionError(f"{text[at:]!r} in {text!r}")
            self.tokens.append(found[1])
            at = found.end()

    def whole(self) -> Any:
        value = self._any()
        if self.tokens:
            raise ExpressionError(f"{self.tokens} is left of {self.text!r}")
        return value

    def _any(self) -> Any:
        value = self._all()
        while self._take("||"):
            other = self._all()
            value = value or other
        return value

    def _all(self) -> Any:
        value = self._equal()
        while self._take("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:
        value = self._one()
        for sign, wanted in (("==", True), ("!=", False)):
            if self._take(sign):
                return (as_text(value).lower() == as_text(self._one()).lower()) is wanted
        return value

    def _one(self) -> Any:
        if self._take("!"):
            return not self._one()
        if self._take("("):
            value = self._any()
            self._need(")")
            return value
        if not self.tokens:
            raise ExpressionError(f"{self.text!r} ends too early")
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return float(token)
        if token in ("true", "false", "null"):
            return json.loads(token)
        return self._call(token) if self._take("(") else self._look(token)

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self._any())
            self._take(",")
        function = _FUNCTIONS.get(name) or self.context.get(name)
        if not callable(function):
            raise ExpressionError(f"{name}() is not known")
        return function(*arguments)

    def _look(self, path: str) -> Any:
        """What is not there is empty, but the first name has to be a context."""
        first, *names = path.split(".")
        if first not in self.context:
            raise ExpressionError(f"there is no context {first!r} here ({self.text!r})")
        value = self.context[first]
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _take(self, token: str) -> bool:
        if self.tokens[:1] != [token]:
            return False
        self.tokens.pop(0)
        return True

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise ExpressionError(f"{token!r} is missing in {self.text!r}")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "fromJSON": lambda text: json.loads(text),
    "toJSON": lambda value: json.dumps(value),
    "contains": lambda whole, part: part in whole,
    "startsWith": lambda text, begin: str(text).lower().startswith(str(begin).lower()),
}
