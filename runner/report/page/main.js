// The head, the tabs, what holds for all views, and the start.

const views = {
  matrix: { name: 'Matrix', draw: drawMatrix },
  sheet: { name: 'Contact sheet', draw: drawSheet },
  charts: { name: 'Charts', draw: drawCharts, anew: true },
  trouble: { name: 'Trouble', draw: drawTrouble, anew: true },
};
let view = 'matrix';
const drawn = new Set();

const SAID = { alive: ['running', 'busy'], died: ['died', 'bad'], ended: ['finished', 'good'] };
const ENDS = { 3: ['finished, some failed', 'doubt'], 4: ['stopped: the key was refused', 'bad'], 5: ['stopped by the budget', 'doubt'], 7: ['needs a person', 'doubt'], 8: ['service out of reach', 'doubt'], 9: ['ledger or disk trouble', 'bad'], 130: ['interrupted', 'doubt'], 143: ['interrupted', 'doubt'], 1: ['stopped by a fault', 'bad'] };

function drawHead() {
  const { run } = page;
  const done = run.counts.succeeded ?? 0;
  const bad = items.filter(isTrouble).length;
  const [word, tone] = run.state === 'ended' ? ENDS[run.exit] ?? SAID.ended : SAID[run.state];
  const making = page.times.map((one) => one.making).filter(Boolean);
  const facts = [
    [`${number(done)} of ${number(run.items)}`, 'done'],
    bad ? [number(bad), bad === 1 ? 'needs a look' : 'need a look', 'bad'] : null,
    run.cap === null ? [number(run.settled), 'credits spent'] : [number(run.settled), `of ${number(run.cap)} credits`],
    run.held ? [number(run.held), run.uncertain ? `held, ${run.uncertain === run.held ? 'all' : number(run.uncertain)} in doubt` : 'held'] : null,
    making.length === 1 ? [duration(making[0].median), 'median'] : null,
    [duration(run.span), run.lives > 1 ? `in ${run.lives} lives` : 'in all'],
  ].filter(Boolean);
  put($('#head'),
    el('div', { class: 'names' }, el('h1', {}, run.name), run.edition && el('span', { class: 'edition' }, run.edition),
      el('span', { class: `pill ${tone}`, title: run.state === 'died' ? 'Its process is gone. The same run command goes on; nothing is bought twice.' : null }, word),
      page.live && el('span', { class: 'feed' }, el('i'), el('span', { class: 'on' }, 'live'), el('span', { class: 'off' }, 'not connected: this is as it was last seen')),
      el('span', { class: 'space' }),
      el('time', { class: 'hint' }, page.live ? '' : moment(run.made)),
      button('?', openHelp, { class: 'quiet', 'aria-label': 'Keys', title: 'Keys (?)' }),
      button('◐', nextTheme, { class: 'quiet', 'aria-label': 'Dark or light', title: 'Dark or light (d)' })),
    el('dl', { class: 'headline' }, facts.map(([value, name, tone_]) => el('div', { class: tone_ }, el('dd', {}, value), el('dt', {}, name)))),
    stateBar(run), run.state === 'died' && el('p', { class: 'told doubt' }, 'The process of this run is gone, and it did not say goodbye. The same run command goes on; nothing is bought twice.'));
}

function stateBar(run) {
  const bar = el('div', { class: 'states', role: 'img', 'aria-label': Object.entries(run.counts).map(([state, count]) => `${count} ${STATES[state].word}`).join(', ') });
  Object.keys(STATES).filter((state) => run.counts[state]).forEach((state) => {
    const part = el('i', { class: STATES[state].tone, title: `${number(run.counts[state])} ${STATES[state].word}` });
    part.style.setProperty('flex-grow', run.counts[state]);
    bar.append(part);
  });
  return bar;
}

function drawTabs() {
  const troubled = items.filter(isTrouble).length;
  put($('#tabs'), Object.entries(views).map(([name, { name: words }], place) => button(words, () => show(name), {
    role: 'tab', id: `tab-${name}`, 'aria-selected': String(name === view), tabindex: name === view ? '0' : '-1', 'aria-controls': `view-${name}`, title: `${words} (${place + 1})`,
    'data-count': name === 'trouble' && troubled ? number(troubled) : null,
  })));
}

function show(name) {
  view = name;
  player.stop();
  tell('');
  Object.keys(views).forEach((one) => {
    $(`#view-${one}`).hidden = one !== name;
    $(`#tab-${one}`)?.setAttribute('aria-selected', String(one === name));
    $(`#tab-${one}`)?.setAttribute('tabindex', one === name ? '0' : '-1');
  });
  if (views[name].anew || !drawn.has(name)) views[name].draw();
  drawn.add(name);
  tabStop(cells()[0]);
  try { history.replaceState(null, '', `#${name}`); } catch { /* a page from a mail has no history */ }
}

// Among tabs the arrows lead, as in every row of tabs.
function turnTab(by) {
  const names = Object.keys(views);
  const name = names[(names.indexOf(view) + by + names.length) % names.length];
  show(name);
  $(`#tab-${name}`).focus();
}

// One cell of a view can be reached by Tab; the arrows lead on from there.
function tabStop(cell) {
  $$('.cell[tabindex="0"]').forEach((one) => one.setAttribute('tabindex', '-1'));
  cell?.setAttribute('tabindex', '0');
}

function redrawView() {
  const section = $(`#view-${view}`);
  const selection = getSelection();
  if (!views[view].anew || (!selection.isCollapsed && section.contains(selection.anchorNode))) return; // somebody copies
  keepingFocus(section, views[view].draw);
}

const toggleFacts = () => setFacts(!document.body.classList.contains('with-facts'));
function setFacts(on) {
  document.body.classList.toggle('with-facts', on);
  $$('input[data-do=facts]').forEach((box) => { box.checked = on; });
}
const factsSwitch = () => el('input', { type: 'checkbox', 'data-do': 'facts', checked: document.body.classList.contains('with-facts'), change: (event) => setFacts(event.target.checked) });

let cellSize = matchMedia('(max-width: 600px)').matches ? 150 : 200;
function resize(by) {
  setSize(Math.min(520, Math.max(90, cellSize + by * 30)));
}
function setSize(pixels) {
  cellSize = pixels;
  document.documentElement.style.setProperty('--cell', `${pixels}px`);
  $$('input[data-do=size]').forEach((slider) => { slider.value = String(pixels); });
}
const sizeSlider = () => el('input', { type: 'range', min: 90, max: 520, value: cellSize, 'aria-label': 'Size of the cells', 'data-do': 'size', input: (event) => setSize(Number(event.target.value)) });

const THEMES = ['', 'dark', 'light'];
function nextTheme() {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? '') + 1) % THEMES.length]);
  say(document.documentElement.dataset.theme || 'as the system says');
}
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try { localStorage.setItem('rivya-batch-theme', theme); } catch { /* not kept */ }
}

// On paper there are no tabs and nothing is made later.
function drawAll() {
  Object.entries(views).forEach(([name, { draw, anew }]) => {
    $(`#view-${name}`).hidden = false;
    if (anew || !drawn.has(name)) draw();
    drawn.add(name);
  });
  matrix.grown?.all();
  sheet.grown?.all();
  $$('img[loading=lazy]').forEach((image) => { image.loading = 'eager'; });
}

function start() {
  document.body.classList.toggle('mixed', new Set(items.map((item) => kindOf(fileOf(item))).filter(Boolean)).size > 1);
  try { setTheme(localStorage.getItem('rivya-batch-theme') ?? ''); } catch { /* as the system says */ }
  setSize(cellSize);
  drawHead();
  drawTabs();
  startMatrix();
  startSheet();
  startViewer();
  const asked = location.hash.slice(1);
  show(views[asked] ? asked : page.jobs.some((job) => job.axes.length > 1) || items.length === 0 ? 'matrix' : 'sheet');
  drawTray();
  document.addEventListener('keydown', typed);
  document.addEventListener('focusin', (event) => event.target.matches('.cell') && tabStop(event.target));
  addEventListener('beforeprint', drawAll);
  addEventListener('afterprint', () => show(view));
  startLive();
}

start();
