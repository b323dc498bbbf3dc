// The contact sheet: every item, filtered and sorted.

const sheet = { states: new Set(), model: '', job: '', tag: '', text: '', sort: 'order', found: [], grown: null };

const SORTS = {
  order: ['in order', () => 0],
  cost: ['dearest first', (one, other) => (other.settled ?? 0) - (one.settled ?? 0)],
  time: ['slowest first', (one, other) => (other.made ?? -1) - (one.made ?? -1)],
  late: ['latest first', (one, other) => (other.t?.[3] ?? -1) - (one.t?.[3] ?? -1)],
};

const searched = new WeakMap();
function textOf(item) {
  if (!searched.has(item)) {
    const parts = [item.key, item.model, promptOf(item), JSON.stringify(paramsOf(item)), ...(item.tags ?? []), item.task, item.request, item.error?.code, item.error?.message];
    searched.set(item, parts.filter(Boolean).join('\n').toLowerCase());
  }
  return searched.get(item);
}

function meets(item) {
  return (!sheet.states.size || sheet.states.has(stateOf(item)))
    && (!sheet.model || item.model === sheet.model)
    && (!sheet.job || item.job === sheet.job)
    && (!sheet.tag || (sheet.tag === 'picked' ? marks.has(item.id) : (item.tags ?? []).includes(sheet.tag.slice(4))))
    && sheet.text.toLowerCase().split(/\s+/).every((word) => textOf(item).includes(word));
}

function startSheet() {
  put($('#view-sheet'), el('div', { class: 'bar' }), el('p', { class: 'count', role: 'status' }), el('ul', { class: 'cells flow' }));
  listeners.add(refreshSheet);
}

function drawSheet() {
  sheetBar();
  stateChips();
  fillSheet();
}

function fillSheet(atLeast = 0) {
  sheet.found = items.filter(meets).sort(SORTS[sheet.sort][1]);
  const view = $('#view-sheet');
  view.style.setProperty('--ratio', commonRatio(sheet.found));
  $('.count', view).textContent = sheet.found.length === items.length ? `${plural(items.length, 'item')}` : `${number(sheet.found.length)} of ${plural(items.length, 'item')}`;
  sheet.grown = grow($('.cells', view), sheet.found.length, (place) => cellOf([sheet.found[place]], {
    tag: 'li', caption: (item) => [el('b', {}, nameOf(item)), el('span', {}, item.model)],
  }), Math.max(120, atLeast));
}

// What tells an item from its neighbours: its places on the axes, or else its key.
function nameOf(item) {
  const job = jobs.get(item.job);
  const values = (item.axes ?? []).map((value, axis) => (value === null ? null : label(job, axis, value))).filter((value) => value !== null);
  if (!values.length) return item.key;
  return `${jobs.size > 1 ? `${item.job} / ` : ''}${values.join(' · ')}${item.repeat > 1 ? ` #${item.repeat}` : ''}`;
}

function sheetBar() {
  const set = (name) => (value) => { sheet[name] = value; fillSheet(); };
  const distinct = (values) => [...new Set(values)].sort();
  const choice = (name, any, values) =>
    values.length > 1 && select(any, [['', any], ...values.map((value) => [value, value])], sheet[name], set(name));
  const tags = distinct(items.flatMap((item) => item.tags ?? []));
  put($('#view-sheet .bar'),
    el('input', { type: 'search', placeholder: 'Find in prompts, keys, errors…  /', 'aria-label': 'Find', value: sheet.text, input: (event) => set('text')(event.target.value.trim()) }),
    el('span', { class: 'chips', role: 'group', 'aria-label': 'States' }),
    choice('job', 'All jobs', page.jobs.map((job) => job.id)),
    choice('model', 'All models', distinct(items.map((item) => item.model))),
    select('Tags', [['', 'All tags'], ['picked', '☑ picked'], ...tags.map((tag) => [`tag:${tag}`, tag])], sheet.tag, set('tag')),
    select('Order', Object.entries(SORTS).map(([name, [words]]) => [name, words]), sheet.sort, set('sort')),
    el('span', { class: 'space' }),
    el('label', { class: 'check' }, factsSwitch(), 'Cost and time'),
    el('label', { class: 'check' }, 'Size', sizeSlider()));
}

function stateChips() {
  const counts = new Map();
  items.forEach((item) => counts.set(stateOf(item), (counts.get(stateOf(item)) ?? 0) + 1));
  put($('#view-sheet .chips'), Object.keys(STATES).filter((state) => counts.has(state) || sheet.states.has(state)).map((state) =>
    button(`${STATES[state].word} ${number(counts.get(state) ?? 0)}`, (event) => {
      if (!sheet.states.delete(state)) sheet.states.add(state);
      event.target.setAttribute('aria-pressed', String(sheet.states.has(state)));
      fillSheet();
    }, { class: `chip ${STATES[state].tone}`, 'aria-pressed': String(sheet.states.has(state)), 'data-filter': state })));
}

// What has changed is shown in its place, unless it now belongs among the found, or no longer.
function refreshSheet(changed) {
  if (!drawn.has('sheet')) return;
  if (!changed) { keepingFocus($('#view-sheet .bar'), drawSheet); return; }
  items.forEach((item) => changed.has(item.id) && searched.delete(item));
  keepingFocus($('#view-sheet .chips'), stateChips);
  const found = items.filter(meets).sort(SORTS[sheet.sort][1]);
  if (found.length !== sheet.found.length || found.some((item, place) => item !== sheet.found[place])) {
    const here = focused()?.dataset.id;
    fillSheet($$('#view-sheet .cell').length);
    if (here) $$('#view-sheet .cell').find((cell) => cell.dataset.id === here)?.focus({ preventScroll: true });
    return;
  }
  $$('#view-sheet .cell').filter((cell) => changed.has(cell.dataset.id)).forEach(showIn);
}
