"""Each rule by its principle, in the words of more than one vendor, and the traps between them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ohllm.diagnosis.engine import RULES, diagnose
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Diagnosis, ErrorFacts, ErrorLink, Exchange, Transcript
from pytest_ohllm.wire.reachability import Unreachable

URL = "https://llm.example/v1/chat/completions"
SETTINGS = {"model": "openai/some-model", "base_url": "https://llm.example/v1"}
REQUEST = {"model": "some-model", "messages": [], "temperature": 0.0, "tools": []}
HTML = "<!DOCTYPE html><html><body>Welcome</body></html>"


def facts(*links: tuple[str, str]) -> ErrorFacts:
    """A chain of exceptions, outermost first, each as type and message."""
    return ErrorFacts(links=tuple(ErrorLink(type=kind, message=text) for kind, text in links))


FAILED = facts(("openhands.sdk.llm.exceptions.LLMError", "litellm.APIError: it failed"))


def answered(
    status: int | None,
    body: Any,
    *,
    error: ErrorFacts | None = FAILED,
    settings: dict[str, Any] | None = None,
    request: dict[str, Any] | None = None,
    content_type: str = "application/json",
    **headers: str,
) -> Diagnosis:
    """What is made of this answer to a request."""
    exchange = Exchange(
        method="POST",
        url=URL,
        request=REQUEST | (request or {}),
        status=status,
        response=body,
        response_headers={"content-type": content_type}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    settings = SETTINGS | (settings or {})
    return diagnose(Symptoms(error=error, exchange=exchange, settings=settings))


def refused(status: int, message: str, **fields: Any) -> Diagnosis:
    """What is made of an error in OpenAI's form."""
    return answered(status, {"error": {"message": message, **fields}})


def raised(*links: tuple[str, str], sent: bool = True, **settings: Any) -> Diagnosis:
    """What is made of an exception, with or without a request that got no answer."""
    exchange = Exchange(method="POST", url=URL, seconds=3.0) if sent else None
    symptoms = Symptoms(error=facts(*links), exchange=exchange, settings=SETTINGS | settings)
    return diagnose(symptoms)


class TestMoney:
    @pytest.mark.parametrize(
        ("status", "message", "fields"),
        [
            (402, "Insufficient Balance", {"code": "invalid_request_error"}),
            (402, "This request requires more credits, or fewer max_tokens.", {"code": 402}),
            (
                400,
                "Your credit balance is too low to access the Anthropic API. Please go to Plans "
                "& Billing to upgrade or purchase credits.",
                {"type": "invalid_request_error"},
            ),
            (400, "Budget has been exceeded! Current cost: 76.16, Max budget: 10.0", {}),
            (
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                {"type": "insufficient_quota", "code": "insufficient_quota"},
            ),
            (429, "User exceeded budget", {"type": "budget_exceeded", "code": "429"}),
            (403, "Your newly created team doesn't have any credits yet.", {}),
            (403, "Your account has an overdue payment.", {"code": "Arrearage"}),
        ],
    )
    def test_an_account_that_cannot_pay_is_a_matter_of_credentials(
        self, status: int, message: str, fields: dict[str, Any]
    ) -> None:
        diagnosis = refused(status, message, **fields)

        assert (diagnosis.rule, diagnosis.kind) == ("billing", "credentials")
        assert message.split(".")[0][:40] in diagnosis.summary

    def test_402_says_nothing_else_even_without_words(self) -> None:
        assert answered(402, None).rule == "billing"

    def test_insufficient_quota_is_money_even_if_it_says_try_again(self) -> None:
        diagnosis = refused(429, "Quota exceeded, try again later", code="insufficient_quota")

        assert diagnosis.rule == "billing"

    @pytest.mark.parametrize(
        "message",
        [
            "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000. Visit our "
            "billing page to increase your limit.",
            "Rate limit exceeded: free-models-per-day. Add 10 credits; try again tomorrow, or "
            "raise your spending limit",
        ],
    )
    def test_a_limit_per_time_that_advertises_billing_is_a_limit(self, message: str) -> None:
        assert refused(429, message).rule == "rate_limit"

    @pytest.mark.parametrize(
        "message",
        [
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
            "thinking_budget must be at most 24576",
            "generation_config.thinking_config.thinking_budget: out of range",
        ],
    )
    def test_a_budget_of_tokens_is_not_money(self, message: str) -> None:
        assert refused(400, message, type="invalid_request_error").rule != "billing"


class TestVerification:
    @pytest.mark.parametrize(
        ("status", "message", "fields"),
        [
            (
                400,
                "Your organization must be verified to generate reasoning summaries.",
                {"param": "reasoning.summary", "code": "unsupported_value"},
            ),
            (
                400,
                "Your organization must be verified to stream this model.",
                {"param": "stream", "code": "unsupported_value"},
            ),
            (403, "Please verify your organization before using this model.", {}),
            (404, "You must verify organisation Acme to use the model", {}),
        ],
    )
    def test_an_unverified_organisation_looks_like_a_wrong_parameter_and_is_none(
        self, status: int, message: str, fields: dict[str, Any]
    ) -> None:
        body = {"error": {"message": message, **fields}}
        diagnosis = answered(status, body, request={"stream": True, "reasoning": {"summary": "x"}})

        assert (diagnosis.rule, diagnosis.kind) == ("verification", "credentials")
        assert diagnosis.kind.inconclusive


class TestWebPages:
    @pytest.mark.parametrize(
        ("status", "kind", "words"),
        [
            (200, "configuration", "not an LLM API"),
            (401, "configuration", "not an LLM API"),
            (404, "configuration", "HTTP 404"),
            (403, "configuration", "firewall"),
            (502, "provider_outage", "gateway"),
            (503, "provider_outage", "HTTP 503"),
        ],
    )
    @pytest.mark.parametrize("page", [HTML, "\n<html>\n<head><title>x</title></head></html>"])
    def test_a_page_is_judged_by_its_status(
        self, status: int, kind: str, words: str, page: str
    ) -> None:
        diagnosis = answered(status, page, content_type="text/html")

        assert (diagnosis.rule, diagnosis.kind) == ("web_page", kind)
        assert words in diagnosis.summary
        assert "<" not in diagnosis.summary

    def test_an_answer_that_talks_of_html_is_not_a_page(self) -> None:
        assert refused(400, "<html> is not valid JSON").rule != "web_page"


class TestKeys:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (
                401,
                {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}},
            ),
            (
                401,
                {
                    "type": "error",
                    "error": {"type": "authentication_error", "message": "invalid x-api-key"},
                },
            ),
            (401, {"detail": "Unauthorized"}),
            (401, "Unauthorized"),
            (
                400,
                [
                    {
                        "error": {
                            "code": 400,
                            "message": "API key not valid. Please pass a valid API key.",
                            "status": "INVALID_ARGUMENT",
                        }
                    }
                ],
            ),
            (400, {"error": {"message": "Invalid API key", "type": "invalid_request_error"}}),
        ],
    )
    def test_a_refused_key_is_a_matter_of_credentials(self, status: int, body: Any) -> None:
        diagnosis = answered(status, body)

        assert (diagnosis.rule, diagnosis.kind) == ("unauthorized", "credentials")
        assert diagnosis.blame == "user"

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"message": "You have no access to this model", "code": "forbidden"}},
            {"Message": "User is not authorized to perform: bedrock:InvokeModel"},
            {"detail": "Forbidden"},
        ],
    )
    def test_a_key_that_may_not_is_a_matter_of_credentials(self, body: Any) -> None:
        assert answered(403, body).kind == "credentials"

    @pytest.mark.parametrize(
        "fields",
        [
            {"message": "Country, region, or territory not supported", "code": "request_forbidden"},
            {"message": "Forbidden", "code": "unsupported_country_region_territory"},
        ],
    )
    def test_a_region_that_is_not_served_is_a_configuration(self, fields: dict[str, Any]) -> None:
        diagnosis = answered(403, {"error": fields})

        assert diagnosis.kind == "configuration"
        assert "region" in diagnosis.summary

    def test_a_missing_key_is_told_by_the_client_library(self) -> None:
        diagnosis = raised(
            ("openhands.sdk.llm.exceptions.LLMServiceUnavailableError", "..."),
            ("openai.OpenAIError", "The api_key client option must be set"),
            sent=False,
        )

        assert (diagnosis.rule, diagnosis.kind) == ("key_missing", "credentials")


class TestLimits:
    def test_the_time_to_wait_is_passed_on(self) -> None:
        body = {"error": {"message": "Rate limit reached for requests per min"}}

        diagnosis = answered(429, body, retry_after="20")

        assert (diagnosis.rule, diagnosis.kind) == ("rate_limit", "rate_limit")
        assert "20 s" in diagnosis.next_step

    @pytest.mark.parametrize(
        "message",
        ["Too Many Requests", "Number of request tokens has exceeded your per-minute rate limit"],
    )
    def test_any_other_429_is_a_limit_of_the_rate(self, message: str) -> None:
        diagnosis = refused(429, message)

        assert diagnosis.rule == "rate_limit"
        assert "later" in diagnosis.next_step

    def test_a_429_inside_a_success_counts(self) -> None:
        assert answered(200, {"error": {"message": "slow down", "code": 429}}).rule == "rate_limit"


class TestOutages:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (500, {"error": {"message": "The server had an error", "type": "server_error"}}),
            (
                529,
                {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            ),
            (503, "no healthy upstream"),
            (502, None),
            (504, "upstream request timeout"),
            (408, {"error": "timeout"}),
        ],
    )
    def test_a_server_in_trouble_says_nothing_about_the_model(self, status: int, body: Any) -> None:
        diagnosis = answered(status, body)

        assert (diagnosis.rule, diagnosis.kind) == ("outage", "provider_outage")
        assert f"HTTP {status}" in diagnosis.summary

    def test_an_error_in_a_success_is_the_endpoint_s(self) -> None:
        for code in (None, "server_overloaded", 503):
            diagnosis = answered(200, {"error": {"message": "upstream died", "code": code}})

            assert diagnosis.kind == "provider_outage"
            assert "upstream died" in diagnosis.summary


class TestNames:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (
                404,
                {
                    "error": {
                        "message": "The model `gpt-9` does not exist or you do not have access",
                        "code": "model_not_found",
                    }
                },
            ),
            (
                404,
                {
                    "type": "error",
                    "error": {"type": "not_found_error", "message": "model: claude-9"},
                },
            ),
            (404, {"error": {"message": "model 'qwen9' not found, try pulling it first"}}),
            (400, {"error": {"message": "some-model is not a valid model ID", "code": 400}}),
            (400, {"error": {"message": "Invalid model name passed in model=some-model"}}),
            (400, {"error": {"message": "Model Not Exist"}}),
        ],
    )
    def test_an_unknown_model_is_a_wrong_name(self, status: int, body: Any) -> None:
        diagnosis = answered(status, body)

        assert (diagnosis.rule, diagnosis.kind) == ("model_unknown", "configuration")
        assert "'openai/some-model'" in diagnosis.summary

    def test_a_parameter_that_the_model_lacks_is_not_an_unknown_model(self) -> None:
        diagnosis = refused(400, "Argument not supported on this model: reasoningEffort")

        assert diagnosis.rule != "not_found"

    @pytest.mark.parametrize(
        "body", [{"detail": "Not Found"}, "404 page not found", None, {"error": "no route"}]
    )
    def test_an_unknown_path_is_a_wrong_address(self, body: Any) -> None:
        diagnosis = answered(404, body)

        assert diagnosis.kind == "configuration"
        assert URL in diagnosis.summary

    def test_the_wrong_method_is_a_wrong_address(self) -> None:
        assert answered(405, {"detail": "Method Not Allowed"}).rule == "not_found"

    def test_a_model_string_without_a_provider_is_completed(self) -> None:
        diagnosis = raised(
            ("litellm.BadRequestError", "LLM Provider NOT provided. You passed model=some-model"),
            sent=False,
            model="some-model",
        )

        assert (diagnosis.rule, diagnosis.kind) == ("provider_unknown", "configuration")
        assert "openai/some-model" in diagnosis.next_step


class TestTools:
    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
            (
                400,
                '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser',
            ),
            (404, "No endpoints found that support tool use."),
            (400, "This model doesn't support function calling"),
            (400, "Tool calling is not supported with this model"),
            (400, "Function calling is not enabled for models/some-model"),
            (422, "`tools` are not supported"),
        ],
    )
    def test_an_endpoint_without_tools_has_a_setting_that_helps(
        self, status: int, message: str
    ) -> None:
        diagnosis = refused(status, message)

        assert (diagnosis.rule, diagnosis.kind) == ("tools_refused", "model_limitation")
        assert "native_tool_calling" in diagnosis.next_step

    @pytest.mark.parametrize(
        "message",
        [
            "tools[0].function.strict: Extra inputs are not permitted",
            "messages.3.tool_calls: assistant message with 'tool_calls' must be followed by tools",
        ],
    )
    def test_a_detail_of_a_tool_is_not_all_tools(self, message: str) -> None:
        assert refused(400, message).rule != "tools_refused"


class TestContext:
    @pytest.mark.parametrize(
        ("status", "message", "fields"),
        [
            (
                400,
                "This model's maximum context length is 4096 tokens. However, you requested 9000.",
                {"code": "context_length_exceeded", "param": "messages"},
            ),
            (400, "prompt is too long: 210000 tokens > 200000 maximum", {}),
            (413, "request exceeds the available context size", {}),
        ],
    )
    def test_a_request_that_does_not_fit_is_the_model_s_limit(
        self, status: int, message: str, fields: dict[str, Any]
    ) -> None:
        diagnosis = refused(status, message, **fields)

        assert (diagnosis.rule, diagnosis.kind) == ("context_length", "model_limitation")


class TestFilters:
    @pytest.mark.parametrize(
        ("status", "message", "fields"),
        [
            (
                400,
                "The response was filtered due to the prompt triggering content management policy",
                {"code": "content_filter"},
            ),
            (400, "Output blocked by content filtering policy", {"type": "invalid_request_error"}),
            (400, "The prompt was flagged by the safety system", {}),
        ],
    )
    def test_a_filter_is_the_endpoint_s(
        self, status: int, message: str, fields: dict[str, Any]
    ) -> None:
        diagnosis = refused(status, message, **fields)

        assert (diagnosis.rule, diagnosis.kind) == ("content_filter", "model_limitation")
        assert diagnosis.blame == "endpoint"

    @pytest.mark.parametrize(
        "message",
        [
            "Unrecognized request argument supplied: safety_identifier",
            'Invalid JSON payload received. Unknown name "safety_settings"',
        ],
    )
    def test_a_parameter_about_safety_is_a_parameter(self, message: str) -> None:
        assert refused(400, message).rule != "content_filter"


class TestFields:
    MESSAGES = (
        (
            {
                "message": "Unsupported value: 'temperature' does not support 0 with this model.",
                "param": "temperature",
                "code": "unsupported_value",
            }
        ),
        {"message": "temperature: Extra inputs are not permitted"},
        {"message": "property 'temperature' is unsupported", "type": "invalid_request_error"},
    )

    @pytest.mark.parametrize("fields", MESSAGES)
    def test_a_field_that_the_profile_sets_is_the_user_s(self, fields: dict[str, Any]) -> None:
        diagnosis = answered(400, {"error": fields}, settings={"temperature": 0.0})

        assert (diagnosis.rule, diagnosis.kind) == ("names_a_field", "configuration")
        assert diagnosis.next_step == "remove temperature from the profile"

    @pytest.mark.parametrize("fields", MESSAGES)
    def test_a_field_that_nobody_set_takes_an_experiment(self, fields: dict[str, Any]) -> None:
        diagnosis = answered(422, {"error": fields})

        assert (diagnosis.rule, diagnosis.kind) == ("names_a_field", "unknown")
        assert "'temperature'" in diagnosis.summary

    def test_a_field_by_its_place(self) -> None:
        body = {
            "detail": [
                {
                    "loc": ["body", "temperature"],
                    "msg": "Input should be greater than 0",
                    "type": "greater_than",
                }
            ]
        }

        assert answered(422, body).rule == "names_a_field"

    def test_any_other_refusal_is_unknown_and_quoted(self) -> None:
        diagnosis = refused(400, "computer says no")

        assert (diagnosis.rule, diagnosis.kind) == ("rejected", "unknown")
        assert "computer says no" in diagnosis.summary


class TestAnswersThatCannotBeUsed:
    def test_an_empty_body(self) -> None:
        assert answered(200, None).rule == "empty_body"

    @pytest.mark.parametrize("body", ["OK", "null", "upstream connected"])
    def test_something_that_is_not_json(self, body: str) -> None:
        diagnosis = answered(200, body, content_type="text/plain")

        assert (diagnosis.rule, diagnosis.kind) == ("not_json", "configuration")
        assert body in diagnosis.summary

    @pytest.mark.parametrize("body", ['{"id": "x", "choi', '[{"error": '])
    def test_json_that_breaks_off(self, body: str) -> None:
        assert answered(200, body).kind == "provider_outage"

    @pytest.mark.parametrize(
        "body",
        [
            None,
            'data: {"choices": [{"delta": {"content": "Hel"}, "finish_reason": null}]}\n\n',
            'event: content_block_delta\ndata: {"delta": {"text": "Hel"}}\n\n',
        ],
    )
    def test_a_stream_that_breaks_off(self, body: str | None) -> None:
        diagnosis = answered(200, body, content_type="text/event-stream")

        assert diagnosis.kind == "provider_outage"

    @pytest.mark.parametrize(
        "body",
        [
            'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
            'data: {"choices": [{"delta": {}, "finish_reason":"stop"}]}\n\n',
            'event: message_stop\ndata: {"type": "message_stop"}\n\n',
        ],
    )
    def test_a_whole_stream_that_nobody_wanted_is_the_endpoint_s(self, body: str) -> None:
        diagnosis = answered(200, body, content_type="text/event-stream")

        assert (diagnosis.rule, diagnosis.blame) == ("broken_stream", "endpoint")
        assert "none was asked for" in diagnosis.summary

    def test_a_whole_stream_that_was_wanted_takes_an_experiment(self) -> None:
        body = "data: [DONE]\n\n"

        diagnosis = answered(200, body, content_type="text/event-stream", request={"stream": True})

        assert diagnosis.kind == "unknown"

    def test_json_that_a_library_cannot_read_takes_an_experiment(self) -> None:
        error = facts(("litellm.APIError", "..."), ("builtins.KeyError", "'choices'"))

        diagnosis = answered(200, {"id": "x"}, error=error)

        assert (diagnosis.rule, diagnosis.kind) == ("unreadable", "unknown")
        assert "'choices'" in diagnosis.summary


class TestConnections:
    @pytest.mark.parametrize(
        ("link", "rule", "kind"),
        [
            (("socket.gaierror", "[Errno -2] not known"), "not_connected", "configuration"),
            (("builtins.ConnectionRefusedError", "refused"), "not_connected", "configuration"),
            (("ssl.SSLCertVerificationError", "self-signed"), "not_connected", "configuration"),
            (("ssl.SSLError", "WRONG_VERSION_NUMBER"), "not_connected", "configuration"),
            (("httpcore.UnsupportedProtocol", "ftp://"), "not_connected", "configuration"),
            (("httpcore.ReadTimeout", "timed out"), "timed_out", "provider_outage"),
            (("httpcore.ConnectTimeout", "timed out"), "timed_out", "provider_outage"),
            (("builtins.TimeoutError", "timed out"), "timed_out", "provider_outage"),
            (("httpcore.ReadError", "reset"), "connection_broken", "provider_outage"),
            (
                ("httpcore.RemoteProtocolError", "illegal status line: b'SSH-2.0'"),
                "not_http",
                "configuration",
            ),
            (
                ("httpcore.RemoteProtocolError", "peer closed connection"),
                "connection_broken",
                "provider_outage",
            ),
        ],
    )
    def test_the_deepest_exception_tells(self, link: tuple[str, str], rule: str, kind: str) -> None:
        diagnosis = raised(
            ("openhands.sdk.llm.exceptions.LLMServiceUnavailableError", "Connection error."),
            ("litellm.InternalServerError", "Connection error."),
            ("openai.APIConnectionError", "Connection error."),
            link,
        )

        assert (diagnosis.rule, diagnosis.kind) == (rule, kind)

    def test_a_status_that_only_litellm_knows_of_is_no_evidence(self) -> None:
        """It says 500 for whatever did not arrive."""
        invented = ErrorLink(type="litellm.InternalServerError", message="x", status=500)
        root = ErrorLink(type="builtins.ConnectionRefusedError", message="refused")
        exchange = Exchange(method="POST", url=URL, error="ConnectError: refused")

        symptoms = Symptoms(error=ErrorFacts(links=(invented, root)), exchange=exchange)

        assert symptoms.status is None
        assert diagnose(symptoms).rule == "not_connected"

    def test_without_a_record_of_the_wire_the_exception_s_status_has_to_do(self) -> None:
        link = ErrorLink(
            type="openai.RateLimitError", message="x", status=429, body={"message": "slow down"}
        )

        diagnosis = diagnose(Symptoms(error=ErrorFacts(links=(link,))))

        assert diagnosis.rule == "rate_limit"
        assert "slow down" in diagnosis.summary

    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ("timeout", "provider_outage"),
            ("refused", "configuration"),
            ("dns", "configuration"),
            ("tls", "configuration"),
            ("base_url", "configuration"),
        ],
    )
    def test_what_the_probe_found_is_passed_on(self, reason: str, kind: str) -> None:
        problem = Unreachable(reason, "nothing is there", "look elsewhere")

        diagnosis = diagnose(Symptoms(unreachable=problem))

        assert diagnosis.kind == kind
        assert (diagnosis.summary, diagnosis.next_step) == ("nothing is there", "look elsewhere")

    @pytest.mark.parametrize(
        ("link", "words"),
        [
            (("builtins.ModuleNotFoundError", "No module named 'boto3'"), "a package is missing"),
            (("builtins.ImportError", "cannot import name 'x' from 'mcp'"), "do not fit"),
        ],
    )
    def test_a_broken_installation_is_the_environment_s(
        self, link: tuple[str, str], words: str
    ) -> None:
        diagnosis = raised(("litellm.APIConnectionError", "..."), link, sent=False)

        assert (diagnosis.rule, diagnosis.kind) == ("module_missing", "environment")
        assert words in diagnosis.summary

    def test_settings_that_the_sdk_refuses_are_the_user_s(self) -> None:
        link = ("pytest_ohllm.sdk.client.UnusableSettings", "temperature: must be at most 2")

        diagnosis = raised(link, sent=False)

        assert (diagnosis.rule, diagnosis.kind) == ("settings_refused", "configuration")
        assert "temperature: must be at most 2" in diagnosis.summary


class TestRedirects:
    @staticmethod
    def hops(first: Exchange, last: Exchange, *links: tuple[str, str]) -> Diagnosis:
        error = facts(*links) if links else FAILED
        transcript = Transcript(scenario="complete", exchanges=(first, last), error=error)
        return diagnose(Symptoms.of(transcript, settings=SETTINGS))

    @staticmethod
    def hop(status: int, location: str) -> Exchange:
        return Exchange(
            method="POST", url=URL, status=status, response_headers={"location": location}
        )

    def test_a_post_that_became_a_get_is_the_redirect_s_fault(self) -> None:
        target = "https://other.example/v1/chat/completions"

        diagnosis = self.hops(self.hop(301, target), Exchange(method="GET", url=target, status=405))

        assert (diagnosis.rule, diagnosis.kind) == ("redirected", "configuration")
        assert diagnosis.next_step == "use https://other.example/v1 as base_url"

    def test_a_key_that_was_lost_on_the_way_is_the_redirect_s_fault(self) -> None:
        target = "https://other.example/v1/chat/completions"

        diagnosis = self.hops(
            self.hop(307, target), Exchange(method="POST", url=target, status=401)
        )

        assert diagnosis.rule == "redirected"

    def test_a_key_that_arrived_and_is_wrong_is_the_key_s_fault(self) -> None:
        target = f"{URL}/"

        diagnosis = self.hops(
            self.hop(308, target), Exchange(method="POST", url=target, status=401)
        )

        assert diagnosis.rule == "unauthorized"

    def test_an_outage_behind_a_redirect_is_an_outage(self) -> None:
        target = "https://other.example/v1/chat/completions"

        diagnosis = self.hops(
            self.hop(307, target), Exchange(method="POST", url=target, status=503)
        )

        assert diagnosis.rule == "outage"


class TestTheEngine:
    def test_what_no_rule_knows_is_unknown_and_blames_nobody(self) -> None:
        diagnosis = diagnose(Symptoms(error=facts(("builtins.RuntimeError", "something\nelse"))))

        assert (diagnosis.rule, diagnosis.kind, diagnosis.blame) == ("unknown",) * 3
        assert "something else" in diagnosis.summary

    def test_nothing_at_all_is_unknown(self) -> None:
        assert diagnose(Symptoms()).kind == "unknown"

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
    def test_whatever_a_server_says_the_diagnosis_is_short_lines(self, status: int) -> None:
        body = {"error": {"message": "line\n" * 1000, "code": "x" * 5000}}

        diagnosis = answered(status, body)

        for line in (diagnosis.summary, diagnosis.next_step, *diagnosis.evidence):
            assert "\n" not in line
            assert len(line) <= 500

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {},
            [[]],
            [1],
            {"error": None},
            {"error": []},
            {"error": 7},
            {"error": {"message": None}},
            {"error": {"message": {"nested": "thing"}}},
            {"error": {"message": ["a", "b"], "code": {"x": 1}, "param": 3}},
            {"detail": [None]},
            {"message": 5},
            "\x00",
        ],
    )
    @pytest.mark.parametrize("status", [None, 200, 204, 302, 400, 422, 500, 999])
    def test_no_body_can_break_it(self, status: int | None, body: Any) -> None:
        assert answered(status, body).summary

    def test_every_rule_says_what_it_is_about(self) -> None:
        names = [rule.__name__ for rule in RULES]

        assert all(rule.__doc__ for rule in RULES)
        assert len(set(names)) == len(names)
