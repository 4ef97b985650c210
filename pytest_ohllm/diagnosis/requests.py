"""Rules for what an endpoint does not like about a request: a header, a message, a field."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_ohllm.diagnosis.account import said
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_HEADER = re.compile(
    r"(?<![\w-])[A-Z]\w{0,30}(?:-[A-Z]\w{0,30}){1,5}\b.{0,40}\bheader|"
    r"header.{0,30}(?:missing|required)",
    re.IGNORECASE,
)
_MESSAGE = re.compile(
    r"messages?[\[.\s]{1,2}\d+|"
    r"(?:message|content|item|turn)s? (?:at )?(?:position|index|number) ?\d+|"
    r"contents?\[\d+\]|input\[\d+\]|parts?\[\d+\]|"
    r"\b(?:message )?roles?\b.{0,80}(?:alternat|invalid|must|unexpected|not (?:allowed|supported)|"
    r"order|follow)|only .{0,60} roles? (?:is|are)|"
    r"(?:invalid|unexpected|unsupported|unknown).{0,20}\brole\b|"
    r"(?:system|assistant|tool|user|developer) (?:message|role|turn)s?\b.{0,80}(?:must|cannot|not|"
    r"only|empty|invalid|require|should|missing)|tool[_ ]call[_ ]?(?:id|s)?\b.{0,80}(?:must|not|"
    r"invalid|missing|duplicate|without|follow|length)|function[_ ](?:call|response).{0,60}(?:turn|"
    r"must|missing|number of)|tool_use.{0,60}(?:without|must|ids?)|tool_result|"
    r"no tool (?:output|result|response)|valid role|"
    r"reasoning_content|thought_signature|thinking.{0,40}(?:block|signature|part|must|cannot|"
    r"preced)|invalid part type|content.{0,30}(?:must|should|cannot|expected|non-?empty|empty|"
    r"invalid type|be a string|valid string)|text content blocks|"
    r"(?:rs|msg|fc|resp|call|item)_[\w*]{3,}.{0,60}(?:not found|not exist|without|provided)|"
    r"(?:parse|invalid|malformed|decode).{0,40}(?:tool|function)[ _]?call.{0,20}arguments|"
    r"(?:tool_calls|function)[.\w]{0,30}arguments|cannot unmarshal|item pairs from a mapping|"
    r"conversations? (?:roles|must|should|has to)|chat content",
    re.IGNORECASE,
)
_COMPLAINT = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|invalid|extra|missing|(?:not|n't) "
    r"(?:\w+ )?(?:support|allow|permit|accept|exist|valid|recogni[sz]e)\w*|forbidden|deprecated|"
    r"must be|only supports?|cannot (?:both )?be|mutually exclusive|incompatible|requires?\b|"
    r"should be|out of range|greater than|less than|additional properties|schema violation|"
    r"do(?:es)? not match|expected|malformed|maximum|minimum|illegal|failed to satisfy|"
    r"\brequired\b|mismatch|bad input|no endpoints found that support|"
    r"only .{0,40}(?:is|are) (?:allowed|supported|permitted)|(?:must|should) (?:have|contain|not)|"
    r"too (?:long|short|many|few)|unavailable|only allowed|duplicate|may (?:only|not) be|"
    r"can(?:no|')t be|not the same number|predicate failed|不支持|非法|不合法|错误|无效",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:temperature|seed|stop|tools|stream) (?:is|are) not |"
    r"[`'\"][a-z]+(?:_[a-z]+)*[`'\"]|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[a-z]+(?:[A-Z][a-z]+)+\b"
)
_THING = re.compile(
    r"\b(?:parameters?|params?|arguments?|fields?|propert(?:y|ies)|options?|keywords?|variants?|"
    r"inputs?|payload|schema|value|json|body|request|keys?|enum|type|format|attributes?)\b|"
    r"\b(?:temperature|seed|stop|stream|tools?|logprobs|thinking|reasoning|verbosity|modalities|"
    r"store|metadata|messages)\b",
    re.IGNORECASE,
)
_WORDS = 3
"""So few words at least make a reason, rather than a number or a name."""

_EXPLICIT = re.compile(
    r"(?:param(?:eter)?|field|argument|key)s? [`'\"]?\w+[`'\"]? (?:is|are) not "
    r"(?:supported|allowed|permitted)|(?:unsupported|unknown|unexpected|invalid) "
    r"(?:param(?:eter)?|field|argument|key)s? [`'\"]\w",
    re.IGNORECASE,
)
"""So clear that the status does not matter."""


def names_a_header(s: Symptoms) -> Finding | None:
    """The provider wants a header that the client does not send."""
    if not _is_refusal(s) or not _HEADER.search(s.text):
        return None
    return _suspected(
        s,
        f"the endpoint wants a header that was not sent: {said(s)}",
        "set it with extra_headers in the profile",
    )


def names_a_message(s: Symptoms) -> Finding | None:
    """The endpoint refuses a message of the history: its role, its place, its parts, its ids."""
    if not _is_refusal(s, serious=True) or not _MESSAGE.search(s.words):
        return None
    if named_field(s) not in (None, "messages", "contents", "input"):
        return None
    return _suspected(
        s,
        f"the endpoint rejects a message of the conversation: {said(s)}",
        "compare the request in the run folder with the provider's documentation",
        named="messages",
    )


def names_a_field(s: Symptoms) -> Finding | None:
    """The endpoint refuses a field of the request by name."""
    if not _is_refusal(s):
        return None
    name = named_field(s)
    if name is None:
        if s.pasted is None or not _complains(s):
            return None
        return _suspected(
            s,
            f"the endpoint rejects a part of the request: {said(s)}",
            "find out who put it there: your settings, or the SDK",
        )
    if set_by_user(s, name):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"the endpoint rejects {name!r}, which the profile sets: {said(s)}",
            f"remove {name} from the profile",
            named=name,
        )
    return _suspected(
        s,
        f"the endpoint rejects {name!r}, which the profile does not set: {said(s)}",
        "compare the request in the run folder with the provider's documentation",
        named=name,
    )


def rejected(s: Symptoms) -> Finding | None:
    """Any other refusal: the endpoint's words are all there is."""
    if s.status is None or not 400 <= s.status < 500:
        return None
    # Whoever is refused with words that no rule knows has mostly sent what the SDK wrote.
    vague = s.status == 422 or (s.status in (400, 410) and len(s.words.split()) >= _WORDS)
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the endpoint rejects the request (HTTP {s.status}): {said(s)}",
        "compare the request in the run folder with the provider's documentation",
        suspicion=Kind.SDK_GAP if vague else None,
    )


def named_field(s: Symptoms) -> str | None:
    """The top-level field of the request that the error is about."""
    request = s.exchange.request if s.exchange else None
    if not isinstance(request, Mapping):
        return None
    for named in s.core.fields:
        if (top := re.split(r"[.\[]", named)[0]) in request:
            return top
    quoted = set(re.findall(r"[`'\"]([a-z_]+)[`'\"]", s.text))
    leading = set(re.findall(r"^([a-z_]+)(?=[.\[:])", s.text))
    plain = {name for name in request if "_" in name and name in s.text}
    found = sorted((quoted | leading | plain) & set(request) - {"messages", "model"})
    return found[0] if len(found) == 1 else None


SETTINGS_OF: Mapping[str, tuple[str, ...]] = {
    "max_tokens": ("max_output_tokens",),
    "max_completion_tokens": ("max_output_tokens",),
    "max_output_tokens": ("max_output_tokens",),
    "reasoning": ("reasoning_effort", "reasoning_summary"),
    "thinking": ("extended_thinking_budget", "reasoning_effort"),
}
"""The settings that make the SDK send a field, where they have another name than it."""


def set_by_user(s: Symptoms, name: str) -> bool:
    """Whether a field of the request stands in the profile, other than as the SDK's default."""
    extra = s.settings.get("litellm_extra_body")
    if isinstance(extra, Mapping) and name in extra:
        return True
    return any(
        s.settings.get(setting) is not None and (s.chosen is None or setting in s.chosen)
        for setting in SETTINGS_OF.get(name, (name,))
    )


def _complains(s: Symptoms) -> bool:
    """Whether the words are a complaint about something in a request.

    Where neither a status nor a class nor a body says that a program wrote them, they have to name
    it: people use the general words, too.
    """
    if not _COMPLAINT.search(s.words):
        return False
    written = s.status is not None or s.classes or s.core.layers
    return bool(_NAMED.search(s.words) or (written and _THING.search(s.words)))


def _is_refusal(s: Symptoms, *, serious: bool = False) -> bool:
    """A refusal with words; ``serious`` includes 500, which parsers of requests answer, too."""
    if s.pasted is not None:
        if s.status is not None and s.status >= 424 and _EXPLICIT.search(s.text):
            return True
        return s.status in (None, 400, 404, 410, 422, 501, *((500,) if serious else ()))
    return (
        s.exchange is not None
        and s.refused
        and (s.status in (400, 404, 422) or (serious and s.status == 500))
    )


def _suspected(s: Symptoms, summary: str, next_step: str, named: str | None = None) -> Finding:
    return Finding(
        Kind.UNKNOWN, Blame.UNKNOWN, summary, next_step, suspicion=Kind.SDK_GAP, named=named
    )
