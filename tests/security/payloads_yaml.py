"""Manifests that make other readers run out of memory, of stack, or of sense. Each must be refused."""

from __future__ import annotations

from typing import Final

__all__ = ["NOT_TEXT", "TRAPS", "UNBOUNDED"]

_HEAD: Final = "version: 1\nname: m\n"
_JOB: Final = "jobs:\n  - {id: j, model: z-image, prompt: a boat}\n"


def _laughs(levels: int, width: int = 9) -> str:
    lines = [f"x-0: &a0 [{', '.join(['lol'] * width)}]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def _map_laughs(levels: int) -> str:
    lines = ["x-0: &a0 {a: 1, b: 2}"]
    lines += [f"x-{n}: &a{n} {{a: *a{n - 1}, b: *a{n - 1}, c: *a{n - 1}}}" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def _merge_laughs(levels: int) -> str:
    lines = ["x-0: &a0 {" + ", ".join(f"k{n}: {n}" for n in range(200)) + "}"]
    lines += [f"x-{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 40)}]}}" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


# name -> the whole file
TRAPS: Final[dict[str, str | bytes]] = {
    # sizes
    "a billion laughs": _laughs(9) + _HEAD + _JOB,
    "a billion laughs at the end": _HEAD + _JOB + _laughs(12),
    "laughs with mappings": _map_laughs(24) + _HEAD + _JOB,
    "laughs in the vars": _laughs(9) + _HEAD + "vars: {a: *a8}\n" + _JOB,
    "laughs in the params": _laughs(9) + _HEAD + "jobs:\n  - {id: j, model: z-image, prompt: p, params: *a8}\n",
    "quadratic aliases": "x-a: &a [" + "1," * 20_000 + "]\nx-b: [" + "*a," * 5_000 + "]\n" + _HEAD + _JOB,
    "a long list, many aliases": f"x-a: &a [{'x' * 100_000}]\nx-b: [" + "*a," * 50_000 + "]\n" + _HEAD + _JOB,
    "a long text, many aliases": f"x-a: &a {'x ' * 50_000}\n" + _HEAD + "vars: {a: [" + "*a," * 50_000 + "]}\n" + _JOB,
    "a long prompt, many aliases": f"x-a: &a {'x ' * 50_000}\n"
    + _HEAD
    + "jobs:\n  - {id: j, model: z-image, prompt: ["
    + "*a," * 50_000
    + "]}\n",
    "beginnings of a key": _HEAD + f"vars: {{a: '{'eyJ-' * 500_000}'}}\nvar: 1\n" + _JOB,
    "a merge bomb": _merge_laughs(6) + _HEAD + _JOB,
    "an anchor in itself": "x-a: &a [*a]\n" + _HEAD + _JOB,
    "a mapping in itself": "x-a: &a {b: *a}\n" + _HEAD + _JOB,
    "a merge of itself": "x-a: &a {<<: *a, b: 1}\n" + _HEAD + _JOB,
    "two anchors in each other": "x-a: &a [&b [*a], *b]\n" + _HEAD + _JOB,
    "deep brackets": _HEAD + "vars: {a: " + "[" * 100_000 + "]" * 100_000 + "}\n" + _JOB,
    "deep brackets, never closed": _HEAD + "vars: {a: " + "[" * 500_000,
    "deep braces": _HEAD + "vars: " + "{a: " * 5_000 + "1" + "}" * 5_000 + "\n" + _JOB,
    "deep blocks": _HEAD + "vars:\n" + "".join(" " * n + "a:\n" for n in range(1, 1500)) + _JOB,
    "deep dashes": _HEAD + "vars:\n  a: " + "- " * 20_000 + "1\n" + _JOB,
    "deep question marks": _HEAD + "? " * 20_000 + "a\n",
    "too many values": "x-a: &a [" + "1," * 10_000 + "]\n" + _HEAD + "vars:\n  a: [" + "*a," * 200 + "]\n" + _JOB,
    "too many keys": _HEAD + "budget:\n" + "".join(f"  k{n}: 1\n" for n in range(20_000)) + _JOB,
    "over the size": _HEAD + _JOB + "# " + "x" * (4 * 1024 * 1024),
    "a number of 5,000 digits": _HEAD + "vars: {a: " + "9" * 5_000 + "}\n" + _JOB,
    "a number of 20 digits": _HEAD + "vars: {a: 99999999999999999999}\n" + _JOB,
    "a number beyond floats": _HEAD + "vars: {a: 1e999}\n" + _JOB,
    "not a number": _HEAD + "vars: {a: .nan}\n" + _JOB,
    "infinity": _HEAD + "vars: {a: .inf}\n" + _JOB,
    # tags
    "a python object": _HEAD + "vars: {a: !!python/object/apply:os.system ['touch pwned']}\n" + _JOB,
    "a python name": _HEAD + "vars: {a: !!python/name:os.system ''}\n" + _JOB,
    "a python module": _HEAD + "vars: {a: !!python/module:os ''}\n" + _JOB,
    "a python object, new": _HEAD + "vars: {a: !!python/object/new:type [x, [], {}]}\n" + _JOB,
    "a python tuple": _HEAD + "vars: {a: !!python/tuple [1]}\n" + _JOB,
    "a long tag": _HEAD + "vars: {a: !<tag:yaml.org,2002:python/object/apply:os.system> [id]}\n" + _JOB,
    "a tag by a handle": "%TAG !p! tag:yaml.org,2002:python/\n---\n"
    + _HEAD
    + "vars: {a: !p!name:os.system x}\n"
    + _JOB,
    "a java tag": _HEAD + "vars: {a: !!javax.script.ScriptEngineManager [x]}\n" + _JOB,
    "a ruby tag": _HEAD + "vars: {a: !ruby/object:Gem::Installer {i: x}}\n" + _JOB,
    "an environment tag": _HEAD + "vars: {a: !ENV RIVYA_API_KEY}\n" + _JOB,
    "an include tag": _HEAD + "vars: {a: !include /etc/passwd}\n" + _JOB,
    "binary": _HEAD + "vars: {a: !!binary aGVsbG8=}\n" + _JOB,
    "a set": _HEAD + "vars: {a: !!set {x, y}}\n" + _JOB,
    "an ordered map": _HEAD + "vars: {a: !!omap [x: 1]}\n" + _JOB,
    "a timestamp": _HEAD + "vars: {a: !!timestamp 2026-01-01}\n" + _JOB,
    "a tag of our own": _HEAD + "vars: {a: !secret x}\n" + _JOB,
    "a tag on the job": _HEAD + "jobs: !!python/list\n  - {id: j, model: z-image, prompt: p}\n",
    # keys
    "the budget twice": _HEAD + "budget: {credits: 1}\nbudget: {credits: 1000000}\n" + _JOB,
    "a key twice in a job": _HEAD + "jobs:\n  - {id: j, model: z-image, prompt: a, prompt: b}\n",
    "a key twice, once quoted": _HEAD + "budget: {credits: 1, 'credits': 2}\n" + _JOB,
    "a key twice by an escape": _HEAD + 'budget: {credits: 1, "\\x63redits": 2}\n' + _JOB,
    "a list as a key": _HEAD + "vars: {[a, b]: 1}\n" + _JOB,
    "a mapping as a key": _HEAD + "vars: {{a: b}: 1}\n" + _JOB,
    "null as a key": _HEAD + "vars: {null: 1}\n" + _JOB,
    "a number as a key": _HEAD + "1: 2\n" + _JOB,
    "true as a key": _HEAD + "true: 2\n" + _JOB,
    "an anchor as a key": "x-a: &name name\nversion: 1\n*name : evil\nname: m\n" + _JOB,
    "an unknown alias": _HEAD + "vars: *nowhere\n" + _JOB,
    "merging a text": _HEAD + "vars: {<<: text}\n" + _JOB,
    "merging a list of texts": _HEAD + "vars: {<<: [a, b]}\n" + _JOB,
    "an unknown key": _HEAD + "include: other.yaml\n" + _JOB,
    "a prototype": _HEAD + "__proto__: {budget: 1}\n" + _JOB,
    "a dunder": _HEAD + "__class__: x\n" + _JOB,
    # documents
    "two documents": _HEAD + _JOB + "---\n" + _HEAD + _JOB,
    "a second document after the end": _HEAD + _JOB + "...\n---\nbudget: {credits: 1}\n",
    "no document": "",
    "only a comment": "# nothing\n",
    "only a text": "just text\n",
    "only a list": "[1, 2]\n",
    "only null": "~\n",
    "YAML of another version": "%YAML 9.9\n---\n" + _HEAD + _JOB,
    # bytes
    "UTF-16, little end": (_HEAD + _JOB).encode("utf-16"),
    "UTF-16, big end": b"\xfe\xff" + (_HEAD + _JOB).encode("utf-16-be"),
    "UTF-32": (_HEAD + _JOB).encode("utf-32"),
    "UTF-7": b"+/v8-" + (_HEAD + _JOB).encode(),
    "Latin-1": (_HEAD + "description: sch\xf6n\n" + _JOB).encode("latin-1"),
    "overlong UTF-8": (_HEAD + "description: ").encode() + b"\xc0\xaf\n" + _JOB.encode(),
    "a surrogate in UTF-8": (_HEAD + "description: ").encode() + b"\xed\xa0\x80\n" + _JOB.encode(),
    "a byte order mark in the middle": _HEAD + "\ufeffbudget: {credits: 1}\n" + _JOB,
    "a zero byte": _HEAD + "description: a\x00b\n" + _JOB,
    "an escaped zero byte in the prompt": _HEAD + 'jobs:\n  - {id: j, model: z-image, prompt: "a\\0b"}\n',
    "an escape sequence": _HEAD + "description: \x1b[2J\n" + _JOB,
    "a bell": _HEAD + "description: a\x07b\n" + _JOB,
    "a delete": _HEAD + "description: a\x7fb\n" + _JOB,
    "a control character of the second set": _HEAD + "description: a\x9bb\n" + _JOB,
    "half a surrogate pair, escaped": _HEAD + 'jobs:\n  - {id: j, model: z-image, prompt: "\\ud800"}\n',
    "a code point that is none": _HEAD + 'vars: {a: "\\U00110000"}\n' + _JOB,
    "a tab as indentation": _HEAD + "jobs:\n\t- {id: j}\n",
    "an executable": b"\x7fELF\x02\x01\x01" + bytes(200),
    "a zip": b"PK\x03\x04" + bytes(100),
    "a gzip": b"\x1f\x8b\x08" + bytes(100),
    "random bytes": bytes(range(256)),
    # broken syntax
    "a quote that never ends": _HEAD + 'description: "abc\n' + _JOB,
    "a flow that never ends": _HEAD + "vars: {a: [1, 2\n",
    "a backslash at nothing": _HEAD + 'vars: {a: "\\q"}\n' + _JOB,
    "a stray colon": _HEAD + "vars: a: b: c\n" + _JOB,
    "a percent alone": "%\n",
    "a directive without a document": "%YAML 1.2\n",
    "a block scalar gone wrong": _HEAD + "description: |99\n  a\n" + _JOB,
}

# Text is wanted, and something else stands there: each line replaces a line of a good manifest.
NOT_TEXT: Final[dict[str, str]] = {
    **{
        f"prompt: {value}": f"    prompt: {value}" for value in ("1", "1.5", "true", "{a: 1}", "0x1F", "[1]", "!!int 1")
    },
    **{f"id: {value}": f"    id: {value}" for value in ("1", "true", "null", "[a]", "{a: b}", "1e3")},
    **{f"model: {value}": f"    model: {value}" for value in ("1", "false", "[z-image, flux-2-pro]", "{id: z-image}")},
    **{f"tags: {value}": f"    tags: {value}" for value in ("[1]", "[null]", "[[a]]", "7", "{a: b}")},
    **{f"output.name: {value}": f"    output: {{name: {value}}}" for value in ("1", "true", "[a]", "{a: b}")},
    **{f"enabled: {value}": f"    enabled: {value}" for value in ("yes", "no", "on", "off", "y", "1", "'true'")},
    **{f"repeat: {value}": f"    repeat: {value}" for value in ("'2'", "1.5", "-1", "0", "1e9", "true", "[1]")},
}

# Small files that stand for enormous runs.
UNBOUNDED: Final[dict[str, str]] = {
    "a grid of a billion": "matrix: {grid: {vars.a: {from: 1, to: 1000, step: 1}, vars.b: {from: 1, to: 1000, step: 1},"
    " vars.c: {from: 1, to: 1000, step: 1}}}",
    "an axis without end": "matrix: {grid: {vars.a: {from: 0, to: 9007199254740991, step: 1}}}",
    "an axis of tiny steps": "matrix: {grid: {vars.a: {from: 0, to: 1, step: 0.0000000001}}}",
    "an axis that never arrives": "matrix: {grid: {vars.a: {from: 0, to: 10, step: -1}}}",
    "an axis of no steps": "matrix: {grid: {vars.a: {from: 0, to: 10, step: 0}}}",
    "a sample of a huge grid": "matrix: {grid: {vars.a: {from: 1, to: 9000000, step: 1},"
    " vars.b: {from: 1, to: 9000000, step: 1}}, sample: {count: 9000000, seed: 1}}",
    "a zip of unequal axes": "matrix: {zip: {vars.a: [1, 2], vars.b: {from: 1, to: 9000000, step: 1}}}",
    "a billion repeats": "repeat: 1000000000",
    "ten thousand repeats of a grid": "matrix: {grid: {vars.a: {from: 1, to: 100, step: 1}}}, repeat: 10000",
    "a prompt of a megabyte": f"prompt: {'x' * 1_000_000}",
    "a template of a megabyte": "prompt: '" + "{{ vars.a }}" * 90_000 + "'",
    "an output name of a megabyte": f"output: {{name: {'x' * 1_000_000}}}",
    "an output name of many folders": f"output: {{name: {'a/' * 2_000}a}}",
    "a tag of a megabyte": f"tags: [{'x' * 1_000_000}]",
    "an id of a megabyte": f"id: {'x' * 1_000_000}",
    "many tags": "tags: [" + ", ".join(f"t{n}" for n in range(20_000)) + "]",
    "many references": "references: [" + ", ".join(f"r{n}" for n in range(30_000)) + "]",
    "many prompts": "prompt: [" + ", ".join(f"p{n}" for n in range(30_000)) + "]",
}
