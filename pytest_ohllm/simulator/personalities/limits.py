"""Personalities with limits: of the context, of the answer, and of what may be said at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Reply, Turn

CONTEXT_TOKENS = 2048
"""Enough for a question, far too little for an agent's system prompt."""

OUTPUT_TOKENS = 16384
ANSWER_TOKENS = 16


def _overflow(refusal: Callable[[int], Refusal]) -> Refuse:
    """``refusal`` of the number of tokens, if they are more than the context holds."""

    def refuse(turn: Turn) -> Refusal | None:
        tokens = turn.prompt_tokens
        return refusal(tokens) if tokens > CONTEXT_TOKENS else None

    return refuse


def _openai(tokens: int) -> Refusal:
    return Refusal(
        400,
        f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, your messages "
        f"resulted in {tokens} tokens. Please reduce the length of the messages.",
        param="messages",
        code="context_length_exceeded",
    )


def _vllm(tokens: int) -> Refusal:
    message = (
        f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, you requested "
        f"{tokens} tokens in the messages, Please reduce the length of the messages."
    )
    body = {"object": "error", "message": message, "type": "BadRequestError", "code": 400}
    return Refusal(400, message, body=body | {"param": None})


def _llama_cpp(tokens: int) -> Refusal:
    message = "the request exceeds the available context size, try increasing it"
    error = {
        "code": 400,
        "message": message,
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": CONTEXT_TOKENS,
    }
    return Refusal(400, message, body={"error": error})


def _anthropic(tokens: int) -> Refusal:
    return Refusal(400, f"prompt is too long: {tokens} tokens > {CONTEXT_TOKENS} maximum")


def _gemini(tokens: int) -> Refusal:
    return Refusal(
        400,
        f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
        f"({CONTEXT_TOKENS}).",
    )


def _too_much_output(turn: Turn) -> Refusal | None:
    """The prompt is short: it is the request for output that does not fit."""
    wanted = turn.max_tokens or 0
    if wanted <= OUTPUT_TOKENS:
        return None
    prompt = turn.prompt_tokens
    return Refusal(
        400,
        f"This endpoint's maximum context length is {OUTPUT_TOKENS} tokens. However, you requested "
        f"about {prompt + wanted} tokens ({prompt} of text input, {wanted} in the output). Please "
        "reduce the length of either one, or use the context-compression plugin to compress your "
        "prompt automatically.",
        code=400,
    )


def _content_policy(turn: Turn) -> Refusal | None:
    """Azure, before the model was asked."""
    message = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management "
        "policy. Please modify your prompt and retry. To learn more about our content filtering "
        "policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
    )
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"jailbreak": True}}
    return Refusal(
        400,
        message,
        body={
            "error": {
                "message": message,
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": inner,
            }
        },
    )


def _filtered(turn: Turn, reply: Reply) -> Reply:
    return Reply(finish="content_filter")


def _refuses(turn: Turn, reply: Reply) -> Reply:
    return Reply(refusal="I'm sorry, but I can't assist with that request.")


def _short(turn: Turn, reply: Reply) -> Reply:
    """A server whose default limit on output is small; a request with a limit is obeyed."""
    if turn.max_tokens is not None or reply.completion_tokens <= ANSWER_TOKENS:
        return reply
    room = 4 * ANSWER_TOKENS
    calls = tuple(
        replace(call, arguments={}, raw=call.json[: room // 2]) for call in reply.tool_calls[:1]
    )
    return replace(reply, text=reply.text[:room], tool_calls=calls, finish="length")


def _context(vendor: str, refusal: Callable[[int], Refusal], **about: Any) -> Personality:
    return Personality(
        f"context-{vendor.lower().replace('.', '-')}",
        f"has a context of {CONTEXT_TOKENS} tokens, and says so in {vendor}'s words",
        verdict="DOES NOT WORK",
        stage="B",
        kind="model_limitation",
        refuse=(_overflow(refusal),),
        **about,
    )


def _broken(name: str, description: str, **about: Any) -> Personality:
    return Personality(
        name,
        description,
        verdict="DOES NOT WORK",
        stage="A",
        kind="model_limitation",
        **about,
    )


_MUCH: Mapping[str, Any] = {"max_output_tokens": 131_072}

PERSONALITIES = (
    _context("OpenAI", _openai),
    _context("vLLM", _vllm),
    _context("llama.cpp", _llama_cpp),
    _context("Anthropic", _anthropic, spoken="anthropic"),
    _context("Gemini", _gemini, spoken="gemini"),
    Personality(
        "output-limit-too-high",
        "rejects the profile's limit on output in words that sound like a long prompt",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        refuse=(_too_much_output,),
        settings=_MUCH,
        remedy={"max_output_tokens": 4096},
    ),
    _broken(
        "content-policy",
        "rejects every prompt by Azure's content filter",
        refuse=(_content_policy,),
    ),
    _broken(
        "content-filter",
        "ends every answer by the finish reason `content_filter`, without content",
        behave=(_filtered,),
    ),
    _broken("refusal", "refuses every request in the field `refusal`", behave=(_refuses,)),
    Personality(
        "length-cut",
        "cuts answers after 16 tokens unless the request has a limit of its own",
        verdict="WORKS WITH SETTINGS",
        stage="C",
        kind="configuration",
        behave=(_short,),
        remedy={"max_output_tokens": 4096},
    ),
)
