"""Rules for what a model or its server cannot do: tools, pictures, long prompts, some subjects."""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_TOOLS = re.compile(
    r"(?:not|n't) (?:currently )?support(?:ed|s|ing)? (?:the )?(?:native )?"
    r"(?:tools?\b(?!_)|functions?\b|function[ _-]?calling|tool[ _-](?:use|call\w*))|"
    r"(?:tools?|functions?|tool use)[`'\"]? (?:use |calling |call )?(?:is|are) not "
    r"(?:currently )?(?:support|enabled|available)|"
    r"only .{0,400}\bsupports? (?:tool|function) call|enable-auto-tool-choice|tool-call-parser|"
    r"no endpoints found that support tool|"
    r"\btools?\b param requires --jinja",
    re.IGNORECASE,
)
_IN_STREAMS = re.compile(r"(?:in|with|while|when|and) stream(?:s|ing)?\b", re.IGNORECASE)
_FLAGS = re.compile(r"(?<!\w)--[a-z][a-z-]+")
_IMAGE = re.compile(
    r"(?:not|n't|cannot|no|unable to|only|at most \d+|at most|invalid|unsupported)\b.{0,60}"
    r"\b(?:images?|image_url|vision|multi-?modal|pictures?)\b|"
    r"\b(?:images?|image_url|vision|multi-?modal)\b.{0,60}(?:not|n't|cannot|only|unsupported|"
    r"disabled)\b|unknown variant [`'\"]?(?:input_)?image",
    re.IGNORECASE,
)
_SHAPE = re.compile(
    r"deserializ|variant|invalid type|content type|must be a string|expected a string", re.I
)
"""Said of a message with a picture where a model takes none: its content is a list of parts."""

_OTHER_TYPE = re.compile(r"not match the \w+ media type", re.IGNORECASE)
_CONTEXT = re.compile(
    r"context[ _-]?(?:length|window|size|limit)|maximum context|max(?:imum)? (?:prompt|input|"
    r"model|sequence) (?:length|len|tokens)|(?:prompt|messages?|conversation) (?:is |are )?too "
    r"(?:long|large)|too many (?:input )?"
    r"tokens|(?:input|prompt) (?:is |length )?(?:too (?:long|large)|exceeds?)|"
    r"input length\b.{0,30}(?:should be|must be|exceeds?)|token (?:count|limit) .{0,60}"
    r"exceed|exceed(?:s|ed)?\b .{0,60}(?:token|context|length) ?(?:limit|count|length|window)|"
    r"(?:inputs?|prompt)\W{0,2} must have (?:less|fewer) than|got -\d|"
    r"input tokens .{0,20}has exceeded|reduce the length|\bn(?:um)?_ctx\b\W{0,4}\d|"
    r"string_above_max_length|"
    r"request[ _](?:entity |body |payload )?(?:too[ _]large|exceeds the maximum size)|"
    r"上下文(?:长度|窗口)|输入(?:长度|过长)",
    re.IGNORECASE,
)
_SMALL_PART = re.compile(
    r"[\w\]][._](?:id|name)['\"`]?\s?:.{0,40}(?:too long|at most|maximum)", re.IGNORECASE
)
_OVER_LIMIT = re.compile(
    r"must be <=? ?(?P<limit>\d{1,12})\b.{0,20}given:? (?P<given>\d{1,12})\W{1,3}inputs?",
    re.IGNORECASE,
)
"""Said by a server that counts the prompt and the room for the answer together."""

_LOADED = re.compile(
    r"(?:re)?(?:load|serve|start|run) the (?:model|server) with a (?:larger|bigger|longer)|"
    r"loaded with (?:a )?context",
    re.IGNORECASE,
)
"""Said by a server whose owner chose the size of the context."""

_OUTPUT = (
    re.compile(
        r"(?P<n>\d[\d,_]{0,15})\s*(?:tokens?\s*)?(?:in|for|of|as)\s+(?:the |your )?"
        r"(?:completion|output|max_\w*tokens)",
        re.I,
    ),
    re.compile(
        r"(?:max_\w*tokens|completion|output)\W{0,4}(?:value |is |of |=|:)?\W{0,3}"
        r"(?P<n>\d[\d,_]{0,15})",
        re.I,
    ),
)
_INPUT = re.compile(
    r"(?P<n>\d[\d,_]{0,15})\s*(?:tokens?\s*)?(?:in|of|from)\s+(?:the |your )?(?:messages|"
    r"prompt|input|text)|"
    r"(?:prompt|input|messages)\W{0,4}(?:length |is |of |has |contains |=|:)?\W{0,3}"
    r"(?P<m>\d[\d,_]{0,15})",
    re.I,
)
_FILTER = re.compile(
    r"content[ _-]?(?:filter|policy|management|moderation)|responsibleai|moderation|"
    r"\b(?:prompt|input|output|response|content) .{0,40}(?:flagged|blocked)|\bflagged\b|"
    r"violat\w+ .{0,40}(?:polic|guideline|terms)|safety_check|敏感|"
    r"(?<!case[- ])sensitive|unsafe (?:or|content)|"
    r"safety (?:system|filter|polic|reason|setting)|prohibited[_ ]content|datainspection|"
    r"block(?:ed)?_?reason|"
    r"inappropriate content|usage polic",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"\{%-?|jinja|chat[ _]template\b(?! is not supported)|raise_exception|TemplateError|"
    r"at row \d+, column \d+",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"more (?:system )?memory|out of (?:gpu )?memory|insufficient (?:gpu )?memory|"
    r"cuda (?:error|out)|(?:failed|unable) to (?:load|allocate) .{0,30}(?:model|memory|buffer)|"
    r"no lora|\bkv cache\b|"
    r"(?:re)?start (?:the )?(?:server|vllm|llama-server) with|must provide a chat template|"
    r"model .{0,40}(?:is|was) loaded with(?:out)? (?!context)",
    re.IGNORECASE,
)


def server_too_small(s: Symptoms) -> Finding | None:
    """The user's own server lacks memory or a flag for this model."""
    if not s.refused or not _MEMORY.search(s.text):
        return None
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the server cannot run the model as it is set up: {said(s)}",
        "give the server more memory, or serve a smaller model",
    )


def tools_refused(s: Symptoms) -> Finding | None:
    """The endpoint refuses the ``tools`` field as such."""
    if not s.refused or not _TOOLS.search(s.text) or _is_outage(s):
        return None
    if _IN_STREAMS.search(s.text):
        return None  # it offers both, and not together
    own = s.self_hosted or (s.pasted is not None and s.pasted.provider is None)
    if own and s.pasted is not None and _FLAGS.search(s.text):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the server was started without native tool calling: {said(s)}",
            "start it with the flags that it names, or set native_tool_calling to false",
        )
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        f"the endpoint does not offer native tool calling: {said(s)}",
        "set native_tool_calling to false, or enable tool calling in the server",
        named="tools",
    )


def images_refused(s: Symptoms) -> Finding | None:
    """The model takes no pictures, or not these."""
    tried = s.pasted is not None and s.pasted.stage_hint == "vision"
    about = _IMAGE.search(s.text) or (tried and _SHAPE.search(s.text))
    if not s.refused or _is_outage(s) or not about:
        return None
    if _OTHER_TYPE.search(s.text):
        return None  # it takes pictures, and this one is not what the request says that it is
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        f"the endpoint does not take this picture: {said(s)}",
        "set capability_overrides.supports_vision to false, or use a model that sees",
        named="image",
    )


def context_length(s: Symptoms) -> Finding | None:
    """The request does not fit the model's context, be it the prompt or the room for the answer."""
    if s.status not in (None, 400, 413, 422, 500) or not s.refused or not _is_too_long(s):
        return None
    if any(field.startswith("tools") for field in s.core.fields) or _SMALL_PART.search(s.text):
        return None  # a description, a name or an id may be too long, too
    if _asks_for_too_much(s.text):
        chosen = s.chosen is None or "max_output_tokens" in s.chosen
        set_by_user = s.settings.get("max_output_tokens") is not None and chosen
        return Finding(
            Kind.CONFIGURATION if set_by_user else Kind.UNKNOWN,
            Blame.USER if set_by_user else Blame.UNKNOWN,
            f"the request leaves no room, since it asks for too long an answer: {said(s)}",
            "lower max_output_tokens in the profile",
            suspicion=None if set_by_user else Kind.SDK_GAP,
            named="max_output_tokens",
        )
    if s.pasted is not None and _LOADED.search(s.text):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the server gives the model too small a context: {said(s)}",
            "load the model with a context of 16,384 tokens or more",
        )
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.MODEL,
        f"the request does not fit the model's context: {said(s)}",
        "serve the model with a larger context; the SDK's agent needs 16,384 tokens or more",
    )


def content_filter(s: Symptoms) -> Finding | None:
    """A filter at the provider stopped a harmless prompt."""
    plausible = s.status in (None, 200, 400, 403, 422) or (s.pasted and s.status == 500)
    if not plausible or not s.refused or not _FILTER.search(s.words):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        f"the provider's content filter refused the prompt: {said(s)}",
        "relax the filter at the provider",
    )


def template_fails(s: Symptoms) -> Finding | None:
    """The model's chat template stumbles over the request on the server."""
    if s.pasted is None or not _TEMPLATE.search(s.text) or s.status in (401, 403, 404, 429):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.MODEL,
        f"the model's chat template cannot take the conversation: {said(s)}",
        "serve the model with another template, or try native_tool_calling=False",
    )


def _is_outage(s: Symptoms) -> bool:
    """Whether the status says so; some servers answer 500 or 501 to what they cannot do."""
    if s.status is None or s.status < 500:
        return False
    return s.pasted is None or s.status > 501


def _is_too_long(s: Symptoms) -> bool:
    """Whether the words, or the numbers in them, say that the prompt does not fit."""
    if counted := _OVER_LIMIT.search(s.text):
        return int(counted["given"]) >= int(counted["limit"])
    return _CONTEXT.search(s.words) is not None


def _asks_for_too_much(text: str) -> bool:
    """Whether the numbers say that the answer's length is the larger part of what does not fit."""
    output = next((match for one in _OUTPUT if (match := one.search(text))), None)
    prompt = _INPUT.search(text)
    if output is None or prompt is None:
        return False
    return _number(output["n"]) > _number(prompt["n"] or prompt["m"])


def _number(digits: str) -> int:
    return int(re.sub(r"[^0-9]", "", digits)[:12] or 0)
