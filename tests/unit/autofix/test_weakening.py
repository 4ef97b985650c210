"""A module of tests may claim more than before, never less."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ohllm.autofix.weakening import weakness

OLD = '''\
"""Tests of features."""

import asyncio
import json
from unittest.mock import patch

import pytest

from openhands.sdk.llm.utils import features

MODELS = ["gpt-5", "gpt-4o"]
EXPECTED: dict[str, int] = {"gpt-5": 1}


@pytest.fixture
def llm():
    made = features.make()
    yield made
    made.close()


def close_to(one, other, *, within=0.1):
    assert abs(one - other) < within


@pytest.mark.parametrize("model", ["gpt-5", "gpt-4o", pytest.param("o3", id="old")])
@patch("openhands.sdk.x")
def test_words(mock, model, llm):
    """What it is for."""
    found = features.words(model)
    assert found
    with pytest.raises(ValueError):
        features.words("")
    for one in found:
        assert one.islower()
    if model == "o3":
        assert len(found) == 1
    close_to(found.cost, 1.0)


@pytest.mark.asyncio
async def test_later(llm):
    await llm.later()
    assert llm.done


@pytest.mark.skipif(True, reason="some day")
def test_some_day():
    assert features.some_day()


class TestMore(Base):
    kind = "more"

    def setup_method(self):
        self.value = 1

    def test_value(self):
        assert self.value == 1

    class TestInner:
        def test_inner(self):
            assert EXPECTED


if features.NEW:

    def test_new():
        assert features.new()
'''


def replaced(old: str, new: str) -> str:
    """The module with one place changed."""
    assert OLD.count(old) == 1, old
    changed = OLD.replace(old, new)
    assert changed != OLD
    return changed


def after(place: str, new: str) -> str:
    """The module with something more after a place."""
    return replaced(place, f"{place}{new}")


WEAKER = {
    "a test is gone": replaced("async def test_later(llm):", "async def check_later(llm):"),
    "an assertion is gone": replaced("    assert found\n", ""),
    "an assertion is changed": replaced("assert found\n", "assert found is not None\n"),
    "an assertion is negated": replaced("assert self.value == 1", "assert self.value != 1"),
    "an assertion is always true": replaced("assert found\n", "assert found or True\n"),
    "a statement is gone": replaced("        self.value = 1\n", "        pass\n"),
    "the order is another one": replaced(
        "    await llm.later()\n    assert llm.done\n",
        "    assert llm.done\n    await llm.later()\n",
    ),
    "a parameter is gone": replaced('"gpt-5", "gpt-4o", pytest', '"gpt-5", pytest'),
    "a parameter is changed": replaced('pytest.param("o3", id="old")', '"o4"'),
    "a parameter may fail": replaced('id="old"', 'id="old", marks=pytest.mark.xfail'),
    "all parameters are gone": replaced('["gpt-5", "gpt-4o", pytest.param("o3", id="old")]', "[]"),
    "parameters come from elsewhere": replaced(
        '["gpt-5", "gpt-4o", pytest.param("o3", id="old")]', "MODELS"
    ),
    "a list of models is shorter": replaced('MODELS = ["gpt-5", "gpt-4o"]', 'MODELS = ["gpt-5"]'),
    "a list of models is empty later": after('{"gpt-5": 1}\n', "MODELS = []\n"),
    "a list of models is emptied": after('{"gpt-5": 1}\n', "del MODELS\n"),
    "an expectation is changed": replaced('{"gpt-5": 1}', '{"gpt-5": 2}'),
    "a decorator is gone": replaced('@patch("openhands.sdk.x")\n', ""),
    "a decorator is changed": replaced("openhands.sdk.x", "openhands.sdk.y"),
    "a mark is gone": replaced("@pytest.mark.asyncio\n", ""),
    "a test is no coroutine any more": replaced("async def test_later", "def test_later"),
    "a test is a coroutine": replaced("    def test_value", "    async def test_value"),
    "a test is an attribute": replaced(
        "    def test_value(self):\n        assert self.value == 1\n", "    test_value = None\n"
    ),
    "a test is skipped": replaced("class TestMore", "@pytest.mark.skip\nclass TestMore"),
    "a test is skipped with a reason": replaced(
        "async def", '@pytest.mark.skip(reason="slow")\nasync def'
    ),
    "a test is skipped sometimes": replaced("async def", "@pytest.mark.skipif(True)\nasync def"),
    "a test may fail": replaced("async def", "@pytest.mark.xfail\nasync def"),
    "a test may fail, as unittest has it": replaced(
        "    def test_value", "    @unittest.expectedFailure\n    def test_value"
    ),
    "a test skips itself": replaced("    assert found\n", "    pytest.skip()\n    assert found\n"),
    "a test skips itself at its end": after("    assert llm.done\n", "    pytest.skip()\n"),
    "a test skips itself under another name": replaced(
        "import pytest\n", "import pytest\nfrom pytest import skip as go\n"
    ),
    "a test needs a module": replaced(
        "    assert found\n", '    pytest.importorskip("nothing")\n    assert found\n'
    ),
    "a test raises SkipTest": replaced(
        "    assert found\n", "    raise unittest.SkipTest\n    assert found\n"
    ),
    "a test is not collected": replaced(
        '    kind = "more"\n', '    __test__ = False\n    kind = "more"\n'
    ),
    "a test is not collected, from outside": OLD + "\ntest_words.__test__ = False\n",
    "a test is taken away": OLD + "\ndel test_words\n",
    "a test is nothing": OLD + "\ntest_words = None\n",
    "a test is another one": OLD + "\n\ndef test_words():\n    pass\n",
    "a class of tests is another one": OLD + "\n\nclass TestMore(Base):\n    pass\n",
    "a class of tests has another base": replaced("TestMore(Base)", "TestMore"),
    "a class of tests is no class of tests": replaced("class TestMore", "class More"),
    "a test within a class within a class": replaced("assert EXPECTED", "assert True"),
    "a test that is there sometimes": replaced("assert features.new()", "assert True"),
    "a test that is there less often": replaced("if features.NEW:", "if features.NEWER:"),
    "a test in a block": replaced(
        "class TestMore(Base):", "if False:\n  class TestMore(Base):"
    ).replace("\n    kind", "\n      kind"),
    "the whole module is skipped": after("import pytest\n", "pytestmark = pytest.mark.skip\n"),
    "the whole module skips itself": after(
        "import pytest\n", "pytest.skip(allow_module_level=True)\n"
    ),
    "the whole module raises": after("import pytest\n", "raise RuntimeError\n"),
    "the whole module needs a module": after(
        "import pytest\n", 'nothing = pytest.importorskip("nothing")\n'
    ),
    "the module ends the process": after("import pytest\n", "import sys\nsys.exit(0)\n"),
    "the module brings a plugin": after("import pytest\n", 'pytest_plugins = ["tests.mine"]\n'),
    "the module is a plugin": OLD
    + "\ndef pytest_collection_modifyitems(items):\n    items.clear()\n",
    "a test returns early": replaced("    assert found\n", "    return\n    assert found\n"),
    "a test returns early sometimes": replaced(
        "    assert found\n", "    if not found:\n        return\n    assert found\n"
    ),
    "a test raises early": replaced("    assert found\n", "    raise KeyError\n    assert found\n"),
    "a test is a generator": after("    assert llm.done\n", "    yield\n"),
    "a test ends the process": replaced(
        "    assert found\n", "    os._exit(0)\n    assert found\n"
    ),
    "a loop ends early": replaced(
        "        assert one.islower()", "        break\n        assert one.islower()"
    ),
    "a loop goes on early": replaced(
        "        assert one.islower()", "        continue\n        assert one.islower()"
    ),
    "a loop is about nothing": replaced("for one in found:", "for one in []:"),
    "a condition is another one": replaced('if model == "o3":', "if False:"),
    "a block holds less": replaced("        assert len(found) == 1\n", "        pass\n"),
    "an assertion under a condition": replaced(
        "    assert found\n", "    if False:\n        assert found\n"
    ),
    "an assertion in a try": replaced(
        "    assert found\n",
        "    try:\n        assert found\n    except Exception:\n        pass\n",
    ),
    "an assertion in a with": replaced(
        "    assert found\n", "    with suppress(Exception):\n        assert found\n"
    ),
    "an assertion in a function": replaced(
        "    assert found\n", "    def later():\n        assert found\n"
    ),
    "an assertion in a lambda": replaced("    assert found\n", "    x = lambda: found\n"),
    "an assertion in a comment": replaced("    assert found\n", "    # assert found\n"),
    "an assertion in a string": replaced("    assert found\n", '    "assert found"\n'),
    "another exception is fine": replaced("raises(ValueError)", "raises(Exception)"),
    "something else raises": replaced(
        "    with pytest.raises(ValueError):\n",
        '    with pytest.raises(ValueError):\n        int("x")\n',
    ),
    "a fixture does less": replaced("    made = features.make()\n", "    made = Mock()\n"),
    "a fixture is gone": replaced("@pytest.fixture\ndef llm():", "def llm():"),
    "a fixture takes the place of another one": OLD
    + "\n\n@pytest.fixture\ndef mock():\n    return 1\n",
    "an argument has a default": replaced("test_later(llm)", "test_later(llm=None)"),
    "an argument is gone": replaced("test_later(llm)", "test_later()"),
    "a helper claims less": replaced("< within", "< 100"),
    "a helper has another default": replaced("within=0.1", "within=10"),
    "a helper returns early": replaced(
        "    assert abs", "    if one:\n        return\n    assert abs"
    ),
    "a helper is another one": OLD + "\n\ndef close_to(one, other):\n    pass\n",
    "a helper is imported from elsewhere": OLD + "\nfrom tests.mine import close_to\n",
    "what is tested is another one": OLD + "\nfeatures = Mock()\n",
    "what is tested comes from elsewhere": replaced(
        "from openhands.sdk.llm.utils import features", "from tests.mine import features"
    ),
    "what is tested comes from elsewhere later": OLD + "\nfrom tests.mine import features\n",
    "a decorator that swallows the test": replaced("async def", "@ignored\nasync def"),
    "a decorator without parameters": replaced(
        "async def", '@pytest.mark.parametrize("x", [])\nasync def'
    ),
    "not Python": OLD + "\nThis is no Python.\n",
    "a null byte": OLD + "\n\0",
    "too deep": OLD + "\nx = " + "(" * 100_000 + "\n",
    "empty": "",
}

AS_STRICT = {
    "nothing": OLD,
    "comments, spaces, quotes": replaced("assert found\n", "assert (  found  )  # yes\n").replace(
        '"gpt-4o", pytest', "'gpt-4o', pytest"
    ),
    "another docstring": replaced("What it is for.", "What it was for."),
    "no docstring": replaced('    """What it is for."""\n', ""),
    "a test more": OLD + "\n\ndef test_it():\n    return helper()\n",
    "a test more, with what it needs": OLD
    + textwrap.dedent("""

        LIST = ["a"]


        @pytest.fixture
        def thing():
            return 1


        @pytest.mark.parametrize("x", LIST)
        def test_it(thing, x):
            for one in LIST:
                if one:
                    break
            assert x
        """),
    "a class of tests more": OLD + "\n\nclass TestIt:\n    def test_it(self):\n        assert 1\n",
    "a method more": after('    kind = "more"\n', "\n    def test_it(self):\n        assert 1\n"),
    "an import more": replaced("import asyncio\n", "import asyncio\nimport os.path\nimport os\n"),
    "a name more in an import": replaced("import features", "import features, models"),
    "sorted in another way": replaced(
        "import asyncio\nimport json\n", "import json\nimport asyncio\n"
    ),
    "an assertion more": after("    assert found\n", "    assert found.cost\n"),
    "an assertion more in a loop": after("        assert one.islower()\n", "        assert one\n"),
    "an assertion more under a condition": after(
        "        assert len(found) == 1\n", "    else:\n        assert len(found) > 1\n"
    ),
    "an assertion more at the beginning": replaced(
        "    await llm.later()\n", "    assert not llm.done\n    await llm.later()\n"
    ),
    "a loop more": after(
        "    assert llm.done\n",
        "    for x in llm:\n        if x:\n            continue\n        assert x\n",
    ),
    "a function more within a test": after(
        "    assert llm.done\n", "    def fake():\n        return 1\n    assert llm.ask(fake)\n"
    ),
    "a parameter more at the end": replaced('id="old")]', 'id="old"), "gpt-6"]'),
    "a parameter more in the middle": replaced('"gpt-5", "gpt-4o", p', '"gpt-5", "x", "gpt-4o", p'),
    "a parameter more at the beginning": replaced(
        '["gpt-5", "gpt-4o", p', '["x", "gpt-5", "gpt-4o", p'
    ),
    "more parameters": replaced(
        "async def test_later(llm)",
        '@pytest.mark.parametrize("x", [1, 2])\nasync def test_later(llm, x)',
    ),
    "a model more in a list": replaced('MODELS = ["gpt-5"', 'MODELS = ["gpt-6", "gpt-5"'),
    "an expectation more": replaced('{"gpt-5": 1}', '{"gpt-5": 1, "gpt-6": 2}'),
    "an argument more": replaced("close_to(one, other, *, ", "close_to(one, other, x=1, *, "),
    "another place in the module": OLD.replace("class TestMore", "class TestLast").replace(
        "class TestLast", "class TestMore"
    ),
    "a test that is no longer skipped": replaced(
        '@pytest.mark.skipif(True, reason="some day")\n', ""
    ),
    "a test that is there sometimes has more": after(
        "        assert features.new()\n", "        assert features.new_as_well()\n"
    ),
}


@pytest.mark.parametrize("how", WEAKER)
def test_what_claims_less_is_found(how: str) -> None:
    said = weakness(OLD, WEAKER[how])

    assert said
    assert "\n" not in said


@pytest.mark.parametrize("how", AS_STRICT)
def test_what_claims_as_much_is_left_alone(how: str) -> None:
    assert weakness(OLD, AS_STRICT[how]) is None


def test_the_reason_names_the_test_and_what_it_lacks() -> None:
    assert weakness(OLD, WEAKER["a test is gone"]) == "the test test_later is gone"
    said = weakness(OLD, WEAKER["an assertion is gone"])
    assert said == "the test test_words no longer holds `assert found`"
    said = weakness(OLD, WEAKER["a parameter is gone"])
    assert said == "the test test_words no longer holds `'gpt-4o'`"
    said = weakness(OLD, WEAKER["a test within a class within a class"])
    assert said == "the test TestMore.TestInner.test_inner no longer holds `assert EXPECTED`"
    said = weakness(OLD, WEAKER["a test returns early"])
    assert said == "the test test_words no longer holds what stands after `return`"


def test_the_place_of_a_test_in_its_module_says_nothing() -> None:
    body = ast.parse(OLD).body
    moved = ast.Module([*body[:-1], body[-1]][::-1], [])
    definitions = [one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    others = [one for one in body if one not in definitions]

    assert weakness(OLD, ast.unparse(ast.Module([*others, *definitions[::-1]], []))) is None
    assert weakness(OLD, ast.unparse(moved)) is not None


def test_a_silent_test_may_stay_as_it_is_beside_new_ones() -> None:
    old = '@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.xfail)])\n'
    old += "def test_it(x):\n    assert x == 2\n"

    assert weakness(old, old.replace(")])", "), 2])")) is None
    assert weakness(old, old.replace("pytest.param(1, marks=pytest.mark.xfail)", "2")) is not None


STATEMENTS = st.sampled_from(
    [
        "assert a == {n}",
        "check(a, {n})",
        "a = make({n})",
        "with pytest.raises(KeyError):\n    a[{n}]",
        "for x in a:\n    assert x < {n}",
        "if a:\n    assert b\nelse:\n    assert {n}",
        "try:\n    a({n})\nfinally:\n    close()",
        "await a.run({n})",
        "def inner():\n    return {n}",
    ]
)


@st.composite
def bodies(draw: st.DrawFn) -> list[str]:
    """The statements of a test, no two of them alike."""
    found = draw(st.lists(STATEMENTS, min_size=1, max_size=6))
    return [one.replace("{n}", str(number)) for number, one in enumerate(found)]


def module(*tests: list[str]) -> str:
    """A module with a test for each body."""
    return "\n\n".join(
        f"async def test_{number}(a):\n{textwrap.indent(chr(10).join(body) or 'pass', '    ')}"
        for number, body in enumerate(tests)
    )


@given(bodies(), bodies(), st.data())
def test_a_statement_less_is_found_wherever_it_is(
    one: list[str], two: list[str], data: st.DataObject
) -> None:
    less = list(two)
    less.pop(data.draw(st.integers(0, len(two) - 1)))

    assert weakness(module(one, two), module(one, less)) is not None
    assert weakness(module(one, less), module(one, two)) is None


@given(bodies(), st.data())
def test_more_statements_are_welcome_wherever_they_are(
    body: list[str], data: st.DataObject
) -> None:
    more = list(body)
    for _ in range(data.draw(st.integers(1, 3))):
        more.insert(data.draw(st.integers(0, len(more))), "assert more")

    assert weakness(module(body), module(more)) is None


@given(bodies(), st.data())
def test_nothing_may_stand_between_that_ends_the_test(body: list[str], data: st.DataObject) -> None:
    ending = data.draw(
        st.sampled_from(["return", "raise KeyError", "pytest.skip()", "yield", "sys.exit()"])
    )
    more = list(body)
    more.insert(data.draw(st.integers(0, len(body))), ending)

    assert weakness(module(body), module(more)) is not None


@given(bodies(), st.data())
def test_another_order_is_found(body: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(body))

    assert (weakness(module(body), module(shuffled)) is None) == (shuffled == body)


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_parameters_may_come_and_not_go(old: list[int], new: list[int]) -> None:
    rest = iter(new)
    kept = all(one in rest for one in old)

    def parametrized(values: list[int]) -> str:
        return f"@pytest.mark.parametrize('x', {values})\ndef test_it(x):\n    assert x"

    assert (weakness(parametrized(old), parametrized(new)) is None) == kept


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    assert weakness(OLD, text) is not None
