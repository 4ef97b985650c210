"""What counts as a provider's word that it does not offer something, and what does not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from compat_suite.refusals import (
    PICTURES,
    SINGLE_CALLS,
    STREAMS,
    TOOLS_IN_STREAMS,
    refusal,
    skip_if_refused,
)
from pytest_ohllm.judgement import Unsupported
from pytest_ohllm.model import ErrorFacts, ErrorLink, Exchange, Transcript

OFFERED_NOT = [
    (PICTURES, 400, "llama-3-8b is not a multimodal model"),
    (PICTURES, 400, "At most 0 image(s) may be provided in one prompt."),
    (PICTURES, 400, "this model does not support image input (ref: b8bd630e)"),
    (PICTURES, 500, "image input is not supported by this server"),
    (
        PICTURES,
        500,
        "image input is not supported - hint: if this is unexpected, you may need to provide the "
        "mmproj",
    ),
    (PICTURES, 404, "No endpoints found that support image input"),
    (PICTURES, 400, "Invalid content type. image_url is only supported by certain models."),
    (PICTURES, 400, "This model doesn't support the image field. Remove image and try again."),
    (PICTURES, 400, "Image input modality is not enabled for models/gemma-3-1b-it"),
    (PICTURES, 400, "Model does not support images. Please use a model that does."),
    (
        PICTURES,
        422,
        "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant "
        "`image_url`, expected `text` at line 1 column 243",
    ),
    (PICTURES, 500, 'Failed to parse messages: Unsupported content part type: "image_url"'),
    (
        STREAMS,
        400,
        "Unsupported value: 'stream' does not support true with this model. Supported values are: "
        "false.",
    ),
    (STREAMS, 400, "Error in `stream`: `stream` is not supported for this model"),
    (STREAMS, 400, "The model is unsupported for streaming."),
    (STREAMS, 400, "This model does not support streaming."),
    (TOOLS_IN_STREAMS, 400, "This model doesn't support tool use in streaming mode."),
    (TOOLS_IN_STREAMS, 500, "Cannot use tools with stream"),
    (TOOLS_IN_STREAMS, 400, "Streaming is not supported with tools"),
    (SINGLE_CALLS, 400, "This model only supports single tool-calls at once!"),
]

SOMETHING_ELSE = [
    (PICTURES, 400, "You uploaded an unsupported image. Please make sure your image is valid."),
    (PICTURES, 400, "This model does not support images larger than 5 MB"),
    (PICTURES, 400, "This model does not support image/png"),
    (PICTURES, 400, "This model does not support image inputs of more than 20 pictures"),
    (PICTURES, 400, "At most 1 image(s) may be provided in one prompt."),
    (PICTURES, 400, "unsupported image url: only base64 encoded images are supported"),
    (PICTURES, 401, "this key does not support image input"),
    (PICTURES, 429, "image input is not supported on the free plan"),
    (STREAMS, 400, "Your organization must be verified to stream this model."),
    (STREAMS, 400, "Extra inputs are not permitted: stream_options"),
    (STREAMS, 400, "Streaming is not supported with tools"),
    (STREAMS, 500, "The server had an error while processing your request."),
    (TOOLS_IN_STREAMS, 400, "This model does not support tools"),
    (TOOLS_IN_STREAMS, 400, "This model does not support streaming."),
    (SINGLE_CALLS, 400, "This model does not support tools"),
]


def refused(status: int, message: str) -> Transcript:
    body = {"error": {"message": message, "code": status}}
    exchange = Exchange(method="POST", url="http://h/v1/x", status=status, response=body)
    link = ErrorLink(type="BadRequestError", message=message, status=status)
    facts: dict[str, Any] = {"exchanges": (exchange,), "error": ErrorFacts(links=(link,))}
    return Transcript(scenario="complete", end="error", **facts)


@pytest.mark.parametrize(
    ("wording", "status", "message"), OFFERED_NOT, ids=[said for *_, said in OFFERED_NOT]
)
def test_a_canonical_refusal_is_no_failure(
    wording: re.Pattern[str], status: int, message: str
) -> None:
    with pytest.raises(Unsupported, match="does not offer it: "):
        skip_if_refused(refused(status, message), wording)


@pytest.mark.parametrize(
    ("wording", "status", "message"), SOMETHING_ELSE, ids=[said for *_, said in SOMETHING_ELSE]
)
def test_a_refusal_of_something_else_is_one(
    wording: re.Pattern[str], status: int, message: str
) -> None:
    transcript = refused(status, message)
    skip_if_refused(transcript, wording)
    assert refusal(transcript, wording) is None


def test_an_answer_is_no_refusal_whatever_it_says() -> None:
    body = {"choices": [{"message": {"content": "This model does not support image input"}}]}
    exchange = Exchange(method="POST", url="http://h/v1/x", status=200, response=body)
    answer = Transcript(scenario="complete", exchanges=(exchange,))

    skip_if_refused(answer, PICTURES)
    assert refusal(answer, PICTURES) is None
    # The same words as an error are one.
    assert refusal(refused(400, "This model does not support image input"), PICTURES) is not None
