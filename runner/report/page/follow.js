// The next step as a manifest: the chosen cells, each as it was sent, with what a person wants different.
//
// Everything is written out (prompts as they were rendered, params as they were sent), so that it does not depend on the
// manifest it came from. Cells of one job that differ step together in a `zip`, which keeps their axes for the next page.

const follow = { name: '', budget: 0, repeat: 1, changes: {} };

// What a template would take for its own is written so that it comes out as it is.
const literal = (text) => text.replace(/\{(?=[{%#])/g, "{{ '{' }}");
// JSON is YAML, but for characters that YAML takes for line ends or refuses.
const yaml = (value) => JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
const mapping = (entries) => `{${entries.map(([name, value]) => `${yaml(name)}: ${Array.isArray(value) ? listing(value) : yaml(value)}`).join(', ')}}`;
const listing = (values) => `[${values.map((value) => (value !== null && typeof value === 'object' ? mapping(Object.entries(value)) : yaml(value))).join(', ')}]`;

const settings = () => {
  const found = new Map();
  for (const model of new Set(picked().map((item) => item.model))) {
    for (const param of page.models[model] ?? []) {
      const known = found.get(param.key) ?? { ...param, options: [] };
      known.options = [...new Set([...known.options, ...(param.options ?? [])])];
      found.set(param.key, known);
    }
  }
  return [...found.values()];
};

function changed(item) {
  const params = { ...paramsOf(item) };
  for (const spec of page.models[item.model] ?? []) {
    const wanted = follow.changes[spec.key];
    if (wanted === undefined || wanted === '' || (spec.options && !spec.options.includes(wanted))) continue;
    params[spec.key] = spec.options ? wanted : Number(wanted);
  }
  return params;
}

// Items that can share a job: the same keys to set, the same references.
function groups() {
  const found = new Map();
  const seen = new Set();
  for (const item of picked()) {
    const params = changed(item);
    const content = JSON.stringify([item.model, item.prompt, Object.entries(params).sort(), item.refs]);
    if (seen.has(content)) continue; // repeats of one cell are one cell
    seen.add(content);
    const plain = Object.entries(params).filter(([name, value]) => typeof value !== 'object' && /^[\w-]+$/.test(name));
    const fixed = Object.entries(params).filter(([name, value]) => !(typeof value !== 'object' && /^[\w-]+$/.test(name)));
    const alike = JSON.stringify([item.job, item.prompt === undefined, plain.map(([name]) => name).sort(), fixed, item.refs, Object.keys(item.vars ?? {})]);
    if (!found.has(alike)) found.set(alike, { job: item.job, refs: item.refs ?? [], fixed, rows: [] });
    const prompt = item.prompt === undefined ? [] : [['prompt', literal(promptOf(item))]];
    const vars = Object.entries(item.vars ?? {}).map(([name, value]) => [`vars.${name}`, typeof value === 'string' ? literal(value) : value]);
    found.get(alike).rows.push({
      item, values: new Map([['model', item.model], ...vars, ...prompt, ...plain.map(([name, value]) => [`params.${name}`, value])]),
    });
  }
  return [...found.values()];
}

function jobLines(group, id) {
  const { rows } = group;
  const names = [...rows[0].values.keys()];
  const varies = names.filter((name) => new Set(rows.map((row) => JSON.stringify(row.values.get(name)))).size > 1);
  const axes = varies.length ? names.filter((name) => varies.includes(name)) : [];
  const same = names.filter((name) => !axes.includes(name)).map((name) => [name, rows[0].values.get(name)]);
  const part = (prefix) => same.filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]);
  const params = [...part('params.'), ...group.fixed];
  const vars = axes.filter((name) => name.startsWith('vars.')).map((name) => `{{ ${name} }}`);
  const shared = (rows[0].item.tags ?? []).filter((tag) => rows.every((row) => (row.item.tags ?? []).includes(tag)));
  const tags = [...shared.map(literal), ...vars];
  const lines = [`  - id: ${yaml(id)}`];
  same.filter(([name]) => name === 'model' || name === 'prompt').forEach(([name, value]) => lines.push(`    ${name}: ${yaml(value)}`));
  if (params.length) lines.push(`    params: ${mapping(params)}`);
  const references = group.refs.map((digest) => page.references[digest]?.name);
  if (references.length) {
    if (references.every(Boolean)) lines.push(`    references: ${listing(references)}`);
    else lines.push(`    # lacking: ${plural(references.length, 'reference file')} it was made with; name them here: references: [...]`);
  }
  if (follow.repeat > 1) lines.push(`    repeat: ${follow.repeat}`);
  if (tags.length) lines.push(`    tags: ${listing(tags)}`);
  if (axes.length) {
    lines.push('    matrix:', '      zip:');
    axes.forEach((name) => {
      lines.push(`        ${yaml(name)}:`);
      rows.forEach((row) => lines.push(`          - ${yaml(row.values.get(name))}`));
    });
  }
  return lines;
}

function manifestText() {
  const made = groups();
  const taken = new Set();
  const lines = [];
  for (const group of made) {
    let id = group.job;
    for (let n = 2; taken.has(id); n += 1) id = `${group.job}-${n}`;
    taken.add(id);
    lines.push(...jobLines(group, id));
  }
  const used = [...new Set(made.flatMap((group) => group.refs))].map((digest) => page.references[digest]).filter(Boolean);
  const count = made.reduce((sum, group) => sum + group.rows.length, 0) * follow.repeat;
  return [
    `# ${plural(count, 'item')} chosen from the report of ${shown(page.run.id)}. Look at it first, and at what it would cost:`,
    `#   rivya-batch check ${follow.name}.yaml && rivya-batch plan ${follow.name}.yaml`,
    page.lacking && made.some((group) => group.refs.length) ? `# lacking: ${page.lacking}, so reference files are not named here` : null,
    'version: 1',
    `name: ${yaml(follow.name)}`,
    page.run.edition ? `edition: ${yaml(literal(page.run.edition))}` : null,
    `budget: {credits: ${follow.budget}}`,
    used.length ? 'references:' : null,
    ...used.map((reference) => `  ${yaml(reference.name)}: {file: ${yaml(reference.file)}}`),
    'jobs:',
    ...lines,
    '',
  ].filter((line) => line !== null).join('\n');
}

function openFollow() {
  player.stop();
  const chosen = picked();
  const spent = chosen.reduce((sum, item) => sum + (item.settled ?? 0), 0);
  Object.assign(follow, { name: `${page.run.name.slice(0, 58)}-picks`, budget: Math.max(10, spent * 2), repeat: 1, changes: {} });
  const preview = el('pre', { tabindex: '0', 'aria-label': 'The manifest' });
  const note = el('p', { class: 'hint' });
  const draw = () => {
    preview.textContent = shown(manifestText());
    const unable = Object.entries(follow.changes).filter(([, value]) => value !== '').map(([key, value]) => {
      const without = chosen.filter((item) => !(page.models[item.model] ?? []).some((param) => param.key === key && (!param.options || param.options.includes(value))));
      return without.length ? `${plural(without.length, 'pick')} cannot be ${key} ${value} and stay${without.length === 1 ? 's' : ''} as it was` : null;
    }).filter(Boolean);
    note.textContent = shown([`These ${chosen.length} cost ${credits(spent)} here; other settings may cost more, and the budget holds in any case.`, ...unable].join(' '));
  };
  const field = (text, input) => el('label', {}, el('span', {}, text), input);
  const set = (name, read) => (event) => { follow[name] = read(event.target.value); draw(); };
  const whole = (least) => (text) => Math.max(least, Math.floor(Number(text)) || least);
  put($('#follow'), el('form', { method: 'dialog' },
    el('div', { class: 'row' }, el('h2', {}, `Next: ${plural(chosen.length, 'pick')} as a manifest`), el('span', { class: 'space' }), button('×', () => $('#follow').close(), { 'aria-label': 'Close', class: 'quiet' })),
    el('div', { class: 'fields' },
      field('Name', el('input', { autofocus: true, value: follow.name, maxlength: 64, pattern: '[a-z0-9][a-z0-9-]*', required: true, 'data-field': 'name',
        input: set('name', (text) => text.toLowerCase().replace(/[^a-z0-9-]+/g, '-').replace(/^-+/, '') || 'picks') })),
      field('Budget, credits', el('input', { type: 'number', min: 0, value: follow.budget, 'data-field': 'budget', input: set('budget', whole(0)) })),
      field('Of each', el('input', { type: 'number', min: 1, max: 100, value: 1, 'data-field': 'repeat', input: set('repeat', whole(1)) })),
      settings().map((spec) => {
        const change = (value) => { follow.changes[spec.key] = value; draw(); };
        const input = spec.options.length
          ? select(spec.key, [['', 'as it was'], ...spec.options.map((option) => [option, option])], '', change)
          : el('input', { type: 'number', min: spec.min, max: spec.max, step: spec.step ?? 'any', placeholder: 'as it was', input: (event) => change(event.target.value) });
        input.dataset.change = spec.key;
        return field(spec.key, input);
      })),
    note, preview,
    el('div', { class: 'row' }, el('span', { class: 'space' }),
      button('Copy', () => copy(manifestText(), 'Manifest')),
      button('Download', () => { $('#follow').close(); download(`${follow.name}.yaml`, manifestText(), `rivya-batch plan ${follow.name}.yaml`); }, { class: 'primary', 'data-do': 'download' }))));
  draw();
  $('#follow').showModal();
}
