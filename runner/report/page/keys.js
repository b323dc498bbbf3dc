// The keyboard: every key in one table, which is also the help.

const KEYS = [
  ['1 2 3 4', 'matrix, contact sheet, charts, trouble'],
  ['← ↑ ↓ →', 'move between cells'],
  ['j k', 'next, previous cell'],
  ['Space', 'play a clip; in the matrix its whole row in step'],
  ['Enter', 'enlarge; arrows go on from there, Esc goes back'],
  ['x', 'pick a cell, or take it off again'],
  ['.', 'next of several results at one place'],
  ['[ ]', 'previous, next page of the matrix'],
  ['t', 'swap across and down'],
  ['f', 'show cost and time'],
  ['+ −', 'larger, smaller'],
  ['/', 'find on the contact sheet'],
  ['p n', 'download picks.txt; the picks as the next manifest'],
  ['d', 'dark, light, or as the system says'],
  ['?', 'these keys'],
];

const cells = () => $$('.cell', $('main > section:not([hidden])'));
const focused = () => (document.activeElement?.closest?.('.cell') ?? null);

function focusPlace() {
  return cells().indexOf(focused());
}

function focusAt(place) {
  const all = cells();
  const cell = all[Math.max(0, Math.min(place, all.length - 1))];
  cell?.focus({ preventScroll: true });
  cell?.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
}

function move(across, down) {
  const from = focused();
  if (!from) { focusAt(0); return; }
  const row = from.parentElement;
  if (row.tagName === 'TR') {
    const place = [...row.children].indexOf(from) + across;
    let target = row;
    if (down > 0) { if (!row.nextElementSibling || row.nextElementSibling.classList.contains('end')) matrix.grown?.all(); target = row.nextElementSibling; }
    if (down < 0) target = row.previousElementSibling;
    const cell = target?.children[place];
    if (cell?.classList.contains('cell')) focusAt(cells().indexOf(cell));
    return;
  }
  const columns = getComputedStyle(row).gridTemplateColumns.split(' ').length;
  walk(across + down * columns);
}

function walk(by) {
  const from = focusPlace();
  const next = from < 0 ? 0 : from + by;
  if (!$('#view-sheet').hidden) sheet.grown?.upTo(next + 1);
  if (next >= 0) focusAt(next);
}

function playHere() {
  if (player.stop()) return;
  const cell = focused() ?? cells()[0];
  if (!cell) return;
  const row = cell.closest('tr');
  if (row) player.inStep($$('.stage', row));
  else player.inStep(stagesIn(cell));
}

const actions = {
  1: () => show('matrix'), 2: () => show('sheet'), 3: () => show('charts'), 4: () => show('trouble'),
  ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0), ArrowUp: () => move(0, -1), ArrowDown: () => move(0, 1),
  j: () => walk(1), k: () => walk(-1),
  ' ': playHere,
  Enter: () => { const cell = focused(); if (cell?.stack) openViewer(itemIn(cell), cell); },
  x: () => { const cell = focused(); if (cell?.stack) mark(itemIn(cell)); },
  '.': () => { const cell = focused(); if (cell?.stack) nextOf(cell); },
  '[': () => !$('#view-matrix').hidden && turnPage(-1), ']': () => !$('#view-matrix').hidden && turnPage(1),
  t: () => !$('#view-matrix').hidden && matrix.y !== null && place('x', matrix.y),
  f: () => toggleFacts(),
  '+': () => resize(1), '=': () => resize(1), '-': () => resize(-1),
  '/': () => { show('sheet'); $('#view-sheet input[type=search]').focus(); },
  p: () => marks.size && savePicks(),
  n: () => marks.size && openFollow(),
  d: nextTheme,
  '?': openHelp,
  Escape: () => player.stop(),
};

function typed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest?.('input:not([type=range]), select, textarea');
  if (field) { if (event.key === 'Escape') field.blur(); return; }
  if ($('#viewer').open) { inViewer(event); return; }
  if ($('dialog[open]')) return;
  const tab = event.target.closest?.('[role=tab]');
  if (tab && ['ArrowLeft', 'ArrowRight'].includes(event.key)) { event.preventDefault(); turnTab(event.key === 'ArrowRight' ? 1 : -1); return; }
  const onButton = event.target.closest?.('button, a, input, summary') && ['Enter', ' ', 'ArrowLeft', 'ArrowRight'].includes(event.key);
  const action = actions[event.key];
  if (!action || onButton) return;
  event.preventDefault();
  action();
}

function inViewer(event) {
  const media = event.target.closest('video, audio, input');
  const wanted = { ArrowRight: () => step(1), ArrowLeft: () => step(-1), j: () => step(1), k: () => step(-1), x: () => mark(viewer.item) }[event.key];
  if (!wanted || (media && event.key.startsWith('Arrow')) || !viewer.item) return;
  event.preventDefault();
  wanted();
}

function openHelp() {
  put($('#help'), el('div', { class: 'row' }, el('h2', {}, 'Keys'), el('span', { class: 'space' }), button('×', () => $('#help').close(), { 'aria-label': 'Close', class: 'quiet' })),
    el('dl', { class: 'keys' }, KEYS.map(([keys, does]) => [el('dt', {}, keys.split(' ').map((key) => el('kbd', {}, key))), el('dd', {}, does)])),
    el('p', { class: 'hint' }, 'A clip plays while you point at it, muted. Shift-click picks.'));
  $('#help').showModal();
}
