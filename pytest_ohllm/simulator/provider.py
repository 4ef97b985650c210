"""The provider without a network: one request in, one planned response out.

The order is a real provider's: gateway, path, key, validation, what the model accepts, the model,
the wire. Nothing is kept but the number of conversations so far, for quirks that come and go.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from pytest_ohllm.simulator import agent, prompted
from pytest_ohllm.simulator.latency import Latency
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.protocols import CODECS
from pytest_ohllm.simulator.protocols.codec import Codec
from pytest_ohllm.simulator.response import Call, Refusal, Refused, Response, json_bytes
from pytest_ohllm.simulator.turn import Answer, Reply, Turn, Usage

MAX_BODY_BYTES = 20 * 1024 * 1024
"""Larger requests are refused with 413."""

_EPOCH = 1_767_225_600  # 2026-01-01; a reply's date within the year after it comes from its digest
_YEAR = 31_536_000
_POSTED_CATALOGUES = ("/api/show",)


class Provider:
    """Answers requests as ``personality``; ``model`` is the only name that it serves."""

    def __init__(
        self,
        personality: Personality,
        model: str,
        seed: int,
        api_key: str,
        latency: Latency | None = None,
    ) -> None:
        self.personality = personality
        self.model = model
        self._seed = seed
        self._api_key = api_key
        self._latency = latency or Latency()
        self._count = 0

    def handle(self, call: Call) -> Response:
        """Answer any request."""
        call = self._mounted(call)
        codec = next((codec for codec in CODECS.values() if codec.serves(call.path)), None)
        if codec is not None and call.method == "POST":
            self._count += 1
            return _Conversation(self, codec, self._count).answer(call)
        if codec is None:
            for other in CODECS.values():
                listed = self.personality.listed_model or self.model
                document = other.catalogue(call, listed)
                if document is not None:
                    return self._catalogue(other, call, document)
        return self._astray(call, codec)

    def too_large(self) -> Response:
        """Refuse a body of more than ``MAX_BODY_BYTES``."""
        message = f"Request too large: the limit is {MAX_BODY_BYTES} bytes."
        return self.refusal(self._own_codec, Refusal(413, message, code="request_too_large"))

    def admit(self, personality: Personality, codec: Codec, call: Call) -> Response | None:
        """What the gateway says, or the refusal of a bad key; ``None`` lets the request through."""
        key = codec.key(call)
        for intercept in personality.intercept:
            match intercept(call, key):
                case Refusal() as refusal:
                    return self.refusal(codec, refusal)
                case Response() as response:
                    return response
        if key is None and codec.key_optional:
            return None
        if key is None or not hmac.compare_digest(key.encode(), self._api_key.encode()):
            return self.refusal(codec, codec.unauthorized(key))
        return None

    def write(self, turn: Turn, personality: Personality) -> Answer:
        """What the model says to ``turn``."""
        unfolded = prompted.unfold(turn)
        reply = agent.answer(unfolded)
        for behave in personality.behave:
            reply = behave(unfolded, reply)
        if unfolded.prompt_based:
            reply = prompted.fold(reply)
        digest = turn.digest(self._seed)
        reply = _limited(_with_ids(reply, digest, turn.protocol), turn)
        usage = Usage(
            prompt=turn.prompt_tokens,
            completion=reply.completion_tokens,
            cached=turn.cached_tokens,
            reasoning=reply.reasoning_tokens,
        )
        created = _EPOCH + int(digest[:12], 16) % _YEAR
        return Answer(turn, replace(reply, usage=usage), digest, created)

    def play(self, codec: Codec, answer: Answer, personality: Personality) -> Response:
        """``answer`` as it goes over the wire, at the model's pace."""
        turn = answer.turn
        if turn.stream:
            headers = {"cache-control": "no-cache"}
            response = Response(200, tuple(codec.events(answer)), codec.stream_type, headers)
        else:
            response = Response(200, (json_bytes(codec.document(answer)),))
        for deliver in personality.deliver:
            response = deliver(turn, response)
        tokens = answer.reply.usage.completion
        return self._latency.paced(response, tokens, stream=turn.stream, seed=answer.digest)

    def active(self, number: int) -> Personality:
        """The personality during conversation ``number``, counted from 1."""
        return self.personality.during(number, self._seed)

    @staticmethod
    def refusal(codec: Codec, refusal: Refusal) -> Response:
        """``refusal`` in the protocol's words, unless it has its own."""
        document = codec.error(refusal) if refusal.body is None else refusal.body
        return Response(refusal.status, (json_bytes(document),), headers=refusal.headers)

    @property
    def _own_codec(self) -> Codec:
        return CODECS[self.personality.protocol]

    def _mounted(self, call: Call) -> Call:
        """``call`` with the path that the protocol knows, where this server has others."""
        for outside, inside in self.personality.mounts.items():
            if call.path.startswith(outside):
                return replace(call, path=inside + call.path.removeprefix(outside), mount=outside)
        return call

    def _catalogue(self, codec: Codec, call: Call, document: dict[str, object]) -> Response:
        if call.method != ("POST" if call.path in _POSTED_CATALOGUES else "GET"):
            return self._astray(call, codec)
        early = self.admit(self.active(0), codec, call)
        return early or Response(200, (json_bytes(document),))

    def _astray(self, call: Call, known: Codec | None) -> Response:
        """Answer a request to a path that is not served, or not with this method."""
        codec = known or self._own_codec
        for intercept in self.active(0).intercept:
            match intercept(call, codec.key(call)):
                case Refusal() as refusal:
                    return self.refusal(codec, refusal)
                case Response() as response:
                    return response
        if known is not None:
            message = f"Not allowed to {call.method} on {call.path}."
            return self.refusal(codec, Refusal(405, message, code="method_not_supported"))
        return self.refusal(codec, Refusal(404, f"Invalid URL ({call.method} {call.path})"))


class _Conversation:
    """One request for a conversation, on its way through the provider."""

    def __init__(self, provider: Provider, codec: Codec, number: int) -> None:
        self._provider = provider
        self._codec = codec
        self._personality = provider.active(number)

    def answer(self, call: Call) -> Response:
        provider, codec, personality = self._provider, self._codec, self._personality
        try:
            if early := provider.admit(personality, codec, call):
                return early
            turn = replace(codec.read(call), key=codec.key(call) or "")
            for refuse in personality.refuse:
                if refusal := refuse(turn):
                    raise Refused(refusal)
            if turn.model != provider.model and not personality.any_model:
                raise Refused(codec.unknown_model(turn.model))
        except Refused as refused:
            return provider.refusal(codec, refused.refusal)
        return provider.play(codec, provider.write(turn, personality), personality)


_ID_PREFIXES = {"anthropic": "toolu_01"}


def _with_ids(reply: Reply, digest: str, protocol: str) -> Reply:
    """``reply`` with an id on each call that has none, unique within the conversation."""
    prefix = _ID_PREFIXES.get(protocol, "call_")
    calls = [
        replace(call, id=f"{prefix}{digest[:22]}{index:02d}" if call.id is None else call.id)
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
