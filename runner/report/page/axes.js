// What all charts share: their frame, their scales, what happened to the run on their time axis, and words at the pointer.

// A chart redraws itself for the width it has, so that its text is never scaled.
const fitting = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));

function fit(area) {
  const width = Math.round(area.clientWidth);
  if (!width || area.drawnAt === width) return;
  area.drawnAt = width;
  area.replaceChildren(area.draw(width));
}

function figure(title, words, draw, legend = []) {
  const area = el('div', { class: 'plot' });
  area.draw = draw;
  fitting.observe(area);
  return el('figure', { role: 'group', 'aria-label': `${title}. ${words}` },
    el('figcaption', {}, el('h2', {}, title), el('span', { class: 'words' }, words)),
    legend.length > 0 && el('div', { class: 'legend', 'aria-hidden': 'true' }, legend.map(([kind, text]) => el('span', { class: kind }, text))), area);
}

// Words beside the pointer, wherever in a long chart it is; without words they go away.
function tell(text, event) {
  const tip = $('#tip');
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = shown(text);
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = event.clientX + 14 + width > innerWidth - 8 ? event.clientX - width - 14 : event.clientX + 14;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${event.clientY - height - 12 < 8 ? event.clientY + 18 : event.clientY - height - 12}px`;
}

const M = { left: 52, right: 14, top: 18, bottom: 26 };

function ticks(high, count) {
  const rough = high / count;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, place) => place * step);
}

function timeTicks(span, count) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
  const step = steps.find((one) => span / one <= count) ?? 86400 * Math.ceil(span / 86400 / count);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, place) => place * step);
}

const axisTime = (seconds) => (seconds < 1 && seconds > 0 ? `${seconds.toFixed(1)}s` : duration(Math.round(seconds)).replace('.0s', 's').replace(' 00s', '').replace(' 00m', ''));

const spanOf = () => Math.max(page.run.span, ...page.credits.slice(-1).map((point) => point[0]), 1);

// Seconds of work from left to right.
function timeScale(width) {
  const span = spanOf();
  const wide = width - M.left - M.right;
  const x = (at) => M.left + (at / span) * wide;
  x.inverse = (px) => Math.max(0, Math.min(span, ((px - M.left) / wide) * span));
  return x;
}

function timeAxis(chart, width, height, x) {
  timeTicks(spanOf(), Math.max(2, Math.floor(width / 110))).forEach((at) => chart.append(
    svg('line', { class: 'grid', x1: x(at), x2: x(at), y1: M.top, y2: height - M.bottom }),
    svg('text', { class: 'tick', x: x(at), y: height - 8, 'text-anchor': 'middle' }, axisTime(at))));
  page.run.breaks.forEach(([at, length]) => chart.append(
    svg('line', { class: 'break', x1: x(at), x2: x(at), y1: M.top, y2: height - M.bottom }),
    svg('text', { class: 'tick', x: x(at) + 4, y: M.top + 9 }, `${duration(length)} later`)));
}

function valueAxis(chart, width, values, y) {
  values.forEach((value) => chart.append(
    svg('line', { class: 'grid', x1: M.left, x2: width - M.right, y1: y(value), y2: y(value) }),
    svg('text', { class: 'tick', x: M.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, number(value))));
}

// What happened to the run as a whole: what a person did to it, how its rates went, and the rest.
const noteKind = (note) => (note.steering ? 'steered' : note.name === 'rate' ? 'paced' : 'noted');
const NOTES = { steered: 'steered by a person', paced: 'rate changed', noted: 'noted' };
const MARK = 5; // half of a mark's width: so near is pointed at, and marks nearer than that are one

const noteLegend = () => Object.entries(NOTES).filter(([kind]) => page.notes.some((note) => noteKind(note) === kind)).map(([kind, words]) => [`mark ${kind}`, words]);

function noteMarks(chart, height, x) {
  const drawn = {};
  page.notes.forEach((note) => {
    const at = x(note.t);
    const kind = noteKind(note);
    if (at - (drawn[kind] ?? -Infinity) < 2) return;
    drawn[kind] = at;
    chart.append(svg('g', { class: `mark ${kind}` },
      svg('line', { x1: at, x2: at, y1: M.top - 4, y2: height - M.bottom }),
      svg('path', { d: `M${at - MARK} ${M.top - 13}h${2 * MARK}l${-MARK} 9z` })));
  });
}

// A hair under the pointer, with words for that moment and for what happened at it.
function pointing(chart, height, x, words) {
  const hair = svg('line', { class: 'hair', y1: M.top, y2: height - M.bottom, visibility: 'hidden' });
  chart.append(hair);
  chart.addEventListener('pointermove', (event) => {
    const px = event.clientX - chart.getBoundingClientRect().left;
    const at = x.inverse(px);
    hair.setAttribute('x1', x(at));
    hair.setAttribute('x2', x(at));
    hair.setAttribute('visibility', 'visible');
    const near = page.notes.filter((note) => Math.abs(x(note.t) - px) <= MARK).slice(0, 4).map((note) => `+${duration(note.t)} ${note.text}`);
    tell([words(at, event), ...near].filter(Boolean).join('\n'), event);
  });
  chart.addEventListener('pointerleave', () => { hair.setAttribute('visibility', 'hidden'); tell(''); });
}

function notes(told) {
  return el('section', { class: 'notes' }, el('h2', {}, 'What happened to the run'), el('ol', { tabindex: told.length > 8 ? '0' : null }, told.map((note) => el('li', {},
    el('i', { class: `mark ${noteKind(note)}`, title: NOTES[noteKind(note)] }), el('time', { title: moment(note.at) }, `+${duration(note.t)}`), el('span', {}, note.text)))));
}
