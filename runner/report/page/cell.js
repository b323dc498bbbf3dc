// A cell: what a person looks at, plays, marks and opens, in the matrix and on the contact sheet alike.

// `stack` are the items at one place (repeats); `against` is what a compare slider lays over it.
function cellOf(stack, { tag = 'td', against = null, caption = null } = {}) {
  const cell = el(tag, { class: 'cell', tabindex: '-1', role: tag === 'td' ? 'gridcell' : null });
  cell.stack = stack;
  cell.at = 0;
  cell.against = against;
  cell.caption = caption;
  showIn(cell);
  cell.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && player.point(stagesIn(cell)));
  cell.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && player.leave());
  cell.addEventListener('focus', () => player.point(stagesIn(cell)));
  cell.addEventListener('blur', () => player.leave());
  cell.addEventListener('click', (event) => clicked(cell, event));
  if (against) cell.addEventListener('pointermove', (event) => split(cell, event));
  return cell;
}

const itemIn = (cell) => {
  if (!cell.against) return cell.stack[cell.at];
  return splitOf(cell) >= 50 ? cell.stack[cell.at] : cell.against; // the side that shows more
};
const stagesIn = (cell) => $$('.stage', cell);

function showIn(cell) {
  const item = cell.stack[cell.at];
  cell.dataset.id = item.id;
  cell.dataset.state = toneOf(item);
  cell.classList.toggle('picked', marks.has(item.id));
  cell.setAttribute('aria-label', cell.against ? `${describe(item)}; against ${describe(cell.against)}` : describe(item));
  const frame = el('div', { class: 'frame' }, stageOf(item), cell.against && over(cell.against));
  if (cell.stack.length > 1) frame.append(el('span', { class: 'several', title: 'Next of several: .' }, `${cell.at + 1}/${cell.stack.length}`));
  frame.append(button('', (event) => { event.stopPropagation(); mark(itemIn(cell)); }, {
    class: 'pick', tabindex: '-1', 'aria-label': 'Pick', 'aria-pressed': String(marks.has(item.id)), title: 'Pick (x)',
  }));
  cell.classList.toggle('stacked', cell.stack.length > 1);
  put(cell, frame, el('div', { class: 'facts' }, facts(item)), cell.caption && el('div', { class: 'caption' }, cell.caption(item)));
}

function over(item) {
  const stage = stageOf(item);
  stage.classList.add('over');
  return stage;
}

const facts = (item) => [
  el('span', {}, cost(item)),
  item.made !== undefined && el('span', {}, duration(item.made)),
  item.attempts > 1 && el('span', {}, `bought ${item.attempts} times`),
];

function nextOf(cell, step = 1) {
  if (cell.stack.length < 2) return;
  cell.at = (cell.at + step + cell.stack.length) % cell.stack.length;
  showIn(cell);
  player.point(stagesIn(cell));
  say(describe(cell.stack[cell.at]));
}

function clicked(cell, event) {
  if (event.target.closest('.several')) nextOf(cell);
  else if (event.shiftKey) mark(itemIn(cell));
  else openViewer(itemIn(cell), cell);
}

function split(cell, event) {
  const box = $('.frame', cell).getBoundingClientRect();
  cell.style.setProperty('--split', `${Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * 100)}%`);
}

const splitOf = (cell) => parseFloat(getComputedStyle(cell).getPropertyValue('--split')) || 50;
