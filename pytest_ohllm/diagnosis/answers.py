"""Rules for answers that came, and still could not be used: by a parser, or by an agent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_ohllm.diagnosis.finding import Finding, one_line
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Blame, Kind

_STREAM_END = re.compile(
    r"\[DONE\]|\"(?:finish_reason|finishReason|stop_reason)\": ?\"|message_stop|response\.completed"
)
"""How the streams of the four protocols say that they are over."""


_CRASHES = [
    "AttributeError",
    "KeyError",
    "IndexError",
    "TypeError",
    "ValidationError",
    "JSONDecodeError",
    "UnicodeError",
    "UnicodeEncodeError",
    "UnicodeDecodeError",
    "PydanticSerializationError",
    "RecursionError",
    "UnboundLocalError",
    "NotImplementedError",
    "FunctionCallValidationError",
    "FunctionCallConversionError",
    "UnsupportedParamsError",
    "APIResponseValidationError",
]
"""What a program raises at itself."""

_CRASHED = re.compile(
    r"object (?:is not|has no attribute)|(?:list )?index out of range|NoneType|"
    r"no [`'\"]?choices?\b|invalid response object|unable to (?:get|parse|decode)|"
    r"surrogates not allowed|isn't mapped yet|not mapped|not in model_prices|must be a mapping|"
    r"does not support parameters|drop_params|failed to (?:parse|convert|transform)|"
    r"unexpected keyword argument|missing \d+ required|cannot read propert|is not callable|"
    r"(?:response|type) validation failed|building chunks|declared content-length|"
    r"streaming is (?:required|strongly recommended) for|is not JSON serializable|"
    r"\d validation errors? for [A-Z]|cannot access local variable|"
    r"converting to valid response|expected .{0,60}\bresponse\b.{0,20}\bgot\b|"
    r"unexpected (?:response|chunk) (?:type|format)|no (?:message|content) in (?:the )?response",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"(?:is not|isn't) mapped yet|does not support parameters|not in model_prices|"
    r"\d validation errors? for [A-Z]",
    re.IGNORECASE,
)
"""Said by litellm's own tables and models, whatever status an exception was given."""

_MODEL_WROTE = re.compile(
    r"pars\w+ (?:the )?(?:lm|llm|model)(?:'s)? (?:response|output)|unknown function call", re.I
)
"""What a program could not read is the model's text: a framework asked it for a format."""

_TEXT_FOR_OBJECT = re.compile(
    r"'(?:str|bytes)' object has no attribute|Expecting value.{0,40}char 0"
)
_BUILDS = re.compile(r"transform_request|prompt_templates|prompt_factory|map_openai_params")
"""Where litellm writes a request: no answer has come yet."""

_MALFORMED = re.compile(
    r"tool_use_failed|failed to call a function|tool call validation failed|failed_generation|"
    r"(?:attempted|tried) to call (?:\w+ ){0,2}tool|invalid function tool call|"
    r"tool call from model|repetitive tool calls|error parsing tool call|"
    r"malformed_function_call|unexpected_tool_call|"
    r"(?:model|llm) (?:generated|produced|returned|output) (?:an? )?(?:invalid|malformed|"
    r"unparsable)",
    re.IGNORECASE,
)
_BEHAVIOUR = re.compile(
    r"\b(?:returns?|returned|outputs?|answers?|prints?|writes?|emits?|replies|responds?)\b.{0,80}"
    r"\b(?:text|prose|json|markdown|content)\b|not (?:function|tool)[ _]?calls?|instead of "
    r"(?:calling|using|following|running)|\blazy\b|hallucinat|keeps? (?:repeating|calling|telling)|"
    r"missing required parameters? for function|(?:tool|function) .{0,60}(?:not found|does not "
    r"exist|not available)|unknown (?:tool|function)|(?:malformed|invalid) (?:tool|function)[ _]?"
    r"call|stuck in (?:a )?loop|empty (?:response|content|answer)|never calls?|refus(?:es|ed) to|"
    r"error validating (?:tool|arg)|not a valid (?:tool|function|action)\b|"
    r"output parsing error|retries .{0,30}(?:result|output) validation|"
    r"error in code parsing|code snippet is invalid|(?:potential|infinite) loop\b.{0,20}detected|"
    r"repeated duplicate call|(?:not|failed to) (?:use|call) (?:a|any) tools?\b|"
    r"did not conform|failed to (?:exactly )?match|could not parse response|"
    r"未调用任何.{0,6}工具|no action was found|gibberish|"
    r"ignores? (?:the )?(?:instruction|system|prompt)|"
    r"instead of (?:\w+ ){0,2}execut|as (?:raw|plain|bare) (?:json|text)|"
    r"\b(?:model|agent|llm|assistant|claude|gpt|gemini|qwen|llama|it) (?:just|only|simply|never|"
    r"always|keeps?|did(?:n't| not) (?:provide|call|use|return|follow)|won't|stops?|repeats?|"
    r"loops?|describes?|thinks?|forgets?|invents?)\b",
    re.IGNORECASE,
)


def crashed(s: Symptoms) -> Finding | None:
    """A pasted traceback: a library stumbled over an answer, or over a request before it left."""
    if s.pasted is None or _MODEL_WROTE.search(s.told):
        return None
    told = s.told
    if s.status in (400, 401, 403, 404, 422, 429) and not _OWN.search(told):
        return None
    if _TEXT_FOR_OBJECT.search(told) and not _BUILDS.search(s.frame):
        return Finding(
            Kind.CONFIGURATION,
            Blame.USER,
            f"a text came where an API's answer should be: {one_line(s.text, 120)}",
            "check base_url; OpenAI-compatible ones mostly end in /v1",
        )
    if not (s.raised(*_CRASHES) or _CRASHED.search(told)):
        return None
    where = f" at {s.frame}" if s.frame else ""
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"a library stumbled{where}: {one_line(s.text, 160)}",
        "run the suite against the endpoint: it keeps the answer that the library could not read",
        suspicion=Kind.SDK_GAP,
    )


def malformed_call(s: Symptoms) -> Finding | None:
    """The endpoint says that the model called a tool wrongly, or wrote what is no call at all."""
    if not s.refused or s.status == 429 or not _MALFORMED.search(s.words):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.MODEL,
        f"the model's own tool call is malformed: {one_line(s.text, 160)}",
        "try native_tool_calling=False, or another model",
    )


def behaviour(s: Symptoms) -> Finding | None:
    """Words about what the model does, without any error of an endpoint or a library."""
    if s.pasted is None or s.status is not None:
        return None
    if not (_BEHAVIOUR.search(s.told) or _MODEL_WROTE.search(s.told)):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.MODEL,
        f"the model does not do what agents need: {one_line(s.text, 160)}",
        "try native_tool_calling=False, or another model",
    )


def error_in_success(s: Symptoms) -> Finding | None:
    """HTTP 200 whose body is an error object."""
    if s.status != 200 or not s.body_error:
        return None
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        f"the endpoint answered HTTP 200 with an error: {one_line(s.text)}",
        "try again; if it repeats, report it to the provider",
    )


def empty_body(s: Symptoms) -> Finding | None:
    """HTTP 200 without a single byte."""
    if s.status != 200 or s.exchange is None or s.exchange.response is not None:
        return None
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        "the endpoint answered HTTP 200 with an empty body",
        "check base_url; if it is right, look at the server's log",
    )


def broken_stream(s: Symptoms) -> Finding | None:
    """A stream of events that breaks off, or that nobody had asked for."""
    if s.status != 200 or s.error is None or not _is_stream(s):
        return None
    if not isinstance(s.body, str) or not _STREAM_END.search(s.body):
        return Finding(
            Kind.PROVIDER_OUTAGE,
            Blame.ENDPOINT,
            "the endpoint's stream (HTTP 200) breaks off before its end",
            "try again; if it repeats, look at the server's log and at proxies before it",
        )
    if _asked_for_stream(s):
        return None
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        "the endpoint answers with a stream although none was asked for",
        "have the server answer requests without `stream` as one JSON document",
    )


def broken_json(s: Symptoms) -> Finding | None:
    """JSON that breaks off, or that a library could not read for another reason."""
    if s.status != 200 or s.error is None or not isinstance(s.body, str):
        return None
    if s.body.lstrip()[:1] not in ("{", "["):
        return None
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        f"the endpoint answered HTTP 200 with broken JSON, which ends in {_tail(s.body)!r}",
        "try again; if it repeats, look at the server's log and at proxies before it",
    )


def not_json(s: Symptoms) -> Finding | None:
    """HTTP 200 with something that is not an LLM API's answer."""
    if s.status != 200 or _is_stream(s) or not isinstance(s.body, str) or s.error is None:
        return None
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint answered HTTP 200 with something that is not JSON: {one_line(s.body, 80)!r}",
        "check that base_url is an LLM API",
    )


def unreadable(s: Symptoms) -> Finding | None:
    """A JSON answer on which a library stumbled; who is wrong takes an experiment to say."""
    if s.status != 200 or s.root is None:
        return None
    return Finding(
        Kind.UNKNOWN,
        Blame.UNKNOWN,
        f"the answer (HTTP 200) could not be read: {one_line(s.root.message)}",
        "compare the response in the run folder with the provider's documentation",
    )


def _is_stream(s: Symptoms) -> bool:
    return s.exchange is not None and s.exchange.content_type == "text/event-stream"


def _asked_for_stream(s: Symptoms) -> bool:
    request = s.exchange.request if s.exchange else None
    return isinstance(request, Mapping) and bool(request.get("stream"))


def _tail(text: str) -> str:
    return one_line(text)[-40:]


RULES = (error_in_success, empty_body, broken_stream, broken_json, not_json, unreadable)
