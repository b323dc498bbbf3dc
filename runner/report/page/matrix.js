// The matrix: any axis across, any down, a page for each value of the others, and two values laid over each other.

const matrix = { job: null, x: null, y: null, compare: null, pair: [0, 1], pages: new Map(), grown: null };

function startMatrix() {
  const withAxes = page.jobs.filter((job) => job.axes.length);
  const first = withAxes.sort((one, other) => other.axes.length - one.axes.length)[0] ?? page.jobs[0];
  if (first) chooseJob(page.jobs.find((job) => job.axes.length)?.id ?? first.id, false);
  listeners.add(refreshMatrix);
}

function chooseJob(id, draw = true) {
  const job = jobs.get(id);
  Object.assign(matrix, { job: id, x: job.layout.x, y: job.layout.y, compare: job.layout.compare, pair: [0, 1] });
  matrix.pages = new Map(job.axes.map((_, axis) => [axis, 0]));
  if (draw) drawMatrix();
}

const pageAxes = (job) => job.axes.map((_, axis) => axis).filter((axis) => ![matrix.x, matrix.y, matrix.compare].includes(axis));

// Put an axis somewhere; whichever was there goes where this one came from.
function place(role, axis) {
  const before = matrix[role];
  for (const other of ['x', 'y', 'compare']) if (axis !== null && matrix[other] === axis) matrix[other] = before;
  matrix[role] = axis;
  if (role === 'compare') matrix.pair = [0, 1];
  drawMatrix();
}

// The next axis that is free takes the place; the one there becomes a page.
function turn(role) {
  const job = jobs.get(matrix.job);
  const free = pageAxes(job);
  if (!free.length) return place('x', matrix.y);
  const after = free.find((axis) => axis > matrix[role]) ?? free[0];
  return place(role, after);
}

function drawMatrix() {
  const job = jobs.get(matrix.job);
  const view = $('#view-matrix');
  if (!job) return;
  const at = new Map(); // the places of all axes -> the items there
  job.items.forEach((item) => {
    const here = (item.axes ?? []).join();
    if (!at.has(here)) at.set(here, []);
    at.get(here).push(item);
  });
  matrix.at = at;
  put(view, matrixBar(job), pagesBar(job), matrix.y === null ? flow(job) : table(job));
  view.style.setProperty('--ratio', commonRatio(job.items));
}

function stackAt(job, places) {
  return matrix.at.get(job.axes.map((_, axis) => places.get(axis) ?? '').join());
}

function places(x, y, compared = matrix.pair[0]) {
  const here = new Map(matrix.pages);
  if (matrix.x !== null) here.set(matrix.x, x);
  if (matrix.y !== null) here.set(matrix.y, y);
  if (matrix.compare !== null) here.set(matrix.compare, compared);
  return here;
}

function cellAt(job, x, y, tag, caption) {
  const stack = stackAt(job, places(x, y));
  const other = matrix.compare === null ? null : stackAt(job, places(x, y, matrix.pair[1]))?.[0];
  if (stack && other) return cellOf(stack, { tag, against: other, caption });
  if (stack ?? other) return cellOf(stack ?? [other], { tag, caption });
  return el(tag, { class: 'cell none', role: tag === 'td' ? 'gridcell' : null, 'aria-label': 'not in the manifest' },
    el('div', { class: 'frame' }, el('div', { class: 'reason idle' }, 'not in the manifest')));
}

function table(job) {
  const across = job.axes[matrix.x];
  const down = job.axes[matrix.y];
  const head = el('thead', {}, el('tr', {},
    el('th', { class: 'corner', scope: 'col' },
      axisName('x', `${short(across.name)} →`), axisName('y', `${short(down.name)} ↓`)),
    across.values.map((value) => el('th', { scope: 'col', title: value.text }, value.label))));
  const body = el('tbody');
  const made = el('table', { class: 'matrix', role: 'grid', 'aria-label': `${job.id}: ${short(across.name)} across, ${short(down.name)} down` }, head, body);
  const row = (y) => el('tr', {}, el('th', { scope: 'row', title: down.values[y].text }, el('span', {}, down.values[y].label)),
    across.values.map((_, x) => cellAt(job, x, y, 'td')));
  made.style.setProperty('--columns', across.values.length);
  matrix.grown = grow(body, down.values.length, row, Math.max(3, Math.ceil(150 / across.values.length)));
  const holder = el('div', { class: 'scroll fits' }, made);
  fitted.disconnect();
  [holder, made].forEach((one) => fitted.observe(one));
  return holder;
}

// While a table fits its window the page scrolls, and its heads stay; a wider one scrolls by itself.
const fitted = new ResizeObserver(() => {
  const made = $('table.matrix');
  if (made) made.parentElement.classList.toggle('fits', made.offsetWidth <= $('#main').clientWidth);
});

// One axis alone fills lines, like a text.
function flow(job) {
  const list = el('div', { class: 'flow cells' });
  const axis = matrix.x === null ? null : job.axes[matrix.x];
  const name = (x) => axis && axis.values[x].label;
  matrix.grown = grow(list, axis ? axis.values.length : 1, (x) => cellAt(job, x, null, 'div', () => [el('b', {}, name(x) ?? job.id)]), 120);
  return list;
}

const axisName = (role, text) => button(text, () => turn(role), { class: 'axis', title: 'Another axis here' });

function matrixBar(job) {
  const axes = job.axes.map((axis, number) => [number, short(axis.name)]);
  const choose = (role, empty) => select(
    { x: 'Across', y: 'Down', compare: 'Compare' }[role],
    empty ? [['', empty], ...axes] : axes, matrix[role] ?? '', (value) => place(role, value === '' ? null : Number(value)));
  return el('div', { class: 'bar' },
    page.jobs.length > 1 && el('label', {}, 'Job', select('Job', page.jobs.map((one) => [one.id, one.id]), job.id, (id) => chooseJob(id))),
    axes.length > 0 && el('label', {}, 'Across', choose('x')),
    axes.length > 1 && button('⇄', () => place('x', matrix.y), { class: 'quiet', 'aria-label': 'Swap across and down', title: 'Swap (t)', 'data-do': 'swap' }),
    axes.length > 1 && el('label', {}, 'Down', choose('y', 'nothing')),
    axes.length > 1 && el('label', {}, 'Compare', choose('compare', 'nothing')),
    matrix.compare !== null && comparePair(job),
    el('span', { class: 'space' }),
    el('label', { class: 'check' }, factsSwitch(), 'Cost and time'),
    el('label', { class: 'check' }, 'Size', sizeSlider()));
}

function comparePair(job) {
  const values = job.axes[matrix.compare].values.map((value, number) => [number, value.label]);
  const side = (number) => select(['Left', 'Right'][number], values, matrix.pair[number], (value) => { matrix.pair[number] = Number(value); drawMatrix(); });
  const all = el('input', { type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'Where all cells are divided', input: () => {
    $('#view-matrix').style.setProperty('--split', `${all.value}%`);
    $$('#view-matrix .cell').forEach((cell) => cell.style.removeProperty('--split'));
  } });
  return el('span', { class: 'pair' }, side(0), all, side(1));
}

function pagesBar(job) {
  return pageAxes(job).map((axis) => {
    const { name, values } = job.axes[axis];
    const go = (value) => { matrix.pages.set(axis, Number(value)); drawMatrix(); };
    const many = values.length > 8;
    return el('div', { class: 'pages', role: 'group', 'aria-label': short(name) }, el('span', { class: 'axis' }, short(name)),
      many ? select(short(name), values.map((value, number) => [number, value.label]), matrix.pages.get(axis), go)
        : values.map((value, number) => button(value.label, () => go(number), { class: 'page', title: value.text, 'aria-pressed': String(number === matrix.pages.get(axis)) })));
  });
}

function turnPage(step) {
  const job = jobs.get(matrix.job);
  const [axis] = pageAxes(job);
  if (axis === undefined) return;
  const count = job.axes[axis].values.length;
  matrix.pages.set(axis, (matrix.pages.get(axis) + step + count) % count);
  const here = focusPlace();
  drawMatrix();
  focusAt(here);
  say(`${short(job.axes[axis].name)} ${label(job, axis, matrix.pages.get(axis))}`);
}

function refreshMatrix(changed) {
  if (!changed) { chooseJob(jobs.has(matrix.job) ? matrix.job : page.jobs[0]?.id); return; }
  $$('#view-matrix .cell[data-id]').filter((cell) => cell.stack.some((item) => changed.has(item.id))).forEach(showIn);
}
