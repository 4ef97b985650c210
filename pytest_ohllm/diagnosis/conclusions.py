"""The findings of experiments, in words: whose fault it is, and how that was seen."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.model import Blame, Kind


def not_repeated() -> Finding:
    """What was refused a moment ago is accepted now."""
    return Finding(
        Kind.PROVIDER_OUTAGE,
        Blame.ENDPOINT,
        "the same request was refused once and accepted a moment later",
        "run it again; if it keeps coming and going, report it to the provider",
    )


def user_field(names: str) -> Finding:
    """A field that the profile sets makes the difference."""
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint rejects {names}, which the profile sets; without it the request works",
        f"remove {names.replace(chr(39), '')} from the profile",
    )


def sdk_field(names: str) -> Finding:
    """A field that nobody but the SDK chose makes the difference."""
    return Finding(
        Kind.SDK_GAP,
        Blame.SDK,
        f"the endpoint rejects {names}, which the SDK adds by itself; without it the request works",
        "use the settings that keep the SDK from sending it, and teach the SDK this model",
    )


def not_entitled(names: str) -> Finding:
    """The endpoint contradicts itself about a value, so it is the account that lacks something."""
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the endpoint refuses values of {names} that it lists as good: the account may not use it",
        "ask the provider what the account lacks: verification, a plan, access",
    )


def no_tools() -> Finding:
    """Not even a trivial tool is accepted."""
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        "the endpoint refuses even one small tool: it does not offer native tool calling",
        "set native_tool_calling to false, or enable tool calling in the server",
    )


def other_endpoint(mode: str) -> Finding:
    """The vendor offers it elsewhere, and the SDK chose this place."""
    return Finding(
        Kind.SDK_GAP,
        Blame.SDK,
        f"what this endpoint refuses works with the vendor's other one (api_mode={mode!r})",
        f"set api_mode to {mode!r}, and teach the SDK this model",
    )


def chosen_endpoint(mode: str) -> Finding:
    """The vendor offers it elsewhere, and the profile chose this place."""
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"what the endpoint that the profile asks for refuses works with api_mode={mode!r}",
        f"set api_mode to {mode!r} in the profile",
    )


def own_words(text: str) -> Finding:
    """The endpoint does not take back what it said itself, or what it claims to take."""
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.ENDPOINT,
        f"the request is accepted if {text}: the endpoint cannot take what it offers or sent",
        "report it to those who run the endpoint: often it is the chat template",
    )


def history(text: str) -> Finding:
    """The conversation is accepted in another form, and the SDK chose this one."""
    return Finding(
        Kind.SDK_GAP,
        Blame.SDK,
        f"the request is accepted if {text}, which the SDK decides",
        "use the settings that change it, if there are any, and teach the SDK this model",
    )


def too_long() -> Finding:
    """Only its length is wrong."""
    return Finding(
        Kind.MODEL_LIMITATION,
        Blame.MODEL,
        "the same request in few words is accepted: it does not fit the model's context",
        "serve the model with a larger context; the SDK's agent needs 16,384 tokens or more",
    )


def account(said: str) -> Finding:
    """Nothing that is sent is accepted, although key, address and name are right."""
    return Finding(
        Kind.CREDENTIALS,
        Blame.USER,
        f"the account may not use the model: {said}",
        "look at the account's balance, plan and permissions at the provider",
    )


def unknown_model(model: str, known: Sequence[str]) -> Finding:
    """The model's name is not among those that the endpoint lists."""
    shown = ", ".join(known[:5])
    return Finding(
        Kind.CONFIGURATION,
        Blame.USER,
        f"the endpoint does not list the model {model!r}; it lists {shown}",
        "correct the model's name",
    )


def unreadable_answer(text: str) -> Finding:
    """An answer in a form that a vendor documents, and that the client library cannot read."""
    return Finding(
        Kind.SDK_GAP,
        Blame.LITELLM,
        f"the answer can be read only if {text}: the library's parser is wrong, or too strict",
        "report it to litellm with the response in the run folder",
    )
