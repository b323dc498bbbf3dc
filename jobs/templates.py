"""Templates: Jinja2 with almost everything taken out.

A manifest may come from a stranger, so a template may only pick values and arrange them: it is compiled from a list of
allowed syntax nodes, calls nothing but `range`, and is evaluated in the box of `jobs.sandbox`. What it can read is
known before it is rendered. Text without template syntax comes out byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jinja2 import Template as Compiled
from jinja2 import TemplateError, nodes
from jinja2.visitor import NodeTransformer

from jobs.sandbox import ENVIRONMENT, STEPS, BadTemplateError, joined, new_steps
from jobs.suggest import did_you_mean
from jobs.wording import listed

__all__ = ["ROOTS", "BadTemplateError", "Field", "Template", "compiled", "is_template", "render"]

# What a template can see.
ROOTS: Final = ("vars", "row", "axis", "run", "item", "ext")

# Twice the longest prompt any model takes, so that only a mistake meets it.
MAX_TEMPLATE_CHARS: Final = 40_000
# Distinct templates of one run are few; past this many the oldest is compiled again.
COMPILED_MAX: Final = 4_096

_NODES: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.List,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Call,
    nodes.Getitem,
    nodes.Getattr,
    nodes.Slice,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Add,
    nodes.Sub,
    nodes.Mod,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Pos,
)
# What Jinja and Python raise for a text or a value that does not fit; anything else is a fault of ours.
_RAISED: Final = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Field:
    """A value a template asks for, such as `vars` `style`; no path when it takes the whole root.

    `guarded` is True where the template itself says what happens when there is no such value.
    """

    root: str
    path: str | None
    line: int
    guarded: bool


class Template:
    """One compiled text. `fields` is everything it can read; a static text has none and is its own result.

    `parts` are texts and fields that only have to be put in a row; None for a template that does more.
    """

    __slots__ = ("_compiled", "fields", "parts", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.fields: tuple[Field, ...] = ()
        self.parts: tuple[str | Field, ...] | None = (source,)
        self._compiled: Compiled | None = None
        if is_template(source):
            self._compiled, self.fields, self.parts = _compile(source)

    def render(self, context: Mapping[str, object]) -> str:
        """The text with its values in it. Raises BadTemplateError."""
        if self._compiled is None:
            return self.source
        steps = new_steps()
        try:
            parts = self._compiled.root_render_func(self._compiled.new_context({**context, STEPS: steps}))
            return joined(parts)
        except BadTemplateError as fault:
            raise BadTemplateError(fault.message, self._line(fault)) from None
        except _RAISED as error:
            raise BadTemplateError(_reason(error), self._line(error)) from None

    def _line(self, error: BaseException) -> int:
        """The template's line that was being rendered, told by the innermost frame of its compiled code."""
        line, frame = 1, error.__traceback__
        while frame is not None:
            if self._compiled is not None and frame.tb_frame.f_code.co_filename == "<template>":
                line = self._compiled.get_corresponding_lineno(frame.tb_lineno)
            frame = frame.tb_next
        return line


def is_template(text: str) -> bool:
    """Whether the text has any template syntax in it."""
    return "{{" in text or "{%" in text or "{#" in text


@lru_cache(maxsize=COMPILED_MAX)
def compiled(text: str) -> Template:
    """The template of a text, compiled once. Raises BadTemplateError."""
    return Template(text)


def render(text: str, context: Mapping[str, object]) -> str:
    """Shorthand for `compiled(text).render(context)`."""
    return compiled(text).render(context)


def _compile(source: str) -> tuple[Compiled, tuple[Field, ...], tuple[str | Field, ...] | None]:
    if len(source) > MAX_TEMPLATE_CHARS:
        raise BadTemplateError(f"the template has {len(source):,} characters; {MAX_TEMPLATE_CHARS:,} are allowed")
    try:
        tree = ENVIRONMENT.parse(source)
        fields, parts = _Inspection(tree).fields, _parts(tree)
        code = ENVIRONMENT.compile(_Limited().visit(tree))
        return Compiled.from_code(ENVIRONMENT, code, dict(ENVIRONMENT.globals)), fields, parts
    except TemplateError as error:
        raise BadTemplateError(_reason(error), getattr(error, "lineno", None) or 1) from None
    except _RAISED as error:
        raise BadTemplateError(f"the template is too deep or malformed ({type(error).__name__})") from None


class _Inspection:
    """One walk over the syntax tree: refuses what is not on the lists, collects the fields."""

    def __init__(self, tree: nodes.Template) -> None:
        self._locals = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
        self._fields: dict[Field, None] = {}
        if taken := self._locals & {*ROOTS, "loop", "range"}:
            raise BadTemplateError(f"`{min(taken)}` already means something; give the loop another name")
        self._walk(tree, guarded=False)

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(self._fields)

    def _walk(self, node: nodes.Node, *, guarded: bool) -> None:
        self._check(node)
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            found = _path(node)
            if found is not None and found[0] not in self._locals:
                self._add(*found, line=node.lineno, guarded=guarded)
                return
        subject = _guarded_subject(node)
        for child in node.iter_child_nodes():
            self._walk(child, guarded=child is subject)

    def _add(self, root: str, path: str | None, *, line: int, guarded: bool) -> None:
        if root in {"loop", "range"}:
            return
        if root not in ROOTS:
            raise BadTemplateError(f"`{root}` is not known in templates; did you mean `vars.{root}`?", line)
        self._fields[Field(root, path, line, guarded)] = None

    def _check(self, node: nodes.Node) -> None:
        line = node.lineno or 1
        if not isinstance(node, _NODES):
            raise BadTemplateError(
                f"templates have no `{type(node).__name__.lower()}`; they only pick and arrange values", line
            )
        if isinstance(node, nodes.Call):
            _check_call(node)
        if isinstance(node, nodes.For) and node.recursive:
            raise BadTemplateError("loops cannot be recursive", line)
        if isinstance(node, nodes.Filter) and node.name not in ENVIRONMENT.filters:
            names = [name for name in ENVIRONMENT.filters if not name.startswith("_")]
            help_line = did_you_mean(node.name, names) or f"the filters are {listed(sorted(names))}"
            raise BadTemplateError(f"there is no filter `{node.name}`; {help_line}", line)
        name = node.name if isinstance(node, nodes.Name) else node.attr if isinstance(node, nodes.Getattr) else ""
        if name.startswith("_"):
            raise BadTemplateError(f"names in templates do not begin with an underscore: `{name}`", line)


def _parts(tree: nodes.Template) -> tuple[str | Field, ...] | None:
    """A template that only puts values into a text, as the parts of it."""
    found: list[str | Field] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            return None
        for part in node.nodes:
            path = _path(part)
            if isinstance(part, nodes.TemplateData):
                found.append(part.data)
            elif path is not None:
                found.append(Field(*path, part.lineno, guarded=False))
            else:
                return None
    return tuple(found)


def _check_call(node: nodes.Call) -> None:
    is_range = isinstance(node.node, nodes.Name) and node.node.name == "range"
    if not is_range or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise BadTemplateError(
            "templates call nothing but `range(...)`; a filter may do it: `{{ x | upper }}`", node.lineno
        )


def _guarded_subject(node: nodes.Node) -> nodes.Node | None:
    """The value whose absence the node itself answers for: `x | default(...)`, `x is defined`."""
    if isinstance(node, nodes.Filter | nodes.Test) and node.name in {"d", "default", "defined", "undefined"}:
        return node.node
    return None


def _path(node: nodes.Node) -> tuple[str, str | None] | None:
    """The root and the dotted path of `a.b["c"].d`; None when a part is computed or the root is no name."""
    parts: list[str] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
            node = node.node
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            parts.append(str(node.arg.value))
            node = node.node
        else:
            return None
    return node.name, ".".join(reversed(parts)) or None


class _Limited(NodeTransformer):
    """Puts the limits into the tree: loops count their steps, `~` joins through the filter that minds its size."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - the visitor's naming
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, STEPS, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - the visitor's naming
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


def _reason(error: BaseException) -> str:
    """The library's words for people: no type names, one line."""
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
