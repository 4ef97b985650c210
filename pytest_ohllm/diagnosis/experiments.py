"""Experiments on a request that was refused: one change at a time, until it is clear who is wrong.

The order is that of research on real failures: what is decided by a code is not examined; the
failing request is sent again first, then without what its words or its sender suggest; a verdict
of blame needs one change that turns red to green twice, while the unchanged request stays red.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_ohllm.diagnosis import (
    addresses,
    conclusions,
    connections,
    protocols,
    remedies,
    thoughts,
)
from pytest_ohllm.diagnosis.engine import find
from pytest_ohllm.diagnosis.finding import Finding
from pytest_ohllm.diagnosis.laboratory import Laboratory, Stop, works
from pytest_ohllm.diagnosis.protocols import Body, Path, dotted
from pytest_ohllm.diagnosis.reduction import smallest
from pytest_ohllm.diagnosis.repairs import REPAIRS, SHORTER, Repair
from pytest_ohllm.diagnosis.requests import named_field, set_by_user
from pytest_ohllm.diagnosis.symptoms import Symptoms
from pytest_ohllm.model import Exchange, Kind

_DECIDED = frozenset(
    [
        "verification",
        "region",
        "unauthorized",
        "rate_limit",
        "overloaded",
        "outage",
        "not_allowed",
        "content_filter",
        "account_closed",
        "setting_unknown",
        "images_refused",
        "server_too_small",
        "model_unknown",
        "machine_in_trouble",
        "module_missing",
    ]
) | {rule.__name__ for rule in connections.RULES}
"""Rules whose word is enough: experiments would cost, or hit a limit, and tell nothing more."""

_ADDRESS = frozenset({"web_page", "not_found", "not_json", "route_unknown"})
"""Rules after which only another address on the same server is worth a try."""

_RESERVE = 2
"""Probes that are kept back to see both red and green a second time."""


@dataclass(frozen=True)
class Conclusion:
    """What experiments say: a finding, the fields that matter, and settings worth a trial."""

    finding: Finding
    rule: str
    fields: tuple[str, ...] = ()
    settings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Experimenter:
    """Examines one failure; ``hints`` are what the words suggest, and can be done without."""

    symptoms: Symptoms
    lab: Laboratory
    hints: bool = True

    @property
    def body(self) -> Body:
        """The failing request."""
        return self.lab.body

    @property
    def protocol(self) -> str:
        """The protocol of the failing request."""
        assert self.lab.protocol is not None
        return self.lab.protocol

    def conclude(self) -> Conclusion | None:
        """The conclusion, or ``None`` if experiments cannot tell, or may not be made."""
        rule = find(self.symptoms)[1] if self.hints else ""
        if self.lab.protocol is None or rule in _DECIDED or works(self.lab.failing):
            return None
        try:
            if rule in _ADDRESS or (rule == "billing" and self.lab.failing.status == 429):
                return self._at_another_address()
            return None if rule == "billing" else self._examined()
        except Stop:
            return None

    def _at_another_address(self) -> Conclusion | None:
        found = addresses.elsewhere(self.lab, self.protocol, self.body)
        if found is None:
            return None
        return Conclusion(found.finding, "address", ("base_url",), (found.settings,))

    def _examined(self) -> Conclusion | None:
        again = self.lab.ask("the same request again")
        if works(again):
            return Conclusion(conclusions.not_repeated(), "not_repeated")
        if not self.lab.same(again):
            return None
        if self.hints and (found := self._as_the_words_say()):
            return found
        first = self.lab.ask("one message, nothing else", protocols.hello(self.protocol, self.body))
        if not works(first):
            return self._nothing_is_accepted(first)
        return self._part_at_fault() or self._message_at_fault() or self._size_at_fault()

    # What the words suggest

    def _as_the_words_say(self) -> Conclusion | None:
        finding, rule = find(self.symptoms)
        if finding.named == "max_output_tokens" or rule == "names_a_field":
            name = named_field(self.symptoms) or finding.named
            paths = [p for p in self._parts() if p[0] == name or _is_limit(p, name)]
            if paths and self._works_without(paths):
                return self._blamed(paths)
        if rule == "names_a_message":
            return self._message_at_fault()
        if rule in ("other_endpoint", "tools_refused"):
            return self._elsewhere()
        return None

    # Optional parts

    def _part_at_fault(self) -> Conclusion | None:
        parts = self._parts()
        if not parts or not self._works_without(parts):
            return None
        budget = self.lab.budget
        self.lab.budget = budget - _RESERVE
        try:
            guilty = smallest(parts, self._works_without)
        except Stop:
            return None
        finally:
            self.lab.budget = budget
        return self._blamed(guilty)

    def _parts(self) -> list[Path]:
        """Optional parts, likely ones first: what the user set, then what the SDK adds, tools."""
        found = protocols.parts(self.protocol, self.body)
        named = named_field(self.symptoms) if self.hints else None

        def order(path: Path) -> tuple[bool, bool, bool]:
            top = path[0]
            return (top != named, top == "tools", not set_by_user(self.symptoms, dotted(path)))

        return sorted(found, key=order)

    def _works_without(self, paths: Sequence[Path]) -> bool:
        names = ", ".join(map(dotted, paths))
        change = f"without {names}" if len(paths) < 6 else f"without {len(paths)} optional fields"
        return works(self.lab.ask(change, protocols.without(self.body, *paths)))

    def _blamed(self, paths: Sequence[Path]) -> Conclusion | None:
        """Whose the guilty fields are, once red and green have been seen twice."""
        if ("tools",) in paths or ("reasoning_effort",) in paths:
            elsewhere = self._elsewhere()
            if elsewhere or ("tools",) in paths:
                return elsewhere or self._tools_at_fault()
        smaller = protocols.without(self.body, *paths)
        if not self._confirmed(smaller, f"without {_names(paths)}"):
            return None
        settings = remedies.for_fields(map(dotted, paths), self.symptoms.settings)
        fields = tuple(map(dotted, paths))
        if self._is_entitlement(paths):
            return Conclusion(conclusions.not_entitled(_names(paths)), "entitlement", fields)
        own = all(set_by_user(self.symptoms, _setting_of(path)) for path in paths)
        finding = (
            conclusions.user_field(_names(paths)) if own else conclusions.sdk_field(_names(paths))
        )
        return Conclusion(finding, "one_field", fields, tuple(settings))

    def _confirmed(self, green: Body, change: str) -> bool:
        """Whether red and green are seen a second time."""
        return works(self.lab.ask(f"{change}, again", green)) and self._still_fails()

    def _still_fails(self) -> bool:
        return self.lab.same(self.lab.ask("the same request as a control"))

    def _is_entitlement(self, paths: Sequence[Path]) -> bool:
        """Whether the endpoint refuses a value that it lists itself as a good one.

        Then the field is fine, and the account lacks the right to use it.
        """
        if len(paths) != 1 or not isinstance(_value(self.body, paths[0]), str):
            return False
        path = paths[0]
        nonsense = protocols.replaced(self.body, path, "no-such-value")
        answer = self.lab.ask(f"{dotted(path)} with a value that cannot exist", nonsense)
        if works(answer) or self.lab.same(answer):
            return False
        listed = _listed_values(answer)
        if not listed:
            return False
        good = protocols.replaced(self.body, path, listed[0])
        return self.lab.same(self.lab.ask(f"{dotted(path)} with a value that it listed", good))

    # Tools

    def _tools_at_fault(self) -> Conclusion | None:
        trivial = protocols.with_tool(self.protocol, self.body)
        if works(self.lab.ask("one message and one small tool", trivial)):
            return self._message_at_fault()
        return Conclusion(
            conclusions.no_tools(), "tools", ("tools",), ({"native_tool_calling": False},)
        )

    def _elsewhere(self) -> Conclusion | None:
        """Whether the vendor's other endpoint takes what this one refuses."""
        there = protocols.other_endpoint(self.protocol, self.lab.failing.url, self.body)
        if there is None or "tools" not in self.body:
            return None
        url, body = there
        change = "the same with the vendor's other endpoint"
        if not works(self.lab.ask(change, body, url=url)):
            return None
        if not (works(self.lab.ask(f"{change}, again", body, url=url)) and self._still_fails()):
            return None
        mode = "responses" if self.protocol == "chat" else "chat"
        settings = self.symptoms.settings
        overrides = settings.get("capability_overrides") or {}
        asked_for = settings.get("api_mode", "auto") != "auto"
        if asked_for or (mode == "chat" and overrides.get("supports_responses_api")):
            finding = conclusions.chosen_endpoint(mode)
            return Conclusion(finding, "other_endpoint", ("api_mode",), ({"api_mode": mode},))
        return Conclusion(
            conclusions.other_endpoint(mode), "other_endpoint", (), ({"api_mode": mode},)
        )

    # The conversation

    def _message_at_fault(self) -> Conclusion | None:
        for repair, repaired in self._repairs():
            if works(self.lab.ask(f"accepted if {repair.text}?", repaired)):
                if not self._confirmed(repaired, repair.name):
                    return None
                return self._repaired(repair)
        return None

    def _repairs(self) -> Iterator[tuple[Repair, Body]]:
        """Repairs that change something, those that the words are about first."""
        words = self.symptoms.text.lower() if self.hints else ""
        known = (thoughts.restored(self.symptoms.history), *REPAIRS)
        for repair in sorted(known, key=lambda one: not _is_about(one, words)):
            if (repaired := repair.apply(self.body)) is not None:
                yield repair, repaired

    def _repaired(self, repair: Repair) -> Conclusion:
        settings = self.symptoms.settings
        candidates = tuple(remedies.completed(one, settings) for one in repair.settings)
        if repair.name == "no cache_control" and set_by_user(self.symptoms, "capability_overrides"):
            finding = conclusions.user_field("cache_control")
        elif repair.own_words:
            finding = conclusions.own_words(repair.text)
        else:
            finding = conclusions.history(repair.text)
        return Conclusion(finding, "repaired_history", ("messages",), candidates)

    def _size_at_fault(self) -> Conclusion | None:
        shorter = SHORTER.apply(self.body)
        if shorter is None or not works(self.lab.ask("the same structure in few words", shorter)):
            return None
        if not self._still_fails():
            return None
        return Conclusion(conclusions.too_long(), "size", ("messages",))

    # Not even one message

    def _nothing_is_accepted(self, first: Exchange) -> Conclusion | None:
        """The request's content is not to blame: the account, the model's name, or the address."""
        if found := self._at_another_address():
            return found
        if self.hints:
            context = replace(self.symptoms, exchange=first, error=None, history=())
            finding, rule = find(context)
            if finding.kind is not Kind.UNKNOWN:
                return Conclusion(finding, rule)
        listing = self.lab.ask(
            "the list of models",
            method="GET",
            url=protocols.models_url(self.protocol, self.lab.failing.url),
        )
        if listing.status in (401, 402, 403):
            return Conclusion(
                conclusions.account("the key is refused, too, for the list of models"), "account"
            )
        known = protocols.listed_models(listing.response)
        if known is None:
            return None
        model = str(self.body.get("model") or self.symptoms.settings.get("model") or "")
        if self.protocol != "gemini" and known and not _lists(known, model):
            return Conclusion(conclusions.unknown_model(model, known), "model_absent", ("model",))
        said = "the model is listed, and even one message to it is refused"
        return Conclusion(conclusions.account(said), "account")


def _is_limit(path: Path, name: str | None) -> bool:
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    return name == "max_output_tokens" and path[-1] in limits


def _is_about(repair: Repair, words: str) -> bool:
    """Whether the endpoint's words mention what the repair changes."""
    about = {
        "content as text": r"string|content",
        "no cache_control": r"cache",
        "valid arguments": r"argument|json",
        "reasoning as received": r"reasoning|thinking|thought|signature",
        "no reasoning": r"reasoning|thinking|thought|signature|\brs_",
        "no null content": r"null|none|content",
        "no empty turns": r"empty",
        "system first": r"system",
        "roles alternate": r"role|alternat",
        "one call per message": r"single|one tool|parallel|tool[- ]call",
        "short ids": r"\bid\b|length",
        "plain schemas": r"schema|additionalproperties|\$ref|parameters",
        "no pictures": r"image|vision|picture",
    }
    return bool(words) and re.search(about.get(repair.name, "$^"), words) is not None


def _setting_of(path: Path) -> str:
    return "reasoning_summary" if dotted(path) == "reasoning.summary" else path[-1]


def _value(body: Mapping[str, Any], path: Path) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _listed_values(answer: Exchange) -> list[str]:
    """The good values that an error names."""
    text = Symptoms(exchange=answer).text
    after = re.split(r"supported|allowed|valid|expected|one of", text, maxsplit=1, flags=re.I)
    quoted = re.findall(r"['\"`]([a-z][\w-]*)['\"`]", after[-1])
    return [value for value in quoted if value != "no-such-value"]


def _lists(known: Sequence[str], model: str) -> bool:
    return any(
        model == name or model.endswith(f"/{name}") or name == f"{model}:latest" for name in known
    )


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(repr(dotted(path)) for path in paths)
