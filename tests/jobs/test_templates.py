"""Templates pick and arrange values. Everything else they could do is a way out, and is shut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.templates import BadTemplateError, Field, compiled, is_template, render
from jobs.variables import needed_vars, resolved

SECRET = "canary-4711"


class Canary:
    """An object a template must not get into; nothing hands one over in the product."""

    secret = SECRET

    def tell(self) -> str:
        return SECRET


CONTEXT = {
    "vars": {
        "a": "x",
        "n": 3,
        "list": ["p", "q"],
        "items": "my items",
        "text": "abc",
        "empty": None,
        "canary": Canary(),
    },
    "row": {"title": "Mug", "_id": 7, "Unit price": 4.5},
    "axis": {"params": {"duration": 8}, "params.duration": 8, "references": {"0": "shoe"}},
    "run": {"date": "2026-05-31", "id": "r"},
    "item": {"key": "one", "index": 0},
}


@given(st.text().filter(lambda text: not is_template(text)))
def test_text_without_template_syntax_comes_out_as_it_went_in(text: str) -> None:
    assert render(text, {}) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a {{ vars.a }} b\n", "a x b\n"),
        ("\n\n{{ vars.a }}\n\n", "\n\nx\n\n"),
        ("<b>&{{ vars.a }}</b>", "<b>&x</b>"),
        ("{{ vars.n }}", "3"),
        ("{{ 8.0 }} {{ 0.5 }} {{ true }}", "8 0.5 true"),
        ("{{ vars['a'] }} {{ row['Unit price'] }} {{ row['_id'] }}", "x 4.5 7"),
        ("{{ vars.items }}", "my items"),
        ("{{ axis.params.duration }} {{ axis['params.duration'] }} {{ axis.references.0 }}", "8 8 shoe"),
        ("{{ vars.list[1] }}{{ vars.text[:2] }}", "qab"),
        ("{{ vars.a ~ '-' ~ vars.n }}", "x-3"),
        ("{{ vars.n + 1 }} {{ vars.n * 2 }} {{ vars.n % 2 }} {{ 'a' + 'b' }} {{ '-' * 3 }}", "4 6 1 ab ---"),
        ("{{ vars.a | upper }} {{ vars.list | join(', ') }}", "X p, q"),
        ("{{ vars.style | default('plain') }}", "plain"),
        ("{{ vars.empty | default('none', true) }}", "none"),
        ("{% if vars.style is defined %}a{% elif vars.n > 2 %}b{% else %}c{% endif %}", "b"),
        ("{% for one in vars.list %}{{ loop.index }}{{ one }}{% if not loop.last %},{% endif %}{% endfor %}", "1p,2q"),
        ("{% for n in range(3) %}{{ n }}{% else %}-{% endfor %}", "012"),
        ("{{ 'yes' if vars.n == 3 else 'no' }}", "yes"),
        ("{% raw %}{{ as it is }}{% endraw %}{# gone #}", "{{ as it is }}"),
        ("{{ 2.46 | round(1) }} {{ [1, 2] | sum }} {{ vars.text | replace('b', '-') }}", "2.5 3 a-c"),
        ("{{ run.date }} {{ item.key }} {{ item.index }}", "2026-05-31 one 0"),
    ],
)
def test_templates_pick_and_arrange(template: str, text: str) -> None:
    assert render(template, CONTEXT) == text


@pytest.mark.parametrize(
    ("template", "words", "line"),
    [
        ("{{ vars.stile }}", "there is no `stile`", 1),
        ("a\nb {{ vars.stile }}", "there is no `stile`", 2),
        ("{{ vars.txet }}", "did you mean `text`?", 1),
        ("{{ subject }}", "did you mean `vars.subject`?", 1),
        ("a\n\n{{ vars.a | uper }}", "did you mean `upper`?", 3),
        ("{{ vars.empty }}", "empty (null)", 1),
        ("{{ vars.list }}", "is a list", 1),
        ("{{ vars }}", "a set of keys", 1),
        ("{{ vars.a", "expected", 1),
        ("{% if vars.a %}", "", 1),
        ("{{ vars.a.upper() }}", "call nothing but `range(...)`", 1),
        ("{{ range(n=3) }}", "call nothing but `range(...)`", 1),
        ("{% for vars in vars.list %}{% endfor %}", "already means something", 1),
        ("{{ 1 / 0 }}", "division by zero", 1),
        ("{{ vars.list[9] }}", "no place 9", 1),
        ("{{ 'a' + 1 }}", "", 1),
    ],
)
def test_a_mistake_is_told_in_plain_words_with_its_line(template: str, words: str, line: int) -> None:
    with pytest.raises(BadTemplateError) as caught:
        render(template, CONTEXT)

    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.line == line


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ [].__class__.__mro__ }}",
    "{{ {}.__class__ }}",
    "{{ vars.__class__ }}",
    "{{ vars['__class__'] }}",
    "{{ vars['__init__']['__globals__'] }}",
    "{{ row.__getitem__ }}",
    "{{ vars.get }}",
    "{{ vars.get('a') }}",
    "{{ vars.keys() }}",
    "{{ vars.update({'a': 1}) }}",
    "{{ vars.a.upper() }}",
    "{{ vars.a.format(1) }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '%s' % vars }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 'x'.join(['a']) }}",
    "{{ vars.canary.secret }}",
    "{{ vars.canary['secret'] }}",
    "{{ vars.canary.tell() }}",
    "{{ vars.canary.tell }}",
    "{{ vars.canary }}",
    "{{ vars.canary | string }}",
    "{{ vars.n.real }}",
    "{{ vars.n.bit_length() }}",
    "{{ vars.list.append(1) }}",
    "{{ vars.list.__class__ }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ cycler('a') }}",
    "{{ joiner() }}",
    "{{ namespace(a=1) }}",
    "{{ lipsum() }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ dict(a=1) }}",
    "{{ config }}",
    "{{ request }}",
    "{{ url_for.__globals__ }}",
    "{{ get_flashed_messages }}",
    "{{ open('/etc/passwd').read() }}",
    "{{ __import__('os') }}",
    "{{ eval('1') }}",
    "{{ range }}",
    "{{ range.__class__ }}",
    "{{ range(1).__class__ }}",
    "{{ range(3).count }}",
    "{{ loop }}",
    "{{ caller() }}",
    "{{ varargs }}",
    "{{ _steps }}",
    "{{ vars.list | _steps }}",
    "{{ vars.list | map('upper') | list }}",
    "{{ vars.list | map(attribute='__class__') | list }}",
    "{{ vars.list | sort(attribute='__class__.__name__') | first }}",
    "{{ vars.list | max(attribute='__class__') }}",
    "{{ vars.list | unique(attribute='__doc__') | list | join }}",
    "{{ vars.list | groupby('__class__') }}",
    "{{ vars.list | select('callable') | list }}",
    "{{ vars.list | random }}",
    "{{ vars | tojson }}",
    "{{ vars | pprint }}",
    "{{ vars | xmlattr }}",
    "{{ vars.a | format(1) }}",
    "{{ vars.a is callable }}",
    "{{ 'x' is test }}",
    "{% set x = 1 %}",
    "{% set x %}a{% endset %}",
    "{% include 'secret' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% extends 'secret' %}",
    "{% block a %}{% endblock %}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}",
    "{% call vars() %}{% endcall %}",
    "{% with a = vars %}{{ a.__class__ }}{% endwith %}",
    "{% filter upper %}a{% endfilter %}",
    "{% autoescape true %}a{% endautoescape %}",
    "{% do vars.update({}) %}",
    "{% for x in vars.list recursive %}{{ loop(vars.list) }}{% endfor %}",
    "{% for x in vars.list %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in vars.list %}{{ loop._iterator }}{% endfor %}",
    "{% for x in vars.list %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in vars.list %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in vars.list %}{{ loop.previtem.__class__ }}{% endfor %}",
    "{% for _x in vars.list %}{{ _x }}{% endfor %}",
    "{% debug %}",
    "{% trans %}a{% endtrans %}",
    "{% print(vars) %}",
    "{{ 2 ** 8 }}",
]


@pytest.mark.parametrize("payload", ESCAPES)
def test_no_way_out(payload: str) -> None:
    with pytest.raises(BadTemplateError) as caught:
        render(payload, CONTEXT)

    assert SECRET not in caught.value.message
    assert "0x" not in caught.value.message


BOMBS = [
    "{{ 'x' * 1000000000 }}",
    "{{ 1000000000 * 'x' }}",
    "{{ 'x' * 30000 * 30000 }}",
    "{{ ['x'] * 1000000000 }}",
    "{{ [['x' * 30000] * 30000] | string }}",
    "{{ [vars.list, vars.list] | sum(start=[]) }}",
    "{{ 'a' * 20000 ~ 'b' * 20000 ~ 'c' }}",
    "{{ 'a' * 20000 + 'b' * 20000 + 'c' }}",
    "{{ ('a' * 30000) | replace('a', 'b' * 30000) }}",
    "{{ ('a' * 30000) | replace('', 'b' * 30000) }}",
    "{{ ['a', 'b', 'c'] | join('x' * 30000) }}",
    "{{ range(1000000000) | list }}",
    "{{ range(1000000000) | join }}",
    "{{ range('a') }}",
    "{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}",
    "{% for i in range(1000) %}{{ 'x' * 1000 }}{% endfor %}",
    "{% for i in range(501) %}{% endfor %}{% for i in range(501) %}{% endfor %}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 'x' | indent(1000000000) }}",
    "{{ 'x' | ljust(1000000000) }}",
    "{{ 'x' | wordwrap(1) }}",
    "{{ 1 | round(1000000000) }}",
    "{{ 1 | round(-1000000000) }}",
    "{{ 9" + " * 99999999999999999999" * 30 + " }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ 1e308 * 10 }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "+".join("1" * 10_000) + " }}",
    "{{ " + "not " * 5000 + "1 }}",
    "{{ " + "[" * 2000 + "]" * 2000 + " }}",
    "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
    "{{ vars" + ".a" * 5000 + " }}",
    "{{ vars.a" + " | upper" * 4000 + " }}",
    "x" * 40_000 + "{{ vars.a }}",
    "{# " + "x" * 40_000 + " #}",
]


@pytest.mark.parametrize("payload", BOMBS, ids=range(len(BOMBS)))
def test_nothing_grows_without_bound(payload: str) -> None:
    start = time.process_time()

    with pytest.raises(BadTemplateError):
        render(payload, CONTEXT)

    assert time.process_time() - start < 2


_NAMES = [
    "vars",
    "row",
    "loop",
    "range",
    "self",
    "__class__",
    "_x",
    "x",
    "'s'",
    "9",
    "upper",
    "join",
    "default",
    "attr",
]
_SIGNS = [
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ".",
    ",",
    "|",
    "*",
    "+",
    "~",
    "%",
    "**",
    "if",
    "else",
    "is",
    "in",
    "not",
    "defined",
]
_WORDS = st.sampled_from(_NAMES) | st.sampled_from(_SIGNS)


@given(st.lists(_WORDS, max_size=12).map(lambda words: "{{ " + " ".join(words) + " }}"))
def test_any_expression_renders_or_is_refused(template: str) -> None:
    try:
        text = render(template, CONTEXT)
    except BadTemplateError:
        return
    assert SECRET not in text
    assert len(text) <= 40_000


def test_what_a_template_reads_is_known_before_it_is_rendered() -> None:
    template = compiled(
        "{{ vars.a }} {{ row['Unit price'] }}\n{{ axis.params.duration }} {{ row }} {{ vars.z | default(1) }}"
    )

    assert set(template.fields) == {
        Field("vars", "a", 1, guarded=False),
        Field("row", "Unit price", 1, guarded=False),
        Field("axis", "params.duration", 2, guarded=False),
        Field("row", None, 2, guarded=False),
        Field("vars", "z", 2, guarded=True),
    }


def test_a_loop_s_own_names_are_not_asked_from_outside() -> None:
    assert {field.root for field in compiled("{% for x in vars.list %}{{ x }}{{ loop.index }}{% endfor %}").fields} == {
        "vars"
    }


def test_a_distinct_text_is_compiled_once() -> None:
    assert compiled("{{ vars.a }} once") is compiled("{{ vars.a }} once")


def test_vars_come_after_the_vars_they_need() -> None:
    choices: dict[str, list[object]] = {
        "a": ["{{ vars.b }}!"],
        "b": ["{{ vars.c }}?"],
        "c": ["x"],
        "unread": ["{{ row.q }}"],
    }

    order = needed_vars(choices, compiled("{{ vars.a }}").fields)

    assert order == ("c", "b", "a")
    values = {name: value for name, (value,) in choices.items()}
    assert resolved(values, order, lambda done: {"vars": done}) == {"c": "x", "b": "x?", "a": "x?!"}


def test_vars_in_a_circle_are_refused() -> None:
    choices = {"a": ["{{ vars.b }}"], "b": ["x", "{{ vars.a }}"]}

    with pytest.raises(BadTemplateError, match="a -> b -> a"):
        needed_vars(choices, compiled("{{ vars.a }}").fields)
