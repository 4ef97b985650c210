"""The wire formats, one module each; a new one is added to ``CODECS``."""

from __future__ import annotations

from pytest_ohllm.simulator.protocols.anthropic import Messages
from pytest_ohllm.simulator.protocols.chat import ChatCompletions
from pytest_ohllm.simulator.protocols.codec import Codec
from pytest_ohllm.simulator.protocols.gemini import GenerateContent
from pytest_ohllm.simulator.protocols.ollama import OllamaChat
from pytest_ohllm.simulator.protocols.responses import Responses

CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (Messages(), ChatCompletions(), Responses(), GenerateContent(), OllamaChat())
}
"""Every protocol served, by name. Messages come first: their clients are told by a header at a
path that they share with OpenAI's."""
