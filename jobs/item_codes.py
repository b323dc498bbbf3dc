"""The finding codes of everything that needs the catalogue, the data, the references or the expanded items."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ITEM_CODES"]

ITEM_CODES: Mapping[str, str] = MappingProxyType(
    {
        # --- models, params, options ---
        "missing-model": """\
A job names no model, and `defaults` has none either. Write `model: seedance-1-5-pro` into the job, or once into
`defaults`. `rivya-batch models` lists what there is.""",
        "unknown-model": """\
No model has this id. Ids are lowercase with dashes, such as `nano-banana-2`; `rivya-batch models` lists them.
If the service has just added the model, `rivya-batch models` with a key fetches the current list.""",
        "model-not-callable": """\
The service lists this model but does not let the API call it (coming soon, only in its own studio, or a chat
model). Every create would be refused, so none is sent. Choose another model of the same kind.""",
        "unknown-param": """\
The model has no param of this name. Names differ between siblings: `aspect_ratio` on one is `aspectRatio` on
the next. `rivya-batch models ID` lists a model's params; `options: {aspect: 16:9}` is spelled the same for all.
Where the model's documentation is incomplete this is a warning, and the param is sent as written.""",
        "missing-param": """\
The model does not work without this param, such as `voice` on speech models. Add it to the job's `params`;
`rivya-batch models ID` shows what it takes.""",
        "param-not-an-option": """\
The param is a choice, and the value is none of its options. Numbers and booleans may be written plainly (`8`,
`false`): they are sent as the text the model wants. Case counts: `512P` is not `512p`.""",
        "param-not-a-number": """\
The param is a number. Write it without a unit: `duration: 8`, not `duration: 8s`.""",
        "param-out-of-range": """\
The number lies outside what the model documents. Nothing is clamped silently, because a clamped value is a clip
you did not ask for. Choose a value in the range that the help line names.""",
        "param-off-step": """\
The model takes this number in steps only, such as 0.5 seconds, counted from its minimum. The help line names
the two nearest values.""",
        "param-not-text": """\
The param is free text, and the value is `true`, `false`, a list or a mapping. On some models `watermark` is a
switch and on others the words to print on the picture: `false` would be printed. Leave the param out, or quote
the words you mean.""",
        "param-too-long": """\
The text of a param has more than 20,000 characters, more than any model takes as its prompt. Shorten it.""",
        "param-structure": """\
The param is a list or an object, such as `dialogue: [{voice: Adam, text: Hello}]`, with something in it, of at
most 64 KiB and in plain JSON values. `rivya-batch models ID` shows its shape.""",
        "param-reference-items": """\
`referenceMediaItems` carries addresses of files that were uploaded a moment ago, so it cannot be written by
hand. Declare the file under `references:` and name it in the job: `references: [shoe]`. It is uploaded once and
filled in for you.""",
        "unknown-option": """\
There is no portable option of this name. The options are `aspect`, `duration`, `resolution`, `seed`, `sound`
and `format`; everything else is a model's own affair and belongs under `params`.""",
        "option-not-expressible": """\
The model has nothing to set for this option: it has one fixed duration, say, or no seed. An option is never
dropped silently, since the result would not be what you asked for. Take the option out for this model; if it
comes from `defaults`, write `duration: null` in the job.""",
        "option-value": """\
The model knows the option but not this value. The help line lists what it can express, in portable words.""",
        "option-and-param": """\
An option and a param set the same key of the model, such as `options.aspect` and `params.aspect_ratio`. Keep
one. To take back a default, write `null`: `options: {aspect: null}`.""",
        # --- templates ---
        "template-broken": """\
A template cannot be compiled: an unclosed `{{`, a filter that does not exist, or something templates cannot do
here. They pick values and arrange them: `{{ vars.style }}`, `{% if row.lead %}...{% endif %}`, `{{ row.tags |
join(", ") }}`. There are no calls but `range(...)`, no assignments, no includes. To write braces as text: `{%
raw %}{{ x }}{% endraw %}`.""",
        "template-failed": """\
A template could not be rendered with the values of an item: a column empty in one row, a list where text was
expected, a text growing past 40,000 characters. The message names the first item; look at its row, or say in
the template what to write instead: `{{ row.note | default("plain", true) }}`.""",
        "template-circle": """\
Vars are templates that may read each other, and these read each other in a circle. Write one of them out.""",
        "template-row": """\
`row` is what a data file gives, and this job has none. Add `data: {file: products.csv}` to the job, or use
`vars`.""",
        "template-ext": """\
`ext` stands for the extension of a result, which is known when the file is there. Only output names can use it.""",
        "unknown-variable": """\
A template reads `vars.NAME`, and nothing sets it: not `vars` at the top, not `defaults`, the job or its matrix,
not `--var`. Where a variable may be absent, say so: `{{ vars.style | default("plain") }}`.""",
        "unread-variable": """\
`--var NAME=VALUE` was given, but the manifest has no such variable and no template reads it; probably a slip in
its name. The run would be the same without it.""",
        "unknown-column": """\
The data file has no column of this name. Columns are the first line of a CSV, or the keys of the JSON lines;
case and spaces count: `{{ row["Unit price"] }}`.""",
        "unknown-field": """\
Templates know `run.date` and `run.id`, `item.key` and `item.index`, nothing else of a run or an item. The
edition is rendered first and knows `run.date` only.""",
        "axis-unused": """\
The matrix varies a variable that neither the prompt nor a tag, an output name, another variable or the report reads.
A warning: in `zip` it may be a mere label. In a `grid` every value would buy the same item again, which is an error of
its own. Use it, as in `prompt: "a shoe on {{ vars.surface }}"`, or take the axis out.""",
        "edition-unfit": """\
The rendered edition is longer than 100 characters or has a line break or an invisible character in it. It is
part of the run's id and of every listing: a date or a short word does.""",
        # --- data ---
        "data-format": """\
Tables are read as CSV (`.csv`) or JSON lines (`.jsonl`, `.ndjson`), told apart by the name. Save or export the table as
one of them; spreadsheets can write CSV, in UTF-8.""",
        "data-key-not-unique": """\
`data.key` names the column that tells rows apart, and two rows share a value or one has none. Give each row its
own, or choose another column. Without `key` rows are numbered.""",
        "data-no-rows": """\
After `where` and `limit` no row of the file is left for the job, so it makes no items. `where` compares text:
`true`, `1` and names are matched as they are written; a list means any of its values.""",
        # --- files ---
        "file-not-found": """\
A file that the manifest names is not there. Paths start at the manifest's own folder, not where the command
runs.""",
        "file-unreadable": """\
The file is there but cannot be read: its rights forbid it, or links lead in a circle.""",
        "not-a-file": """\
A path leads to a folder, a pipe, a socket or a device. Only ordinary files are read: a pipe would keep the run
waiting forever. For all pictures of a folder write a pattern: `{file: "shots/*.png"}`.""",
        "reference-not-found": """\
The file of a reference is not there. Paths start at the manifest's own folder, not where the command runs.""",
        "reference-unreadable": """\
The file of a reference cannot be read: its rights forbid it, or links lead in a circle.""",
        "reference-no-match": """\
A pattern such as `shots/*.png` matches no file. Patterns start at the manifest's own folder; `**` reaches into
folders. Files whose names begin with a dot are left out.""",
        "reference-too-many": """\
A pattern matches more than 1,000 files. No model takes more than 16 references, so it is wider than it was
meant.""",
        "reference-empty": """\
The file has no bytes in it; an export or a download failed, perhaps. Put the real file in its place.""",
        "reference-cut": """\
The file begins like media but ends before its content does, as after a broken copy. The model would see half a
picture, or the service would refuse it after the upload. Copy or export it again.""",
        "reference-changing": """\
The file grew or changed while it was hashed. An item is known by the content of its references, so it has to
hold still. Wait until whatever writes it is done, then check again.""",
        "reference-not-media": """\
The content is no image, video or audio, whatever the file is called. The service looks at the content as well.
Open the file once; pages, documents and vector drawings have to be exported as a picture first.""",
        "reference-too-large": """\
The file is larger than 128 MiB, a third more than any model is documented to take. It was not read.""",
        # --- references and their model ---
        "reference-not-taken": """\
The model works from text alone. Take `references` out of the job, or choose a model that takes them;
`rivya-batch models` shows which. If they come from `defaults`, write `references: []` in the job.""",
        "missing-reference": """\
The model cannot be called without a file. Declare it under `references:` and name it in the job.""",
        "reference-too-many-files": """\
The job gives the model more files than it takes. Order counts: on several models the second image is the last
frame of the clip. A pattern counts as many files as it matches.""",
        "reference-kind": """\
The model takes other kinds of files, images only for instance.""",
        "reference-type": """\
The model takes this kind of file, but not in this format. Convert it to one that the help line names. The
content counts, not the name: a PNG called `photo.jpg` is a PNG.""",
        "reference-size": """\
The file is larger than the model takes. Scale the picture down, or export the clip at a lower rate.""",
        "reference-mix": """\
Each file is fine, but not all of them together: some models take up to nine images, or one video with up to
five.""",
        # --- items ---
        "no-items": """\
Nothing is left to do: every job is disabled, or `where` and `exclude` leave no combination. A run of nothing is
more often a slip than a wish, so it is refused.""",
        "too-many-items": """\
The manifest asks for more items than a slip of the finger should be able to buy. They are counted before any is
made. Take values out of the matrix, draw a `sample: {count: 200}`, or say `--allow-large` if you mean it.""",
        "item-twice": """\
Two items are the same: model, prompt, params, references and edition are all equal, so the second would buy the
first once more. Both places are named. If you want several results of one prompt, say `repeat: 3`.""",
        "missing-prompt": """\
The model needs a prompt, and the job has none, or it is empty once rendered. Add `prompt: ...` to the job.""",
        "prompt-not-taken": """\
The model works without a prompt, and documents none. It is sent all the same, and may be ignored or refused.""",
        "prompt-too-long": """\
The rendered prompt is longer than the model takes. Characters are counted in the stricter of two ways, since
the service does not say which it uses: an emoji counts as two.""",
        "prompt-secret": """\
A rendered prompt, tag, edition or name holds what looks like a key or a token, from the data perhaps. It would
be sent, stored and shown. Take it out, and replace the key: whatever stood in a file may have been seen. The text
itself is not repeated here.""",
        "output-name": """\
An output name cannot be used everywhere: it is empty or absolute, climbs with `..`, has a character that some
system does not allow, a part that begins with a dot or a dash, is the name of a device, or is too long. Values
from rows and variables become safe slugs by themselves; what is written in the template is yours.""",
        "output-ext": """\
`{{ ext }}` stands for the extension and has to end the output name: `{{ row.sku }}{{ ext }}`. It can be left
out.""",
        "output-collision": """\
Two items would write the same file, or files that some systems take for one: `Shoe` and `shoe`, or two ways to
compose an accent. Use what tells the items apart: `{{ item.key }}`, a row's key, or the axes. Without `output`
names never collide.""",
        "item-over-budget": """\
The base price of an item is above `budget.per_item`, so it will be skipped. Raise `per_item`, or take the model
out.""",
        "budget-too-small": """\
Not even the cheapest item fits `budget.credits`: the run would stop before its first create.""",
    }
)
