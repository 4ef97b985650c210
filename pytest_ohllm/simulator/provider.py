"""The provider without a network: one request in, one planned response out, nothing kept.

The order is a real provider's: gateway, path, key, validation, what the model accepts, the model,
the wire.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from pytest_ohllm.simulator import agent, prompted
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.protocols import CODECS
from pytest_ohllm.simulator.protocols.codec import Codec
from pytest_ohllm.simulator.response import SSE, Call, Refusal, Refused, Response, json_bytes
from pytest_ohllm.simulator.turn import Answer, Reply, ToolCall, Turn, Usage

MAX_BODY_BYTES = 20 * 1024 * 1024
"""Larger requests are refused with 413."""

_EPOCH = 1_767_225_600  # 2026-01-01; a reply's date within the year after it comes from its digest
_YEAR = 31_536_000


class Provider:
    """Answers requests as ``personality``; ``model`` is the name that its catalogue lists."""

    def __init__(self, personality: Personality, model: str, seed: int, api_key: str) -> None:
        self.personality = personality
        self.model = model
        self._seed = seed
        self._api_key = api_key

    def converse(self, codec: Codec, call: Call) -> Response:
        """Answer a request for a conversation in ``codec``'s protocol."""
        try:
            if early := self._admit(codec, call):
                return early
            turn = codec.read(call)
            for refuse in self.personality.refuse:
                if refusal := refuse(turn):
                    raise Refused(refusal)
        except Refused as refused:
            return _refusal(codec, refused.refusal)
        response = _response(codec, self._answer(turn))
        for deliver in self.personality.deliver:
            response = deliver(turn, response)
        return response

    def catalogue(self, codec: Codec, call: Call) -> Response:
        """Answer a request for one of ``codec``'s lists of models."""
        document = codec.catalogues[call.path](self.model)
        return self._admit(codec, call) or Response(200, (json_bytes(document),))

    def astray(self, call: Call, *, known_path: bool = False) -> Response:
        """Answer a request to a path that is not served, or not with this method."""
        codec = CODECS[0]
        if early := self._intercepted(codec, call):
            return early
        if known_path:
            return _refusal(
                codec,
                Refusal(
                    405,
                    f"Not allowed to {call.method} on {call.path}.",
                    code="method_not_supported",
                ),
            )
        return _refusal(codec, Refusal(404, f"Invalid URL ({call.method} {call.path})"))

    def too_large(self) -> Response:
        """Refuse a body of more than ``MAX_BODY_BYTES``."""
        refusal = Refusal(
            413,
            f"Request too large: the limit is {MAX_BODY_BYTES} bytes.",
            code="request_too_large",
        )
        return _refusal(CODECS[0], refusal)

    def _admit(self, codec: Codec, call: Call) -> Response | None:
        """What the gateway says, or the refusal of a bad key; ``None`` lets the request through."""
        if early := self._intercepted(codec, call):
            return early
        key = codec.key(call)
        if key is None or not hmac.compare_digest(key.encode(), self._api_key.encode()):
            return _refusal(codec, codec.unauthorized(key))
        return None

    def _intercepted(self, codec: Codec, call: Call) -> Response | None:
        for intercept in self.personality.intercept:
            match intercept(call, codec.key(call)):
                case Refusal() as refusal:
                    return _refusal(codec, refusal)
                case Response() as response:
                    return response
        return None

    def _answer(self, turn: Turn) -> Answer:
        unfolded = prompted.unfold(turn)
        reply = agent.answer(unfolded)
        for behave in self.personality.behave:
            reply = behave(unfolded, reply)
        if unfolded.prompt_based:
            reply = prompted.fold(reply)
        digest = turn.digest(self._seed)
        reply = _limited(_with_ids(reply, digest), turn)
        usage = Usage(turn.prompt_tokens, reply.completion_tokens)
        created = _EPOCH + int(digest[:12], 16) % _YEAR
        return Answer(turn, replace(reply, usage=usage), digest, created)


def _with_ids(reply: Reply, digest: str) -> Reply:
    """``reply`` with an id on each call that has none, unique within the conversation."""
    calls = [
        ToolCall(call.name, call.arguments, call.id or f"call_{digest[:22]}{index:02d}")
        for index, call in enumerate(reply.tool_calls)
    ]
    return replace(reply, tool_calls=tuple(calls))


def _limited(reply: Reply, turn: Turn) -> Reply:
    """``reply`` cut at the first stop sequence and at the token limit, as a server does."""
    ends = [reply.text.find(stop) for stop in turn.stop if stop and stop in reply.text]
    if ends:
        reply = replace(reply, text=reply.text[: min(ends)], finish="stop")
    if turn.max_tokens is not None and reply.completion_tokens > turn.max_tokens:
        return Reply(text=reply.text[: 4 * turn.max_tokens], finish="length")
    return reply


def _response(codec: Codec, answer: Answer) -> Response:
    if answer.turn.stream:
        headers = {"cache-control": "no-cache"}
        return Response(200, tuple(codec.events(answer)), SSE, headers)
    return Response(200, (json_bytes(codec.document(answer)),))


def _refusal(codec: Codec, refusal: Refusal) -> Response:
    document = codec.error(refusal) if refusal.body is None else refusal.body
    return Response(refusal.status, (json_bytes(document),), headers=refusal.headers)
