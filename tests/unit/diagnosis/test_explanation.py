"""Pasted errors: what is easily confused, in words invented after many vendors' style."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.diagnosis.explanation import explain
from pytest_ohllm.diagnosis.symptoms import Pasted
from pytest_ohllm.model import Blame, Kind
from tests.unit.diagnosis.score import score

Case = tuple[Any, ...]


def kind_of(message: Any, status: int | None = None, provider: str | None = None) -> str:
    text = message if isinstance(message, str) else json.dumps(message)
    return str(explain(Pasted(text, http_status=status, provider=provider)).kind)


def openai(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def google(code: int, message: str, status: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status}}


def aws(name: str, message: str) -> str:
    return f"An error occurred ({name}) when calling the Converse operation: {message}"


class TestMoneyOrLimit:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("Balance of this workspace is used up, please top up", code="1002"), 429),
            ({"code": 30001, "message": "The account balance is insufficient", "data": None}, 403),
            (openai("账户余额不足,请充值后重试", code="1113"), 429),
            (openai("Out of credits for this month", type="insufficient_quota"), 429),
            ("402 You need more included credits to go on with inference providers", 402),
            (google(429, "The prepaid credits are depleted.", "RESOURCE_EXHAUSTED"), 429),
            (openai("Team acme: budget has been exceeded, spend 3.2 of 3.0"), 400),
            (openai("insufficient balance (1008)", type="api_error"), 500),
            ("The coding package has expired, renew the subscription to resume", 429),
        ],
    )
    def test_an_account_that_cannot_pay(self, case: Case) -> None:
        assert kind_of(*case) == "credentials"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("Limit of 20 requests per minute reached; billing can raise it"), 429),
            (google(429, "Quota exceeded, check your plan and billing", "RESOURCE_EXHAUSTED"), 429),
            (aws("ThrottlingException", "Too many tokens, please wait before trying again."), 429),
            (openai("Requests per second exceeded", code="request_quota_exceeded"), 429),
            ("500 - Token limit (500,000 per day) exceeded. Used: 508,311 tokens.", 500),
            ("API Error (503 Too many connections, please wait before trying again.)", 503),
            ("free-models-per-day: try again tomorrow, or add credits", 429),
            (openai("reached organization TPD rate limit, current: 15, limit: 10"), 429),
            ("Rate limit of 10 per 60s exceeded for UserByModel. Wait 12 seconds.", 429),
            ("该模型当前请求过于频繁", None),
            ({"status": 429, "title": "Too Many Requests"}, None),
        ],
    )
    def test_a_limit_per_time(self, case: Case) -> None:
        assert kind_of(*case) == "rate_limit"

    def test_a_router_without_deployments_limits_nothing(self) -> None:
        said = "litellm.types.router.RouterRateLimitError: No deployments available for x"

        assert kind_of(said, 429) == "configuration"
        assert kind_of(said) == "configuration"


class TestTooLarge:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("Request too large for `m` on tokens per minute (TPM): 6000 < 9000"), 413),
            ("Tokens per minute limit exceeded: request would use 70,000 of 60,000", 400),
        ],
    )
    def test_for_the_tier_is_a_limit(self, case: Case) -> None:
        assert kind_of(*case) == "rate_limit"

    @pytest.mark.parametrize(
        "said",
        [
            "You asked for 140,000 tokens, the context length is 131,072: 8,000 in the messages "
            "and 132,000 in the completion",
            "max_tokens: 70000 > 8192, the maximum number of output tokens for this model",
            "Range of max_tokens should be [1, 16384]",
            "`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 600 `inputs` tokens and "
            "8192 `max_new_tokens`",
            "`max_tokens` must be greater than `thinking.budget_tokens`, see "
            "https://docs.example/thinking#max-tokens-and-context-window-size",
        ],
    )
    def test_since_the_client_asks_for_too_long_an_answer(self, said: str) -> None:
        assert kind_of(openai(said), 400) == "sdk_gap"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("Your request exceeded model token limit: 32768 (requested: 40000)"), 400),
            (aws("ValidationException", "Input is too long for requested model."), 400),
            (openai("max_tokens must be at least 1, got -12."), 400),
            ({"error": "`inputs` must have less than 4096 tokens. Given: 5000"}, 422),
            (openai("Requested input length 99009 exceeds maximum input length 8192"), 500),
            (openai("invalid params, context window exceeds limit (2013)"), 400),
            ({"error": {"type": "request_too_large", "message": "It exceeds 32 MB"}}, 413),
            (openai("Range of input length should be [1, 98304]", code="InvalidParameter"), 400),
            (
                {
                    "error": "`inputs` tokens + `max_new_tokens` must be <= 8193. "
                    "Given: 9600 `inputs` tokens and 512 `max_new_tokens`"
                },
                422,
            ),
        ],
    )
    def test_for_the_model_s_context(self, case: Case) -> None:
        assert kind_of(*case) == "model_limitation"

    def test_for_the_context_that_the_user_s_server_was_given(self) -> None:
        said = (
            "The model is loaded with context length of only 4096. Load the model with a larger one"
        )

        assert kind_of(said, 400, "lm_studio") == "configuration"


class TestIdentityBeforeParameters:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("Your credit balance is too low", type="invalid_request_error"), 400),
            (openai("Over the spending limit set for this key", type="invalid_request_error"), 400),
            (
                openai("Your organization must be verified to use it", param="stream", code="x"),
                400,
            ),
            (openai("Verify your organization first", param="reasoning.summary"), 403),
            (google(400, "API key not valid. Please pass a valid one.", "INVALID_ARGUMENT"), 400),
            (openai("Authentication Fails, Your api key: ****1234 is invalid"), 400),
            (openai("Incorrect API key provided: xa***op", code="invalid argument"), 400),
            ({"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}, 200),
            (openai("This organization has been disabled."), 400),
            ('{"detail": "503: ACME_API_KEY is not set, add it to your .env"}', 503),
            (openai("key not allowed to access model", type="key_model_access_denied"), 403),
            (aws("UnrecognizedClientException", "The security token is invalid."), 403),
            ({"error": "invalid_grant", "error_description": "reauth related error"}, 400),
            ("AcmeCredential failed to retrieve a token; authentication unavailable", None),
            ("Your access token could not be refreshed. Please sign in again.", None),
            (openai("Acme has been disabled in this account for violation of Terms"), 403),
            ("Your organization has disabled access for this tool, ask your admin", None),
            (openai("Requests to this API acme.v1.GenerateContent are blocked."), 403),
            ({"type": "rate_limit_error", "message": "Extra usage is required for this."}, 429),
        ],
    )
    def test_money_keys_and_verification_come_first(self, case: Case) -> None:
        assert kind_of(*case) == "credentials"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("Invalid token in JSON: unexpected token '}'"), 400),
            (openai("Unrecognized field `verification_mode`"), 400),
            (openai("`budget_tokens` must be at least 1024"), 400),
        ],
    )
    def test_words_of_money_and_keys_in_a_schema_error_are_none(self, case: Case) -> None:
        assert kind_of(*case) == "sdk_gap"


class TestModelOrParameter:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("Model 'acme/large-3' is not supported"), 400),
            (openai("The requested model is not supported.", code="model_not_supported"), 400),
            (aws("ValidationException", "The provided model identifier is invalid."), 400),
            (aws("ValidationException", "Invocation of model ID x.y isn't supported."), 400),
            ("Unable to access non-serverless model acme/large. Start an endpoint for it", 400),
            ({"title": "Not Found", "detail": "Function 'a': Not found for account 'b'"}, 404),
            (openai("Unknown Model, please check the model code.", code="1211"), 400),
            (openai("当前分组 default 下对于模型 m 无可用渠道"), 503),
            (openai("The model m was decommissioned on May 1st"), 410),
            ("Publisher Model `p/m` was not found or your project lacks access to it", 404),
            (openai("No models loaded. Please load one."), 400),
        ],
    )
    def test_a_wrong_model_is_the_user_s(self, case: Case) -> None:
        assert kind_of(*case) == "configuration"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("'top_k' is not supported with this model", param="top_k"), 400),
            (openai("Unrecognized request argument supplied: thinking_level"), 400),
            (openai("invalid temperature: only 1 is allowed for this model"), 400),
            ({"message": "unknown field: parameter 'logit_mode' is not a valid field"}, None),
            ({"detail": [{"loc": ["body", "store"], "msg": "Extra inputs are not allowed"}]}, 422),
            (google(400, 'Unknown name "strict" at tools[0]: Cannot find field.', "INVALID"), 400),
            (openai("The messages parameter is illegal."), 400),
            (openai("json: unknown field `verbosity`"), 400),
            (openai("parameter.enable_thinking must be set to false for non-streaming calls"), 400),
            (aws("ValidationException", "toolConfig.toolChoice.any isn't supported here"), 400),
        ],
    )
    def test_a_parameter_that_nobody_set_is_the_sdk_s(self, case: Case) -> None:
        assert kind_of(*case) == "sdk_gap"

    @pytest.mark.parametrize(
        "said",
        ["API version not supported", "It is enabled only for api versions 2026-01 and later"],
    )
    def test_a_version_in_the_profile_is_the_user_s(self, said: str) -> None:
        assert kind_of(openai(said, code="BadRequest"), 400, "azure") == "configuration"

    def test_a_missing_provider_prefix_is_the_user_s(self) -> None:
        said = "litellm.BadRequestError: LLM Provider NOT provided. You passed model=acme-large"

        diagnosis = explain(Pasted(said, model="acme-large"))

        assert (diagnosis.kind, diagnosis.rule) == ("configuration", "provider_unknown")


class TestTools:
    @pytest.mark.parametrize(
        "case",
        [
            (aws("ValidationException", "This model doesn't support tool use."), 400),
            ({"detail": "Only ['acme-chat', 'acme-plus'] support tool calls"}, 400),
            (openai("acme/tiny does not support tools"), 400, "ollama"),
            (openai("No endpoints found that support tool use. Try disabling it"), 404),
            (openai('"auto" tool choice requires --enable-auto-tool-choice'), 400, "watsonx"),
        ],
    )
    def test_a_hosted_model_without_them_is_limited(self, case: Case) -> None:
        assert kind_of(*case) == "model_limitation"

    @pytest.mark.parametrize("provider", ["vllm", "hosted_vllm", "sglang", "llama.cpp", None])
    @pytest.mark.parametrize(
        "said",
        [
            '"auto" tool choice requires --enable-auto-tool-choice to be set',
            "tools param requires --jinja flag",
        ],
    )
    def test_a_server_of_one_s_own_lacks_a_flag(self, said: str, provider: str | None) -> None:
        assert kind_of(openai(said), 400, provider) == "configuration"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("No endpoints found that support the provided 'tool_choice' value."), 404),
            (
                aws("ValidationException", "This model doesn't support tool use with streaming."),
                400,
            ),
            (openai("This json_schema type is unavailable for now"), 400),
            (openai("tools.3.custom.name: String should have at most 64 characters"), 400),
            (openai("Unrecognized request argument supplied: num_ctx"), 400),
            (openai("messages.2.image: Image does not match the provided media type"), 400),
            (
                openai("Invalid 'input[3].call_id': too long", code="string_above_max_length"),
                400,
            ),
            (openai("acme-think does not support this tool_choice"), 400),
            (openai("Function tools with reasoning_effort: please use /v1/responses instead"), 400),
            (openai("m is not accessible via /chat/completions; use the /responses endpoint"), 400),
        ],
    )
    def test_a_value_or_an_endpoint_that_the_sdk_chose(self, case: Case) -> None:
        assert kind_of(*case) == "sdk_gap"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("Failed to call a function. See 'failed_generation'."), 400),
            (openai("attempted to call tool 'x' which was not in request.tools"), 400),
            (openai("error parsing tool call: raw='{\"a', err=unexpected end"), 500),
            ("It just prints the call as raw JSON instead of executing it", None),
            ("The model never calls any tool, it only describes what it would do", None),
            ("Error validating tool 'terminal': Arguments: unparseable JSON", None),
            ("Error while streaming: Tool run_it not found in agent helper", None),
            ("The model tried to call unavailable tool 'todo'. Available tools: bash", None),
            ("Observation: Look Up is not a valid tool, try another one.", None),
            ("ValueError: Could not parse LLM output: `I will look it up`", None),
            ("ValueError: Adapter failed to parse the LM response. Expected fields: [a]", None),
            ("Exceeded maximum retries (1) for result validation.", None),
            ("A potential loop was detected, due to repetitive tool calls.", None),
            ("The model failed to use any tools in its response.", None),
            ("The LLM did not conform to the edit format.", None),
            ("模型提供了文本,但未调用任何必需的工具", None),
            (openai("Repetitive tool calls detected in the conversation history."), 400),
            ("Error while parsing tool call from model output: no JSON blob", None),
        ],
    )
    def test_a_call_that_the_model_wrote_badly_is_the_model_s(self, case: Case) -> None:
        assert kind_of(*case) == "model_limitation"

    @pytest.mark.parametrize(
        "case",
        [
            (openai("invalid function arguments json string, tool_call_id: call_1 (2013)"), 400),
            (openai("Failed to parse tool call arguments as JSON: parse error at line 1"), 500),
            (openai("No tool output found for function call call_9."), 400),
            (openai("Tool call id was call_abc but must have a length of 9"), 400),
            (openai("messages 参数非法,请检查文档", code="1214"), 400),
        ],
    )
    def test_one_that_is_sent_back_unrepaired_is_the_sdk_s(self, case: Case) -> None:
        assert kind_of(*case) == "sdk_gap"


class TestHistory:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("messages.7: `tool_use` ids were found without `tool_result` blocks"), 400),
            (google(400, "Function call is missing a thought_signature", "INVALID_ARGUMENT"), 400),
            (openai("Conversation roles must alternate user/assistant"), 400, "vllm"),
            (openai("Item 'rs_0a1b' of type 'reasoning' was provided without its follower"), 400),
            (openai("Item with id 'rs_7c7d' not found."), 404),
            (
                {"error_code": "BAD_REQUEST", "message": "Chat message input roles must alternate"},
                400,
            ),
            (openai("Missing `reasoning_content` field in the assistant message"), 400),
            (openai("Invalid 'content' type. Expected one of: ['str'], got list."), 400),
            (openai("Jinja Exception: System message must be at the beginning."), 500),
        ],
    )
    def test_a_message_that_is_refused_is_the_sdk_s(self, case: Case) -> None:
        assert kind_of(*case) == "sdk_gap"

    @pytest.mark.parametrize(
        "said",
        [
            "Unknown method: keys at row 57, column 46: {%- for k in fields.keys() %}",
            "Error rendering prompt with jinja template: cannot call something undefined",
        ],
    )
    def test_a_template_that_cannot_work_is_the_model_s(self, said: str) -> None:
        assert kind_of(openai(said), 500, "llama.cpp") == "model_limitation"


class TestAddresses:
    @pytest.mark.parametrize(
        "case",
        [
            ({"detail": "Not Found"}, 404),
            ("404 page not found", 404),
            (openai("Resource not found", code="404"), 404),
            ("AcmeException - <!DOCTYPE html><html><head><title>Chat</title></head>", None),
            ("<html><head><title>403 Forbidden</title></head><body>nginx</body></html>", None),
            ("AttributeError: 'str' object has no attribute 'model_dump'", None),
            ("Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON", None),
            (openai("Access denied due to invalid subscription key or wrong API endpoint"), 401),
            (openai("User location is not supported for the API use."), 400),
            (openai("No endpoints available matching your data policy"), 404),
            (openai("Invalid URL (POST /v1/chat/completions/chat/completions)"), 404),
            (openai("Unknown request URL: POST /chat/completions", code="unknown_url"), 404),
            ({"errors": [{"code": 7000, "message": "No route for that URI"}]}, 400),
            (openai("Attempted to access resource with incorrect regional hostname."), 401),
            (openai("Access denied due to Virtual Network/Firewall rules."), 403),
            (openai("You passed in model=x. There are no healthy deployments for this model"), 400),
            (openai("the model is not servable in region mars-north1"), 400),
        ],
    )
    def test_a_wrong_place_is_the_user_s(self, case: Case) -> None:
        assert kind_of(*case) == "configuration"

    def test_the_page_of_a_gateway_that_wants_a_key_is_about_the_key(self) -> None:
        page = "<html><head><title>401 Authorization Required</title></head></html>"

        assert kind_of(page) == "credentials"

    def test_no_access_to_the_model_here_is_the_region_or_the_account_s_models(self) -> None:
        said = aws("AccessDeniedException", "You don't have access to the model with this ID.")

        assert kind_of(said, 403) == "configuration"

    def test_a_policy_that_forbids_it_is_the_key_s(self) -> None:
        said = aws("AccessDeniedException", "User x is not authorized to perform bedrock:Invoke")

        assert kind_of(said, 403) == "credentials"


class TestServersInTrouble:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("Overloaded", type="overloaded_error"), 529),
            (openai("The engine is currently overloaded", code=503), 500),
            ("upstream connect error or disconnect/reset before headers", 503),
            (
                {"status": 400, "detail": "Function id 'x': DEGRADED function cannot be invoked"},
                400,
            ),
            ("peer closed connection without sending complete message body", None),
            ("litellm.APIConnectionError: AcmeException - litellm.Timeout: timed out", None),
            ('{"error": "an error was encountered while running the model: unexpected EOF"}', 500),
            ("The model has crashed without additional information. (Exit code: 7)", None),
            (
                {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
                None,
            ),
            ("error code: 524", None),
            (openai("The model is not available at the moment"), 503),
            (
                {
                    "type": "error",
                    "error": {"type": "api_error", "message": "Internal server error"},
                },
                200,
            ),
            ("No capacity available for model acme-large on the server", None),
            ("TypeError: terminated [cause]: SocketError: other side closed", None),
            (
                "streamException An unexpected error during processing. Try your request again.",
                None,
            ),
        ],
    )
    def test_an_outage_whatever_its_class(self, case: Case) -> None:
        assert kind_of(*case) == "provider_outage"

    @pytest.mark.parametrize(
        ("case", "kind"),
        [
            ((openai("model requires more system memory than there is"), 500), "configuration"),
            ((openai("unable to load model: /models/blobs/sha256-7dd5"), 500), "configuration"),
            ((openai("input new_sensitive (1026)"), 500), "model_limitation"),
            ((openai("image input is not supported"), 500), "model_limitation"),
            ((openai("provider returned no 'choices'. Raw keys: id"), 500), "sdk_gap"),
            (("Sandbox failed to start within 120s: oh-agent-server-x", 500), "environment"),
            (("500 Server Error for http+docker://localhost/v1/start: port", 500), "environment"),
            ((openai("The key has no access to this model"), 500), "configuration"),
        ],
    )
    def test_a_500_that_is_none(self, case: Case, kind: str) -> None:
        assert kind_of(*case) == kind

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            ("litellm.APIConnectionError: [Errno 111] Connection refused", "configuration"),
            ("litellm.InternalServerError: OpenAIException - Connection error.", "configuration"),
            ("TypeError: fetch failed: getaddrinfo ENOTFOUND llm.example", "configuration"),
            ("getaddrinfo ENOTFOUND host.docker.internal", "configuration"),
            ("httpcore.ProxyError: 407 Proxy Authentication Required", "configuration"),
            ("ValueError: Unknown scheme for proxy URL URL('socks://[::1]:1')", "configuration"),
            ("由于目标计算机积极拒绝,无法连接。", "configuration"),
            ("ssl.SSLError: self-signed certificate in certificate chain", "configuration"),
            ("litellm.APIConnectionError: No module named 'boto3'", "configuration"),
            ("litellm.APIConnectionError: 'NoneType' object is not iterable", "sdk_gap"),
            ("litellm.APIConnectionError: {'message': 'no api key supplied'}", "credentials"),
            ("litellm.APIConnectionError: Unable to locate credentials", "credentials"),
        ],
    )
    def test_below_the_class_of_a_failed_connection(self, said: str, kind: str) -> None:
        provider = "bedrock" if "boto3" in said else None

        assert kind_of(said, None, provider) == kind


class TestLibraries:
    @pytest.mark.parametrize(
        ("said", "frame", "kind"),
        [
            ("KeyError: 'choices'", "litellm/utils.py", "sdk_gap"),
            ("IndexError: list index out of range", "litellm/streaming_handler.py", "sdk_gap"),
            ("AttributeError: 'NoneType' object has no attribute 'get'", "x/llm.py", "sdk_gap"),
            ("AttributeError: 'X' object has no attribute 'pane'", "libtmux/x.py", "environment"),
            ("ValidationError: 1 validation error for Usage", "litellm/types/utils.py", "sdk_gap"),
            ("litellm.UnsupportedParamsError: m does not support ['x']", None, "sdk_gap"),
            ("Response validation failed: [{'path': ['choices', 0]}]", None, "sdk_gap"),
            ("Type validation failed: Value: {'role': None}", None, "sdk_gap"),
            ("Streaming is required for operations that may take long", None, "sdk_gap"),
            ("Error building chunks for usage calculation", None, "sdk_gap"),
            ("This model isn't mapped yet. model=acme/large", "litellm/utils.py", "sdk_gap"),
            (
                "TypeError: Object of type Call is not JSON serializable",
                "json/__init__.py",
                "sdk_gap",
            ),
            (
                "litellm.InternalServerError: Received={'finishReason': 'UNEXPECTED_TOOL_CALL'}, "
                "Error converting to valid response block=cannot access local variable 'x'",
                None,
                "sdk_gap",
            ),
            (
                "Invalid response: 1 validation error for ChatCompletion finish_reason Input "
                "should be 'stop', 'length' or 'content_filter'",
                None,
                "sdk_gap",
            ),
            (
                "'str' object has no attribute 'get'",
                "litellm/llms/acme/transformation.py:transform_request",
                "sdk_gap",
            ),
            (
                "'str' object has no attribute 'get'",
                "litellm/llms/acme/transformation.py:transform_response",
                "configuration",
            ),
            (
                "litellm.BadRequestError: GetLLMProvider Exception - list index out of range",
                "litellm/utils.py:get_llm_provider",
                "configuration",
            ),
        ],
    )
    def test_a_crash_is_judged_by_where_it_happened(
        self, said: str, frame: str | None, kind: str
    ) -> None:
        assert explain(Pasted(said, deepest_frame=frame)).kind == kind


class TestNamesOfExceptions:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("openai.RateLimitError", "rate_limit"),
            ("litellm.AuthenticationError", "credentials"),
            ("anthropic.InternalServerError", "provider_outage"),
            ("openai.NotFoundError", "configuration"),
            ("openai.BadRequestError", "sdk_gap"),
        ],
    )
    def test_count_where_words_say_nothing(self, name: str, kind: str) -> None:
        assert kind_of(f"{name}: the flux is misaligned") == kind
        assert explain(Pasted("the flux is misaligned", exception_type=name)).kind == kind

    def test_do_not_count_where_words_say_more(self) -> None:
        assert kind_of("litellm.InternalServerError: Incorrect API key provided") == "credentials"


class TestThisMachine:
    @pytest.mark.parametrize(
        "said",
        [
            "OSError: [Errno 28] No space left on device",
            "docker.errors.DockerException: Error while fetching server API version",
            "Error response from daemon: port is already allocated",
            "keyring.errors.NoKeyringError: no backend was available",
            "agent server at http://localhost:8010/alive did not become ready",
            "bash: tmux: command not found",
            "[Errno 99] error while attempting to bind on address ('::1', 8000, 0, 0)",
            "FileNotFoundError: Could not find module 'acme.dll' (or one of its dependencies)",
            "ModuleNotFoundError: No module named 'fcntl'",
            "browserType.launch: Executable doesn't exist at /home/me/chromium",
            "bwrap: setting up uid map: Permission denied",
            "Error creating controller. Please check Docker is running",
            "[Errno 2] No such file or directory: 'sessions/1/metadata.json'",
        ],
    )
    def test_it_says_nothing_about_the_model(self, said: str) -> None:
        assert kind_of(said) == "environment"

    def test_a_library_that_is_broken_is_not_one_that_a_provider_needs(self) -> None:
        said = "ImportError: libacme.so.12: cannot open shared object file: No such file"

        assert kind_of(said, None, "vllm") == "environment"
        assert kind_of("ImportError: please `pip install acme`", None, "vllm") == "configuration"

    def test_a_record_without_a_provider_is_this_side_s(self) -> None:
        assert kind_of("the flux is misaligned", None, "none") == "environment"
        assert kind_of("[Errno 111] Connection refused", None, "none") == "environment"


class TestFiltersAndPictures:
    @pytest.mark.parametrize(
        "case",
        [
            (openai("Content violates usage guidelines. Failed check: SAFETY_CHECK"), 403),
            (openai("Your input was flagged for violence. No credits were charged."), 403),
            (openai("the input text may contain sensitive information"), 400),
            (openai("At most 0 image(s) may be provided in one request."), 400),
            (openai("messages[4]: unknown variant `image_url`, expected `text`"), 400),
            ("PromptFeedback(block_reason=<BlockedReason.OTHER: 'OTHER'>)", 200),
            ("Request was blocked: BlockedReason.PROHIBITED_CONTENT", None),
            (openai("No endpoints found that support image input"), 404),
        ],
    )
    def test_are_limits_of_the_model(self, case: Case) -> None:
        assert kind_of(*case) == "model_limitation"

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            ("messages[2]: invalid type: sequence, expected a string", "model_limitation"),
            ("messages.2.image: not match the declared media type", "sdk_gap"),
        ],
    )
    def test_what_was_tried_tells_what_a_message_held(self, said: str, kind: str) -> None:
        record = Pasted(json.dumps(openai(said)), http_status=400)

        assert explain(replace(record, stage_hint="vision")).kind == kind
        assert explain(record).kind == "sdk_gap"


def test_a_suspicion_is_named_with_whom_it_is_against() -> None:
    diagnosis = explain(
        Pasted('{"error": {"message": "Unknown parameter: flux"}}', http_status=400)
    )

    assert (diagnosis.kind, diagnosis.blame) == (Kind.SDK_GAP, Blame.SDK)
    assert diagnosis.confidence == "text"


@pytest.mark.parametrize("said", ["", "hello", "it does not work", "computer says no", "???"])
def test_what_says_nothing_is_unknown_and_there_is_a_next_step(said: str) -> None:
    diagnosis = explain(Pasted(said))

    assert (diagnosis.kind, diagnosis.blame) == (Kind.UNKNOWN, Blame.UNKNOWN)
    assert "--llm-profile" in diagnosis.next_step


def test_the_scorer_counts_what_is_right_and_how_often_the_sdk_was_blamed(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "label": "harness", "message": "No space left on device"},
        {"id": 2, "label": "sdk_gap", "message": "Unknown parameter: 'flux'", "http_status": 400},
        {"id": 3, "label": "configuration", "message": "Unknown field 'flux'", "http_status": 400},
        {"id": 4, "label": "rate_limit", "message": None},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))

    result = score(file)

    assert result.accuracy == 0.5
    assert (result.precision("sdk_gap"), result.recall("sdk_gap")) == (0.5, 1.0)
    assert [record["id"] for record, *_ in result.wrong] == [3, 4]
