// Charts, drawn by hand: credits against the cap, what was going on when, how long the models took.

// A chart redraws itself for the width it has, so that its text is never scaled.
const fitting = new ResizeObserver((entries) => entries.forEach(({ target, contentRect }) => {
  if (contentRect.width && target.drawnAt !== Math.round(contentRect.width)) { target.drawnAt = Math.round(contentRect.width); target.draw(target.drawnAt); }
}));

function figure(title, words, draw, legend = []) {
  const area = el('div', { class: 'plot' });
  const hint = el('span', { class: 'hint', 'aria-hidden': 'true' });
  area.draw = (width) => area.replaceChildren(draw(width, (text) => { hint.textContent = shown(text ?? ''); }));
  fitting.observe(area);
  return el('figure', { role: 'group', 'aria-label': `${title}. ${words}` },
    el('figcaption', {}, el('h2', {}, title), el('span', { class: 'words' }, words), hint),
    legend.length > 0 && el('div', { class: 'legend', 'aria-hidden': 'true' }, legend.map(([kind, text]) => el('span', { class: kind }, text))), area);
}

const M = { left: 52, right: 14, top: 12, bottom: 26 };

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

function timeAxis(chart, width, height, span, x) {
  timeTicks(span, Math.max(2, Math.floor(width / 110))).forEach((at) => chart.append(
    svg('line', { class: 'grid', x1: x(at), x2: x(at), y1: M.top, y2: height - M.bottom }),
    svg('text', { class: 'tick', x: x(at), y: height - 8, 'text-anchor': 'middle' }, axisTime(at))));
  page.run.breaks.forEach(([at, length]) => chart.append(
    svg('line', { class: 'break', x1: x(at), x2: x(at), y1: M.top, y2: height - M.bottom }),
    svg('text', { class: 'tick', x: x(at) + 4, y: M.top + 9 }, `${duration(length)} later`)));
}

const spanOf = () => Math.max(page.run.span, ...page.credits.slice(-1).map((point) => point[0]), 1);

function burnDown() {
  const { cap, settled, held } = page.run;
  const left = (point) => (cap === null ? point[1] : cap - point[1]);
  const free = (point) => (cap === null ? point[1] + point[2] : cap - point[1] - point[2]);
  const words = cap === null ? `${credits(settled)} spent, ${number(held)} held; no cap.` : `${number(settled)} of ${credits(cap)} spent, ${number(held)} held, ${number(cap - settled - held)} left.`;
  const legend = [['solid', cap === null ? 'spent' : 'left'], ['dashed', cap === null ? 'with what is held' : 'less what is held'], ...(cap === null ? [] : [['capline', 'cap']])];
  return figure(cap === null ? 'Credits' : 'Credit burn-down', words, (width, tell) => {
    const height = 240;
    const span = spanOf();
    const points = [[0, 0, 0], ...page.credits, [span, settled, held]];
    const low = Math.min(0, ...points.map(free));
    const high = Math.max(cap ?? 0, ...points.map(free), ...points.map(left), 1) * 1.04;
    const x = (at) => M.left + (at / span) * (width - M.left - M.right);
    const y = (value) => height - M.bottom - ((value - low) / (high - low)) * (height - M.top - M.bottom);
    const path = (value) => points.map((point, place) => `${place ? `H${x(point[0]).toFixed(1)}V` : `M${x(0)} `}${y(value(point)).toFixed(1)}`).join('');
    const chart = svg('svg', { width, height, role: 'img', 'aria-label': words });
    ticks(high, 4).forEach((value) => chart.append(
      svg('line', { class: 'grid', x1: M.left, x2: width - M.right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'tick', x: M.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, number(value))));
    timeAxis(chart, width, height, span, x);
    if (cap !== null) chart.append(svg('line', { class: 'cap', x1: M.left, x2: width - M.right, y1: y(cap), y2: y(cap) }));
    const hair = svg('line', { class: 'hair', y1: M.top, y2: height - M.bottom, visibility: 'hidden' });
    chart.append(svg('path', { class: 'area', d: `${path(left)}V${y(0)}H${x(0)}Z` }), svg('path', { class: 'line held', d: path(free) }), svg('path', { class: 'line', d: path(left) }), hair);
    chart.addEventListener('pointermove', (event) => {
      const at = ((event.clientX - chart.getBoundingClientRect().left - M.left) / (width - M.left - M.right)) * span;
      const point = points.findLast((one) => one[0] <= at) ?? points[0];
      hair.setAttribute('x1', x(Math.max(0, Math.min(at, span))));
      hair.setAttribute('x2', x(Math.max(0, Math.min(at, span))));
      hair.setAttribute('visibility', 'visible');
      tell(`after ${duration(Math.max(0, at))}: ${number(point[1])} spent, ${number(point[2])} held`);
    });
    chart.addEventListener('pointerleave', () => { hair.setAttribute('visibility', 'hidden'); tell(''); });
    return chart;
  }, legend);
}

// The phases of an item, in seconds of work: [class, from, to].
function phases(item) {
  const [wanted, opened, accepted, finished, saved] = item.t ?? [];
  const until = (end, still) => end ?? (still ? spanOf() : null);
  const busy = item.state === 'submitting' || item.state === 'accepted';
  return [
    ['waiting', wanted, until(opened, item.state === 'planned' && page.run.state === 'alive')],
    ['sending', opened, until(accepted ?? finished, item.state === 'submitting')],
    ['making', accepted, until(finished, busy)],
    ['saving', item.state === 'succeeded' ? finished : null, saved],
  ].filter(([, from, to]) => typeof from === 'number' && typeof to === 'number' && to >= from);
}

const PHASES = [['making', 'generating'], ['saving', 'saving'], ['sending', 'sending'], ['waiting', 'waiting']];
const ROWS_MAX = 160;

function crowd() {
  const words = `How many items were waiting, being generated and saved, over ${duration(spanOf())}.`;
  return figure('At work', words, (width, tell) => {
    const height = 200;
    const span = spanOf();
    const buckets = Math.max(40, Math.min(240, Math.floor(width / 5)));
    const sums = Object.fromEntries(PHASES.map(([name]) => [name, new Array(buckets + 1).fill(0)]));
    items.forEach((item) => phases(item).forEach(([name, from, to]) => {
      for (let b = Math.ceil((from / span) * buckets); b < Math.min(buckets + 1, (to / span) * buckets); b += 1) sums[name][b] += 1;
    }));
    const stacked = [];
    const base = new Array(buckets + 1).fill(0);
    PHASES.forEach(([name]) => {
      const lower = [...base];
      sums[name].forEach((count, b) => { base[b] += count; });
      stacked.push([name, lower, [...base]]);
    });
    const high = Math.max(1, ...base) * 1.04;
    const x = (at) => M.left + (at / span) * (width - M.left - M.right);
    const xb = (b) => x((b / buckets) * span).toFixed(1);
    const y = (value) => (height - M.bottom - (value / high) * (height - M.top - M.bottom)).toFixed(1);
    const chart = svg('svg', { width, height, role: 'img', 'aria-label': words });
    ticks(high, 3).forEach((value) => Number.isInteger(value) && chart.append(
      svg('line', { class: 'grid', x1: M.left, x2: width - M.right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'tick', x: M.left - 8, y: Number(y(value)) + 4, 'text-anchor': 'end' }, number(value))));
    timeAxis(chart, width, height, span, x);
    stacked.forEach(([name, lower, upper]) => chart.append(svg('path', { class: `phase ${name}`,
      d: `M${upper.map((value, b) => `${xb(b)} ${y(value)}`).join('L')}L${lower.map((value, b) => `${xb(b)} ${y(value)}`).reverse().join('L')}Z` })));
    chart.addEventListener('pointermove', (event) => {
      const b = Math.round(((event.clientX - chart.getBoundingClientRect().left - M.left) / (width - M.left - M.right)) * buckets);
      if (b >= 0 && b <= buckets) tell(`after ${duration((b / buckets) * span)}: ${PHASES.filter(([name]) => sums[name][b]).map(([name, word]) => `${sums[name][b]} ${word}`).join(', ') || 'nothing'}`);
    });
    chart.addEventListener('pointerleave', () => tell(''));
    return chart;
  }, PHASES.map(([name, word]) => [name, word]));
}

function timeline() {
  if (items.length > ROWS_MAX) return null;
  const rows = items.filter((item) => phases(item).length).sort((one, other) => (one.t[1] ?? one.t[0]) - (other.t[1] ?? other.t[0]));
  if (!rows.length) return null;
  return figure('Timeline', `A line for each item, in the order they were bought. A gap shows a limit, a long bar the model.`, (width, tell) => {
    const tall = rows.length > 60 ? 6 : 10;
    const height = rows.length * tall + M.top + M.bottom;
    const span = spanOf();
    const x = (at) => M.left + (at / span) * (width - M.left - M.right);
    const chart = svg('svg', { width, height, class: 'timeline', role: 'img', 'aria-label': `Timeline of ${plural(rows.length, 'item')}` });
    timeAxis(chart, width, height, span, x);
    rows.forEach((item, row) => {
      const top = M.top + row * tall;
      phases(item).forEach(([name, from, to]) => chart.append(svg('rect', { class: `phase ${name}`, x: x(from).toFixed(1), y: top + 1, width: Math.max(1, x(to) - x(from)).toFixed(1), height: tall - 2, rx: 1 })));
      if (item.error) chart.append(svg('circle', { class: STATES[item.state].tone, cx: x(item.t[3] ?? item.t[2] ?? item.t[1] ?? item.t[0]).toFixed(1), cy: top + tall / 2, r: 3 }));
    });
    const at = (event) => rows[Math.floor((event.clientY - chart.getBoundingClientRect().top - M.top) / tall)];
    chart.addEventListener('pointermove', (event) => { const item = at(event); if (item) tell(`${nameOf(item)}: ${phases(item).map(([name, from, to]) => `${name} ${duration(to - from)}`).join(', ')}`); });
    chart.addEventListener('pointerleave', () => tell(''));
    chart.addEventListener('click', (event) => { const item = at(event); if (item) openViewer(item, null); });
    return chart;
  });
}

function histogram(model, name, spread) {
  const words = `${plural(spread.count, 'item')}: half within ${duration(spread.median)}, 95 of 100 within ${duration(spread.p95)}.`;
  return figure(`${model}, ${name}`, words, (width, tell) => {
    const height = 130;
    const high = Math.max(...spread.bins);
    const wide = (width - M.left - M.right) / spread.bins.length;
    const range = spread.high - spread.low || 1;
    const x = (second) => M.left + ((second - spread.low) / range) * (width - M.left - M.right);
    const chart = svg('svg', { width, height, role: 'img', 'aria-label': words });
    const floor = height - M.bottom;
    spread.bins.forEach((count, bin) => {
      const tall = (count / high) * (floor - M.top);
      const bar = svg('rect', { class: 'bin', x: (M.left + bin * wide + 0.5).toFixed(1), y: (floor - tall).toFixed(1), width: Math.max(1, Math.min(wide - 1, 60)).toFixed(1), height: tall.toFixed(1) });
      bar.addEventListener('pointerenter', () => tell(`${plural(count, 'item')} between ${duration(spread.low + (bin * range) / spread.bins.length)} and ${duration(spread.low + ((bin + 1) * range) / spread.bins.length)}`));
      chart.append(bar);
    });
    chart.append(svg('line', { class: 'floor', x1: M.left, x2: width - M.right, y1: floor, y2: floor }));
    chart.append(svg('text', { class: 'tick', x: M.left - 8, y: M.top + 6, 'text-anchor': 'end' }, number(high)));
    if (spread.bins.length > 1) [['median', spread.median], ['p95', spread.p95]].forEach(([word, second]) => chart.append(
      svg('line', { class: `quantile ${word}`, x1: x(second), x2: x(second), y1: M.top - 6, y2: floor })));
    [[spread.low, 'start'], [spread.high, 'end']].forEach(([second, anchor]) => chart.append(svg('text', { class: 'tick', x: anchor === 'start' ? M.left : width - M.right, y: height - 8, 'text-anchor': anchor }, duration(second))));
    return chart;
  });
}

function drawCharts() {
  const across = page.times.reduce((sum, one) => sum + one.across, 0);
  put($('#view-charts'),
    burnDown(), crowd(), timeline(),
    el('div', { class: 'small-ones' }, page.times.flatMap((one) => [
      one.making && histogram(one.model, 'generating', one.making), one.waiting && histogram(one.model, 'waiting', one.waiting)])),
    across > 0 && el('p', { class: 'hint' }, `${plural(across, 'item')} went on in a later life and ${across === 1 ? 'is' : 'are'} not in these times.`),
    moneyTable('Credits by model', page.money.models), page.money.jobs.length > 1 && moneyTable('Credits by job', page.money.jobs));
}

function moneyTable(title, rows) {
  const most = Math.max(1, ...rows.map((row) => row.settled + row.held));
  return el('section', { class: 'money' }, el('h2', {}, title), el('div', { class: 'scroll' }, el('table', { class: 'plain' },
    el('thead', {}, el('tr', {}, ['', 'items', 'done', 'spent', 'held', 'each', 'on failures', ''].map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, rows.map((row) => {
      const bar = el('i', { class: 'meter' });
      bar.style.setProperty('--part', `${((row.settled + row.held) / most) * 100}%`);
      return el('tr', {}, el('th', { scope: 'row' }, row.name ?? 'no longer in the manifest'),
        [row.items, row.done, row.settled, row.held, row.done ? Math.round((row.settled - row.lost) / row.done) : null, row.lost].map((value) => el('td', {}, value === undefined || value === null ? '' : number(value))),
        el('td', { class: 'meters' }, bar));
    })))));
}
