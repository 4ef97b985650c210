"""Which failures are taken up, and which of them are one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_ohllm.autofix.job import Cause, Failure
from pytest_ohllm.autofix.selection import decide
from pytest_ohllm.diagnosis.report import autofix_of
from pytest_ohllm.model import Blame, Kind, Remedy
from tests.unit.autofix.records import diagnosis, failure, profile, source

NEVER = (Kind.CREDENTIALS, Kind.RATE_LIMIT, Kind.PROVIDER_OUTAGE, Kind.ENVIRONMENT)


def groups(*failures: Failure, force: bool = False) -> list[list[str]]:
    """The names of the failures of each cause."""
    decided = decide(source(), failures, force=force)
    return [[one.name for one in decision.cause.failures] for decision in decided]


class TestTheGate:
    def test_a_gap_that_experiments_have_shown_is_taken(self) -> None:
        (decision,) = decide(source(), [failure()], force=False)

        assert decision.taken
        assert decision.reason == diagnosis().summary

    @pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.SDK_GAP])
    def test_no_other_kind_is(self, kind: Kind) -> None:
        """An earlier tool started its agent for limits, outages and green runs."""
        found = diagnosis(kind, autofix=autofix_of(kind, Blame.UNKNOWN, proven=True))

        (decision,) = decide(source(), [failure(diagnosis=found)], force=False)

        assert not decision.taken
        assert decision.reason == f"{kind.value.replace('_', ' ')} is not a fault of the SDK"

    def test_a_gap_without_a_proof_is_not(self) -> None:
        found = diagnosis(autofix=autofix_of(Kind.SDK_GAP, Blame.SDK, proven=False))

        (decision,) = decide(source(), [failure(diagnosis=found)], force=False)

        assert not decision.taken
        assert "no experiment" in decision.reason

    def test_a_gap_of_litellm_is_not(self) -> None:
        found = diagnosis(autofix=autofix_of(Kind.SDK_GAP, Blame.LITELLM, proven=True))

        (decision,) = decide(source(), [failure(diagnosis=found)], force=False)

        assert not decision.taken
        assert "litellm" in decision.reason

    def test_what_was_never_judged_is_not(self) -> None:
        found = diagnosis(Kind.ENVIRONMENT, autofix="", summary="the check was interrupted")

        (decision,) = decide(source(), [failure(diagnosis=found)], force=False)

        assert (decision.taken, decision.reason) == (False, "the check was interrupted")

    def test_a_gap_that_is_known_by_words_in_a_message_is_still_a_gap(self) -> None:
        """An earlier tool refused a 400 whose request id held the digits 401."""
        found = diagnosis(summary="the SDK sends temperature: HTTP 400, request req_4013af, 4032")

        (decision,) = decide(source(), [failure(diagnosis=found)], force=False)

        assert decision.taken

    def test_nothing_failed(self) -> None:
        assert decide(source(), [], force=True) == []


class TestForce:
    @pytest.mark.parametrize(
        "kind", [Kind.UNKNOWN, Kind.MODEL_LIMITATION, Kind.CONFIGURATION, Kind.SDK_GAP]
    )
    def test_what_a_change_of_the_sdk_could_help_is_taken(self, kind: Kind) -> None:
        found = diagnosis(kind, autofix="refused: so it is")

        (decision,) = decide(source(), [failure(diagnosis=found)], force=True)

        assert decision.taken
        assert "--force" in decision.reason
        assert "so it is" in decision.reason

    @pytest.mark.parametrize("kind", NEVER)
    def test_what_no_change_of_the_sdk_can_help_is_not(self, kind: Kind) -> None:
        (decision,) = decide(source(), [failure(diagnosis=diagnosis(kind))], force=True)

        assert not decision.taken
        assert "no change of the SDK can help" in decision.reason

    def test_what_is_offered_anyway_is_not_forced(self) -> None:
        (decision,) = decide(source(), [failure()], force=True)

        assert "--force" not in decision.reason


class TestOrder:
    def test_those_that_are_taken_come_first(self) -> None:
        key = failure("test_key", diagnosis=diagnosis(Kind.CREDENTIALS, fields=()))

        decided = decide(source(), [key, failure()], force=False)

        assert [one.taken for one in decided] == [True, False]


class TestRoots:
    def test_checks_of_one_model_that_fail_of_one_field_are_one(self) -> None:
        assert groups(failure("test_a"), failure("test_b")) == [["gpt test_a", "gpt test_b"]]

    def test_what_the_endpoint_said_makes_no_difference(self) -> None:
        one = failure("test_a", diagnosis=diagnosis(summary="the SDK sends stop: no, req_1"))
        two = failure("test_b", diagnosis=diagnosis(summary="the SDK sends stop: no, req_2"))

        assert len(groups(one, two)) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"fields": ("temperature",)},
            {"rule": "another"},
            {"kind": Kind.UNKNOWN},
            {"summary": "the SDK cannot read the answer"},
        ],
    )
    def test_another_finding_is_another_cause(self, other: dict[str, Any]) -> None:
        two = failure("test_b", diagnosis=diagnosis().model_copy(update=other))

        assert len(groups(failure("test_a"), two)) == 2

    def test_models_that_fail_of_the_same_code_are_one(self) -> None:
        other = profile("mini", "openai/gpt-5-mini")
        serializer = Remedy(settings={"force_string_serializer": True}, summary="x", note="")

        for remedy, causes in (
            (serializer, 1),
            (serializer.model_copy(update={"note": "in X"}), 2),
        ):
            found = diagnosis(remedy=remedy)
            both = failure(diagnosis=found), failure(of=other, diagnosis=found)
            assert len(groups(*both)) == causes

    def test_models_that_a_list_in_the_sdk_lacks_are_one_each(self) -> None:
        """Without a remedy, it is not known whether a list decides."""
        assert len(groups(failure(), failure(of=profile("mini", "openai/gpt-5-mini")))) == 2

    def test_two_profiles_of_one_model_are_one(self) -> None:
        assert len(groups(failure(), failure(of=profile("again")))) == 1

    def test_failures_without_fields_are_one_where_they_say_the_same(self) -> None:
        found = diagnosis(fields=(), summary="the answer is empty")
        other = diagnosis(fields=(), summary="the answer is full")

        assert groups(
            failure("test_a", diagnosis=found),
            failure("test_b", diagnosis=other),
            failure("test_c", diagnosis=found),
        ) == [["gpt test_a", "gpt test_c"], ["gpt test_b"]]


class TestACause:
    def test_its_name_is_the_same_whenever_it_is_read(self) -> None:
        one = Cause(failures=(failure("test_a"), failure("test_b")), source=source())
        again = Cause(failures=(failure("test_b"), failure("test_a")), source=source())

        assert one.id == again.id
        assert len(one.id) == 8
        assert one.branch == f"ohllm/openai-gpt-5-{one.id}"

    def test_its_name_is_another_one_in_another_run(self) -> None:
        one = Cause(failures=(failure(),), source=source())
        other = Cause(failures=(failure(),), source=source("another"))

        assert one.id != other.id

    def test_the_failure_that_was_examined_tells_why(self, tmp_path: Path) -> None:
        (tmp_path / "probes.jsonl").write_text("")
        examined = failure("test_b", folder=tmp_path, diagnosis=diagnosis(summary="examined"))
        cause = Cause(failures=(failure("test_a"), examined), source=source())

        assert cause.first == examined
        assert cause.diagnosis.summary == "examined"

    def test_its_models_are_named_once(self) -> None:
        cause = Cause(
            failures=(failure(), failure("test_b"), failure(of=profile("x", "a/b"))),
            source=source(),
        )

        assert cause.models == ("openai/gpt-5", "a/b")

    @pytest.mark.parametrize(
        ("model", "slug"),
        [
            ("openai/gpt-5", "openai-gpt-5"),
            ("bedrock/us.anthropic.claude:0", "bedrock-us-anthropic-claude-0"),
            ("../../etc/passwd", "etc-passwd"),
            ("--force", "force"),
            ("größe 大", "gr-e"),
            ("大", "model"),
            ("", "model"),
            ("x" * 200, "x" * 40),
            ("a" * 39 + "/b", "a" * 39),
            ("openai/gpt.lock", "openai-gpt-lock"),
        ],
    )
    def test_its_branch_is_one_whatever_the_model_is_called(self, model: str, slug: str) -> None:
        cause = Cause(failures=(failure(of=profile("p", model)),), source=source())

        assert cause.branch == f"ohllm/{slug}-{cause.id}"
