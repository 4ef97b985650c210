"""Personalities of reasoning: where thoughts stand, and whether they must come back."""

from __future__ import annotations

from dataclasses import replace

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities import wire
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.response import Refusal, Response
from pytest_ohllm.simulator.seal import unseal
from pytest_ohllm.simulator.turn import Reply, Turn


def _thinking(turn: Turn, reply: Reply) -> Reply:
    return replace(reply, reasoning=agent.thoughts(turn, reply))


def _renamed(turn: Turn, response: Response) -> Response:
    def rename(message: wire.Document) -> wire.Document:
        return {"reasoning" if k == "reasoning_content" else k: v for k, v in message.items()}

    return wire.each_message(rename)(response)


def _tagged(turn: Turn, reply: Reply) -> Reply:
    thought = agent.thoughts(turn, reply)
    return replace(reply, text=f"<think>\n{thought}\n</think>\n\n{reply.text}")


def _unclosed(turn: Turn, reply: Reply) -> Reply:
    """What a template leaves over that opens the tag in the prompt."""
    return replace(reply, text=f"{agent.thoughts(turn, reply)}\n</think>\n\n{reply.text}")


def _only(turn: Turn, reply: Reply) -> Reply:
    """The whole answer stands among the thoughts."""
    return Reply(reasoning=f"{agent.thoughts(turn, reply)} {reply.text}")


def _wants_it_back(turn: Turn) -> Refusal | None:
    """DeepSeek's thinking mode: what was thought before a tool call must be sent again."""
    for index, message in enumerate(turn.messages):
        if message.tool_calls and not message.reasoning:
            return Refusal(
                400,
                "The `reasoning_content` in the thinking mode must be passed back to the API. "
                f"Missing `reasoning_content` field in the assistant message at message index "
                f"{index}.",
            )
    return None


def _compares(turn: Turn) -> Refusal | None:
    """A signature that holds, over a thought that was changed on the way."""
    for index, message in enumerate(turn.messages):
        if message.seal and message.reasoning != unseal(message.seal):
            return Refusal(
                400,
                f"messages.{index}.content.0: `thinking` or `redacted_thinking` blocks in the "
                "latest assistant message cannot be modified. These blocks must remain as they "
                "were in the original response.",
            )
    return None


def _wants_signature(turn: Turn) -> Refusal | None:
    """Gemini 3: a function call without the signature of the thought behind it."""
    for index, message in enumerate(turn.messages):
        if message.tool_calls and not message.seal:
            return Refusal(
                400,
                "Function call is missing a thought_signature in functionCall parts. This is "
                "required for tools to work correctly, and missing thought_signature may lead to "
                "degraded model performance. Additional data, function call "
                f"`default_api:{message.tool_calls[0].name}` , position {index}. Please refer to "
                "https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
            )
    return None


PERSONALITIES = (
    Personality(
        "reasoning-content",
        "shows its thoughts in `reasoning_content`, as DeepSeek does",
        healthy=True,
        verdict="WORKS",
        behave=(_thinking,),
    ),
    Personality(
        "reasoning-field",
        "shows its thoughts in `reasoning`, as OpenRouter and vLLM do",
        healthy=True,
        verdict="WORKS",
        behave=(_thinking,),
        deliver=(_renamed,),
    ),
    Personality(
        "think-tags",
        "writes its thoughts into the content, between `<think>` tags",
        healthy=True,
        verdict="WORKS",
        behave=(_tagged,),
    ),
    Personality(
        "think-tag-unclosed",
        "writes its thoughts into the content before a lone `</think>`",
        healthy=True,
        verdict="WORKS",
        behave=(_unclosed,),
    ),
    Personality(
        "reasoning-only",
        "puts the whole answer into `reasoning_content` and leaves the content empty",
        verdict="DOES NOT WORK",
        stage="A",
        kind="model_limitation",
        behave=(_only,),
    ),
    Personality(
        "reasoning-required",
        "rejects a history in which a tool call came back without its `reasoning_content`",
        verdict="WORKS WITH SETTINGS",
        stage="C",
        kind="sdk_gap",
        refuse=(_wants_it_back,),
        behave=(_thinking,),
        remedy={"native_tool_calling": False},
    ),
    Personality(
        "signature-compared",
        "Anthropic: rejects a signed thought whose text was changed, as litellm does in streams",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="streaming_tools",
        kind="sdk_gap",
        spoken="anthropic",
        suffix="-claude-3-7-sonnet",
        settings={
            "capability_overrides": {"thinking_mode": "manual"},
            "extended_thinking_budget": 1024,
            "max_output_tokens": 8192,
        },
        refuse=(_compares,),
    ),
    Personality(
        "signature-required",
        "Gemini 3: rejects a function call that comes back without its thought signature",
        healthy=True,
        verdict="WORKS",
        spoken="gemini",
        settings={"capability_overrides": {"supports_reasoning_effort": True}},
        refuse=(_wants_signature,),
    ),
)
