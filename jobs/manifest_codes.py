"""The finding codes of everything that the manifest's and the data files' own text shows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MANIFEST_CODES"]

MANIFEST_CODES: Mapping[str, str] = MappingProxyType(
    {
        # --- the file ---
        "not-utf8": """\
A manifest or data file holds bytes that are not UTF-8. A guess at the encoding could change a prompt, so none is
made. Save the file as UTF-8; spreadsheets offer "CSV UTF-8", editors "Save with encoding".""",
        "byte-order-mark": """\
The manifest starts with U+FEFF, an invisible character some editors put first. Save it as UTF-8 without BOM. Data
files may start with one, because spreadsheets insist on it.""",
        "control-character": """\
The text holds a character that no key types: a NUL, an escape, half of a surrogate pair. It would travel into
prompts and steer terminals. Take it out; `\\n` and `\\t` are the only escapes of this kind a text may hold.""",
        "file-too-large": """\
A manifest has at most 4 MiB of text, some 25,000 jobs. A list of that length is data: put it into a CSV or JSON
lines file and let one job read it, `data: {file: products.csv}`.""",
        "empty-file": """\
There is nothing in the file but blanks and comments. `rivya-batch init` writes a manifest to start from.""",
        # --- YAML ---
        "yaml-syntax": """\
The text stops being YAML at this place, so nothing after it could be read; mend it and check again. The usual
reasons are a line that is indented differently from its neighbours, and a text with `: ` in it that needs quotes:
`prompt: "Style: noir"`.""",
        "tab-indent": """\
YAML indents with spaces only. Replace the tab by spaces; most editors have a command for the whole file.""",
        "unclosed-quote": """\
A `'` or `"` opens a text, and no second one ends it; everything up to the end of the file would be part of it.
Close it. For a text of several lines, `prompt: |` with the lines indented below needs no quotes.""",
        "text-after-quote": """\
A quoted text ended, and more follows on the line. Quote the whole: `'it''s late'` (two single quotes are one) or
`"it's late"`.""",
        "unclosed-bracket": """\
A `[` or `{` has no partner, or a comma is missing between two entries inside. Write `[a, b]` and `{a: 1, b: 2}`.""",
        "bad-escape": """\
Inside double quotes a backslash starts an escape, and this one does not exist. Write `\\\\` for a backslash, or use
single quotes, in which a backslash is a backslash.""",
        "unquoted-template": """\
A text that starts with `{{` looks to YAML like a mapping in a mapping. Quote it:
`prompt: "{{ vars.subject }} at dusk"`. Templates further inside a text need no quotes.""",
        "duplicate-key": """\
The same key stands twice in one mapping. YAML readers silently keep the last one, and half of your settings would
be gone. Keep one. To vary a value, make it an axis: `matrix: {grid: {params.duration: [4, 8]}}`.""",
        "key-not-text": """\
Keys are names, so they must be text. `8:`, `true:` and `null:` are read as a number, a truth value and nothing;
write `"8":` if that is the name.""",
        "custom-tag": """\
`!name` marks a value for some program to build into something else; here nothing is built from text. Take the tag
out. If the text itself starts with `!`, quote it.""",
        "several-documents": """\
A line `---` starts a second document. One file is one run, with one budget and one name: move the second one to a
file of its own.""",
        "duplicate-anchor": """\
The anchor `&name` is defined twice, so what `*name` means depends on where it stands. Give each its own name.""",
        "unknown-alias": """\
`*name` repeats what was anchored with `&name` further up, and there is no such anchor. If the text itself starts
with a star, as a glob does, quote it: `file: "*.png"`.""",
        "alias-cycle": """\
The alias stands inside what it repeats, so writing it out would never end. Move the anchor to the part that is
meant.""",
        "bad-merge": """\
`<<: *name` takes the keys of an anchored mapping into this one. It was given something that has no keys. Several
mappings are merged with `<<: [*a, *b]`; the first one wins.""",
        "too-many-values": """\
With every alias written out the file holds more than a million values. A few lines of aliases of aliases can do
that, by accident or on purpose. Write less often `*name`, or move lists to a data file.""",
        "too-deep": """\
Values are nested more than 64 levels deep; a manifest needs about ten. Look for a bracket too many or aliases that
contain each other.""",
        "integer-too-large": """\
Beyond 9,007,199,254,740,991 whole numbers are no longer exact in JSON, so what arrives would not be what you wrote.
An order number or a code is text: quote it.""",
        "not-finite": """\
Infinity and "not a number" cannot be sent as JSON, and nothing here could mean them. If the word itself is meant,
quote it: `".inf"`.""",
        # --- the shape ---
        "not-a-mapping": """\
A manifest is a mapping: `version: 1`, `name: ...`, `jobs: ...`, each on its own line. This file is a list or a
single text.""",
        "missing-version": """\
Every manifest says which version of the format it is written in, so that later programs read it as it was meant.
Put `version: 1` first.""",
        "bad-version": """\
The version is the whole number 1, without quotes: `version: 1`.""",
        "newer-version": """\
The manifest was written for a newer rivya-batch. Reading it anyway could buy something else than it says. Upgrade
the program.""",
        "unknown-key": """\
Nothing of this name exists at this place. Unknown keys are refused because a misspelt `budget` would be a run
without one. The model's own parameters go under `params:`, free space for anchors is any key at the top that starts
with `x-`.""",
        "missing-key": """\
A key that must be there is not. A manifest has `version`, `name` and `jobs`; a job has an `id`; a reference, a data
table and a prompt file have `file`.""",
        "wrong-type": """\
The value is of another kind than the key takes. The usual reasons: a number where text is wanted (`"8"`), a word
where `true` or `false` is wanted (`no` and `yes` are text in YAML 1.2), a single value where a list is wanted
(`[fox]`).""",
        "empty-text": """\
The key has a text without characters. Write something, or leave the key out.""",
        "empty-list": """\
The list has no entries, and an empty one means nothing here. Give it one, or leave the key out.""",
        "unknown-choice": """\
The key takes one of a few words, and this is none of them. The help line names them.""",
        "number-out-of-range": """\
The number is smaller or larger than makes sense. The bounds catch slips of the finger: a negative budget, a repeat
of 0, a billion credits.""",
        "bad-name": """\
The name becomes a folder and a part of commands, so it has lowercase letters, digits and `-`, starts with a letter
or a digit, and has at most 64 characters: `sneaker-reveal`. Say the rest in `description`.""",
        "no-jobs": """\
`jobs` is empty, so there is nothing to do. A job needs an id, a model and a prompt:
`- {id: cover, model: z-image, prompt: a paper city}`.""",
        # --- rules ---
        "bad-rate": """\
A rate is a whole number per second, minute or hour: `5/s`, `60/min`, `500/h`. For less than one per second use a
longer unit. More than `10000/s` is refused as a slip.""",
        "bad-duration": """\
A duration is a number with a unit: `500ms`, `2s`, `20m`, `1h30m`, larger units first. Each limit has bounds that
the help line names.""",
        "timeout-before-poll": """\
An item would be given up before it is asked for the first time, so none could succeed. Raise `limits.timeout` or
lower `limits.first_poll`.""",
        "per-item-above-budget": """\
No item can cost more than the whole budget, so this `per_item` never stops anything. A warning; lower it or take
it out.""",
        "bad-job-id": """\
Job ids appear in item keys, file names and patterns (`--select 'cover/*'`). They have letters, digits, `-`, `_` and
`.`, and at most 64 characters.""",
        "duplicate-job-id": """\
Two jobs have the same id, and nobody could tell their items apart. Rename one; the name has no influence on what is
bought.""",
        "unknown-reference": """\
A job or an axis names a reference that is not declared. Declare it at the top, `references: {fox: {file: fox.png}}`,
and name it in the job, `references: [fox]`.""",
        "unused-reference": """\
A file is declared and no job uses it. A warning: it is not uploaded. Usually a job's `references: [...]` was
forgotten.""",
        "bad-reference-name": """\
Names of references have letters, digits, `-`, `_` and `.`. The file itself may be called anything.""",
        "reference-url": """\
References are local files; they are hashed, so that a changed picture is a new item, and uploaded once. Download
the file and name it: `{file: assets/fox.png}`.""",
        "bad-var-name": """\
Templates read vars as `{{ vars.name }}`, so a name has letters, digits and `_` and starts with no digit:
`look_dark`, since `vars.look-dark` would be a subtraction.""",
        "template-not-allowed": """\
Templates fill prompts, vars, tags, output names and the edition. Models, params, files and names are plain, so that
what a manifest buys can be read without running it, and nothing with braces is sent to a model by mistake. Let an axis
choose: `matrix: {grid: {model: [a, b]}}`.""",
        "bad-output-dir": """\
Results go to a folder, or with the extra `rivya-batch[s3]` to `s3://bucket/prefix`. The bucket's name is as S3 has it:
3 to 63 lowercase letters, digits, dots and dashes. Keys do not belong here: they come from AWS's own variables or
profile. Other stores that speak S3 are reached by AWS_ENDPOINT_URL.""",
        "bad-url": """\
Notifications go to `https://` addresses (plain http only to this machine). Names and passwords in an address would
end up in logs, so they are refused. Other schemes (`slack://`, `mailto://`) are services that the extra
`rivya-batch[notify]` knows; those that post to any address (`json://`, `form://`, `xml://`) are not taken.""",
        "notify-incomplete": """\
`notify` needs both: `on`, the events to tell (`finished`, `failed`, `budget`, `attention`), and `urls`, whom to tell.
With one of them nobody is told, which is found out on the first bad night.""",
        "notify-extra": """\
An address that is not `https://` belongs to a chat or mail service, and those are reached by a library that is not
installed here. Install it with `pip install 'rivya-batch[notify]'`. The run works without; nobody is told.""",
        "notify-unknown": """\
The library for chat and mail services cannot read this address: the scheme is misspelt, or a part is missing. The
address is not shown, because tokens stand in it. See the library's own list of services for how each is written.""",
        "notify-refused": """\
Notifications go to public hosts, over https and its usual port, or to this machine. An address in a private network
or with another port is refused when it is to be told, so nobody would hear of a bad night.""",
        "secret-in-manifest": """\
Something here looks like a key or a password. Manifests are committed, shared and shown in reports; consider the
key lost and replace it. Keys come from `RIVYA_API_KEY` or `RIVYA_API_KEY_FILE`, never from a manifest.""",
        # --- matrices ---
        "bad-axis-name": """\
An axis is named by what it replaces: `prompt`, `model`, `params.NAME`, `options.NAME`, `vars.NAME`, or
`references.0` for the first reference. A bare `duration` could mean two things: write `options.duration`.""",
        "axis-twice": """\
The axis stands in `grid` and in `zip`. It can turn on its own or step with others, not both.""",
        "too-many-axes": """\
A matrix has at most 16 axes; with two values each that is 65,536 combinations already. List the combinations you
want in a data file instead.""",
        "empty-axis": """\
An axis without values would multiply everything by zero. Give it values, or take it out.""",
        "axis-too-long": """\
An axis has at most 10,000 values. Use a wider step, or a data file for long lists.""",
        "bad-axis-value": """\
The values of `prompt`, `model` and `references.N` are texts. Quote a number that is meant as one.""",
        "axis-value-twice": """\
A grid axis has the same value twice, so every combination would be bought twice. To buy the same thing several
times on purpose, use `repeat`.""",
        "step-zero": """\
With a step of 0 a range never gets to its end. Leave `step` out to count by 1.""",
        "step-away": """\
The step leads away from `to`. Counting down needs a step below 0: `{from: 8, to: 2, step: -2}`.""",
        "unequal-zip": """\
Zipped axes step together: first with first, second with second. They need equally many values. An axis that should
meet every value of the others belongs into `grid`.""",
        "unknown-axis": """\
Something names an axis that the job does not have: an `exclude`, an `include`, the `report`, or a template's
`axis.NAME`. Axes are what stands under `grid` and `zip`.""",
        "exclude-matches-nothing": """\
An exclude that matches no combination is usually a slip, and would let through what you meant to leave out. Values
must be written as the axis has them: `8` is not `"8"`. Zipped values must stand at the same step.""",
        "empty-exclude": """\
An exclude without axes matches every combination, so nothing would be left.""",
        "incomplete-include": """\
An include adds one whole combination, so it names every axis of the matrix. (In some other tools it extends
existing combinations; here it never does.)""",
        "sample-takes-all": """\
The sample is as large as what it is drawn from. A warning: nothing is left out.""",
        "prompt-list-and-axis": """\
The job's `prompt` is a list, and an axis replaces the prompt, so each text of the list would be thrown away. Keep
one of the two.""",
        "reference-gap": """\
`references.2` is the third reference, and the job has fewer than two before it. Places count from 0. Name the
others in the job's `references`, or lower the number.""",
        "report-axis-twice": """\
The report lays one axis out in two directions, so most cells would be empty. Use each axis once.""",
        # --- data files ---
        "bad-csv": """\
The file stops being CSV here: a quote is not closed, or text follows a closing quote. Inside quotes, `""` is one
quote.""",
        "csv-separator": """\
The columns are separated by semicolons or tabs, as some spreadsheets do by default. Save the table with commas; a
guess would go wrong on the first text with a semicolon in it.""",
        "ragged-row": """\
A row has more or fewer values than the header, so its values may stand under the wrong names. Usually a value
with a comma needs quotes: `"red, blue"`.""",
        "duplicate-column": """\
Two columns have the same name, and `row.NAME` could mean either. Rename one.""",
        "empty-column": """\
A column has no name, so no template can read it. Name it, or delete it; a comma at the end of the header makes an
empty column.""",
        "column-blanks": """\
A column's name starts or ends with blanks, so `row.NAME` would not find it. In CSV a blank beside a comma is part
of the value.""",
        "too-many-columns": """\
A table has at most 1,000 columns. Keep those that the job uses.""",
        "too-many-rows": """\
A data file has at most 100,000 rows. Split it and make one job for each part.""",
        "no-rows": """\
The data file has no rows, so its columns are unknown or there is nothing to make. A CSV needs a header and a row, a
JSON lines file one object.""",
        "bad-json": """\
In a JSON lines file each line is one JSON object of its own: names and texts in double quotes, no comma behind it,
no comments, no `NaN`. A file that is one big list needs one entry per line instead.""",
        "json-not-object": """\
A line of a JSON lines file is an object, `{"title": "Mug"}`, because templates read values by name.""",
        "duplicate-json-key": """\
A JSON object says the same key twice; most programs silently keep the last one. Keep one.""",
        "nested-value": """\
A row is flat: texts, numbers, `true`, `false`, `null`. Lift what is inside to the top: `"size_width": 40`.""",
    }
)
