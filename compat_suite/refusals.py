"""Recognises a provider that says, in so many words, that it does not offer a feature at all.

Such an answer is no failure: the check is *unsupported*. The words must be about the feature
itself: to refuse this picture, this stream or this key is something else, and so is a mere 4xx.
"""

from __future__ import annotations

import re

from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.judgement import unsupported
from pytest_ohllm.model import Transcript

_STATUSES = (400, 404, 405, 415, 422, 500, 501)
"""llama.cpp and Ollama refuse with a 500 what a model cannot do, OpenRouter with a 404."""

_NO = r"(?:does not|doesn't|do not|don't|cannot|can't|not)(?: currently| yet)?"
_IS_NOT = r"(?:is|are) not (?:currently |yet )?(?:supported|enabled|available)"
_PICTURES = r"(?:images?|image_url|vision|multi-?modal)"
_WHICH = r"(?!/| (?:of|with|in|from|larger|bigger|over|above|formats?|types?|urls?|files?)\b)"
"""What follows if some are refused, and not all."""

_ALWAYS = r"(?! (?:with|of|in|when|while|for (?!this model|the model))\b)"
"""What follows if it depends."""

_TOOLS = r"(?:tools?|functions?)(?:[ -](?:use|call\w*))?"
_STREAMED = r"(?:in|while|when|with|for|during) (?:a )?stream"


def _any(*wordings: str) -> re.Pattern[str]:
    return re.compile("|".join(wordings), re.IGNORECASE)


PICTURES = _any(
    # Ollama, Bedrock ("the image field"), xAI, Moonshot, LM Studio and most others
    rf"{_NO} (?:support|accept) (?:any |the )?{_PICTURES}(?: inputs?| content| field)?+\b{_WHICH}",
    # llama.cpp, Google ("Image input modality is not enabled for …")
    rf"{_PICTURES} (?:inputs?|content|understanding)(?: modality)? {_IS_NOT}",
    # vLLM
    r"is not a (?:multi-?modal|vision) model",
    r"\bat most 0 images?\b|\bat most 0 image\(s\)",
    # OpenRouter
    r"no endpoints found that support image input",
    # OpenAI
    r"\bimage_url is only supported by certain models",
    # DeepSeek and other servers whose messages have text only
    r"unknown variant `image_url`, expected `text`",
    r"unsupported content part type: \"?image_url",
)
"""The model sees no pictures."""

STREAMS = _any(
    # OpenAI's o1
    r"'stream' does not support true with this model",
    # Hugging Face
    rf"\bstream(?:ing)?[`']? {_IS_NOT}{_ALWAYS}",
    rf"{_NO} support stream(?:s|ing)?\b{_ALWAYS}",
    # Bedrock
    r"is unsupported for streaming",
)
"""The model does not stream."""

TOOLS_IN_STREAMS = _any(
    # Bedrock
    rf"{_NO} support {_TOOLS} {_STREAMED}",
    rf"{_TOOLS} {_IS_NOT} {_STREAMED}",
    # llama.cpp until 2025
    r"cannot use tools with stream",
    rf"\bstream(?:ing)? {_IS_NOT} (?:with|for|when|while) (?:using )?{_TOOLS}",
    rf"{_NO} support stream(?:s|ing)? (?:with|of|for|when|while) (?:using )?{_TOOLS}",
)
"""The model streams, and calls tools, and not both at once."""


SINGLE_CALLS = _any(
    # Llama 3's chat template
    r"only supports single tool-calls at once",
    rf"{_NO} support (?:parallel|multiple|more than one) (?:tool|function)[ -]calls?",
    r"parallel (?:tool|function)[ -](?:calls?|calling|use) (?:is|are) not supported",
)
"""One answer holds one call of a tool at most."""


def refusal(transcript: Transcript, *wordings: re.Pattern[str]) -> str | None:
    """The provider's own words, if it refuses in one of ``wordings``."""
    if transcript.error is None:
        return None
    symptoms = Symptoms.of(transcript)
    if symptoms.status in _STATUSES and any(one.search(symptoms.text) for one in wordings):
        return " ".join(symptoms.text.split())[:160]
    return None


def skip_if_refused(transcript: Transcript, *wordings: re.Pattern[str]) -> None:
    """End the check as unsupported if the provider refuses in one of ``wordings``."""
    __tracebackhide__ = True
    if words := refusal(transcript, *wordings):
        unsupported(f"the provider does not offer it: {words}")
