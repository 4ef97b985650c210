"""The rules of providers that a request may break, and the settings that keep one of them.

What a repair changes is what the SDK and litellm decide, not the user.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_ohllm.diagnosis import rewriting
from pytest_ohllm.diagnosis.protocols import Body
from pytest_ohllm.diagnosis.remedies import NO_EFFORT


@dataclass(frozen=True)
class Repair:
    """One rule: ``text`` completes "the request is accepted if …"; ``settings`` may keep it."""

    name: str
    text: str
    change: Callable[[Body], None]
    """Makes a request keep the rule, in place."""
    words: str = ""
    """A pattern of what an endpoint says whose rule it is, in small letters."""
    settings: tuple[Mapping[str, Any], ...] = ()
    own_words: bool = False
    """Whether the endpoint rejects what it had sent itself, so that the SDK is not to blame."""

    def apply(self, body: Body) -> Body | None:
        """A repaired copy of ``body``; ``None`` if there is nothing to repair."""
        repaired = copy.deepcopy(body)
        self.change(repaired)
        return None if repaired == body else repaired

    def is_about(self, words: str) -> bool:
        """Whether the endpoint's words, in small letters, mention what the repair changes."""
        return bool(self.words) and re.search(self.words, words) is not None


_NO_NATIVE_TOOLS: Mapping[str, Any] = {"native_tool_calling": False}

REPAIRS: tuple[Repair, ...] = (
    Repair(
        "no cache_control",
        "no part of it carries cache_control",
        rewriting.no_cache_marks,
        words=r"cache",
        settings=({"caching_prompt": False},),
    ),
    Repair(
        "content as text",
        "the content of messages is a string instead of a list of parts",
        rewriting.content_as_text,
        words=r"string|content",
        settings=({"force_string_serializer": True},),
    ),
    Repair(
        "valid arguments",
        "the arguments of earlier tool calls are valid JSON",
        rewriting.valid_arguments,
        words=r"argument|json",
        settings=(_NO_NATIVE_TOOLS,),
    ),
    Repair(
        "no reasoning",
        "earlier reasoning is left out of the history",
        rewriting.no_reasoning,
        words=r"reasoning|thinking|thought|signature|\brs_",
        settings=(*NO_EFFORT, {"enable_encrypted_reasoning": False}),
    ),
    Repair(
        "no null content",
        "no message is without content",
        rewriting.no_null_content,
        words=r"null|none|content",
        settings=(_NO_NATIVE_TOOLS,),
    ),
    Repair(
        "no empty turns",
        "empty turns are left out",
        rewriting.no_empty_turns,
        words=r"empty",
    ),
    Repair(
        "system first",
        "there is one system message, at the beginning",
        rewriting.system_first,
        words=r"system",
    ),
    Repair(
        "roles alternate",
        "roles alternate",
        rewriting.roles_alternate,
        words=r"role|alternat",
    ),
    Repair(
        "one call per message",
        "each message of the history holds one tool call",
        rewriting.one_call_each,
        words=r"single|one tool|parallel|tool[- ]call",
        settings=(_NO_NATIVE_TOOLS,),
        own_words=True,
    ),
    Repair(
        "short ids",
        "the ids of tool calls have nine letters",
        rewriting.short_ids,
        words=r"\bid\b|length",
    ),
    Repair(
        "plain schemas",
        "the tools' schemas use nothing but the basic keywords",
        rewriting.plain_schemas,
        words=r"schema|additionalproperties|\$ref|parameters",
        settings=(_NO_NATIVE_TOOLS,),
    ),
    Repair(
        "no pictures",
        "it holds no picture",
        rewriting.no_pictures,
        words=r"image|vision|picture",
        settings=({"capability_overrides": {"supports_vision": False}},),
        own_words=True,
    ),
)
"""From the most frequent to the rare."""

SHORTER = Repair("shorter", "it is short", rewriting.shortened, own_words=True)
"""Not a repair of anything but size: the same structure with few words."""
