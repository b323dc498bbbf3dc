// Charts, drawn by hand: credits against the cap, what was going on when, how long the models took.

function burnDown() {
  const { cap, settled, held } = page.run;
  const capAt = (at) => (cap === null ? null : page.caps.findLast(([since]) => since <= at)?.[1] ?? cap);
  const left = ([at, spent]) => (cap === null ? spent : capAt(at) - spent);
  const free = ([at, spent, open]) => (cap === null ? spent + open : capAt(at) - spent - open);
  const words = cap === null ? `${credits(settled)} spent, ${number(held)} held; no cap.` : `${number(settled)} of ${credits(cap)} spent, ${number(held)} held, ${number(cap - settled - held)} left.`;
  const legend = [['solid', cap === null ? 'spent' : 'left'], ['dashed', cap === null ? 'with what is held' : 'less what is held'], ...(cap === null ? [] : [['capline', 'cap']]), ...noteLegend()];
  return figure(cap === null ? 'Credits' : 'Credit burn-down', words, (width) => {
    const height = 240;
    const booked = [[0, 0, 0], ...page.credits, [spanOf(), settled, held]];
    const whenBooked = (at) => booked.findLast((one) => one[0] <= at) ?? booked[0];
    const points = [...booked, ...page.caps.map(([at]) => [at, ...whenBooked(at).slice(1)])].sort((one, other) => one[0] - other[0]);
    const low = Math.min(0, ...points.map(free));
    const high = Math.max(...points.map(([at]) => capAt(at) ?? 0), ...points.map(free), ...points.map(left), 1) * 1.04;
    const x = timeScale(width);
    const y = (value) => height - M.bottom - ((value - low) / (high - low)) * (height - M.top - M.bottom);
    const path = (value) => points.map((point, place) => `${place ? `H${x(point[0]).toFixed(1)}V` : `M${x(0)} `}${y(value(point)).toFixed(1)}`).join('');
    const chart = svg('svg', { width, height, role: 'img', 'aria-label': words });
    valueAxis(chart, width, ticks(high, 4), y);
    timeAxis(chart, width, height, x);
    if (cap !== null) chart.append(svg('path', { class: 'cap', d: path(([at]) => capAt(at)) }));
    chart.append(svg('path', { class: 'area', d: `${path(left)}V${y(0)}H${x(0)}Z` }), svg('path', { class: 'line held', d: path(free) }), svg('path', { class: 'line', d: path(left) }));
    noteMarks(chart, height, x);
    pointing(chart, height, x, (at) => {
      const [, spent, open] = whenBooked(at);
      return `after ${duration(at)}: ${number(spent)} spent, ${number(open)} held${cap === null ? '' : ` of ${number(capAt(at))}`}`;
    });
    return chart;
  }, legend);
}

// The phases of an item, in seconds of work: [class, from, to, whether it still lasts].
function phases(item) {
  const [wanted, opened, accepted, finished, saved] = item.t ?? [];
  const lasting = (name, from, to, still) => [name, from, to ?? (still ? spanOf() : null), still && typeof to !== 'number'];
  return [
    lasting('waiting', wanted, opened, item.state === 'planned' && page.run.state === 'alive'),
    lasting('sending', opened, accepted ?? finished, item.state === 'submitting'),
    lasting('making', accepted, finished, item.state === 'submitting' || item.state === 'accepted'),
    lasting('saving', item.state === 'succeeded' ? finished : null, saved, false),
  ].filter(([, from, to]) => typeof from === 'number' && typeof to === 'number' && to >= from);
}

const PHASES = [['making', 'generating'], ['saving', 'saving'], ['sending', 'sending'], ['waiting', 'waiting']];
const BUCKETS = 240;
const DWARFED = 3; // when so many times more wait than are at work, what is at work would be a line on the floor

// How many items were in each phase at each of the moments.
function census() {
  const span = spanOf();
  const sums = Object.fromEntries(PHASES.map(([name]) => [name, new Array(BUCKETS + 2).fill(0)]));
  items.forEach((item) => phases(item).forEach(([name, from, to, still]) => {
    sums[name][Math.ceil((from / span) * BUCKETS)] += 1;
    sums[name][still ? BUCKETS + 1 : Math.ceil((to / span) * BUCKETS)] -= 1;
  }));
  Object.values(sums).forEach((sum) => sum.forEach((_, b) => { if (b) sum[b] += sum[b - 1]; }));
  return sums;
}

function crowd() {
  const sums = census();
  const moments = Array.from({ length: BUCKETS + 1 }, (_, b) => b);
  const busiest = Math.max(...moments.map((b) => PHASES.slice(0, 3).reduce((sum, [name]) => sum + sums[name][b], 0)));
  const waiting = Math.max(...sums.waiting);
  const isDwarfed = waiting > DWARFED * busiest && busiest > 0;
  const layers = PHASES.slice(0, isDwarfed ? 3 : 4);
  const words = `At most ${number(busiest)} at once, over ${duration(spanOf())}${isDwarfed ? `; up to ${number(waiting)} more waited for their turn` : ''}.`;
  return figure('At work', words, (width) => {
    const height = 200;
    const base = new Array(BUCKETS + 1).fill(0);
    const stacked = layers.map(([name]) => [name, [...base], moments.map((b) => { base[b] += sums[name][b]; return base[b]; })]);
    const high = Math.max(1, ...base) * 1.04;
    const x = timeScale(width);
    const xb = (b) => x((b / BUCKETS) * spanOf()).toFixed(1);
    const y = (value) => height - M.bottom - (value / high) * (height - M.top - M.bottom);
    const chart = svg('svg', { width, height, role: 'img', 'aria-label': words });
    valueAxis(chart, width, ticks(high, 3).filter(Number.isInteger), y);
    timeAxis(chart, width, height, x);
    const side = (line) => line.map((value, b) => `${xb(b)} ${y(value).toFixed(1)}`);
    stacked.forEach(([name, lower, upper]) => chart.append(svg('path', { class: `phase ${name}`, d: `M${side(upper).join('L')}L${side(lower).reverse().join('L')}Z` })));
    noteMarks(chart, height, x);
    pointing(chart, height, x, (at) => {
      const b = Math.round((at / spanOf()) * BUCKETS);
      return `after ${duration(at)}: ${PHASES.filter(([name]) => sums[name][b]).map(([name, word]) => `${number(sums[name][b])} ${word}`).join(', ') || 'nothing'}`;
    });
    return chart;
  }, [...layers, ...noteLegend()]);
}

const ROWS_MAX = 160;
const LANES_MAX = 200;
const LANED_MAX = 4000; // more bars than that are no picture, and slow

// One row for each item; of many items, one for each place in flight.
function timeline() {
  const known = items.map((item) => ({ item, parts: phases(item) })).filter(({ parts }) => parts.length).sort((one, other) => startOf(one.item) - startOf(other.item));
  if (!known.length || known.length > LANED_MAX) return null;
  const isLaned = known.length > ROWS_MAX;
  const rows = isLaned ? lanes(known) : known.map((one) => [one]);
  if (!rows || !rows.length) return null;
  const words = isLaned ? 'A line for each place in flight. A gap shows a limit, a long bar the model.' : 'A line for each item, in the order they were bought. A gap shows a limit, a long bar the model.';
  return figure('Timeline', words, (width) => {
    const tall = rows.length > 60 ? 6 : 10;
    const height = rows.length * tall + M.top + M.bottom;
    const x = timeScale(width);
    const chart = svg('svg', { width, height, class: 'timeline', role: 'img', 'aria-label': `Timeline of ${plural(known.length, 'item')}` });
    timeAxis(chart, width, height, x);
    rows.forEach((members, row) => members.forEach(({ item, parts }) => {
      const top = M.top + row * tall;
      parts.forEach(([name, from, to]) => chart.append(svg('rect', { class: `phase ${name}`, x: x(from).toFixed(1), y: top + 1, width: Math.max(1, x(to) - x(from)).toFixed(1), height: tall - 2, rx: 1 })));
      if (item.error) chart.append(svg('circle', { class: toneOf(item), cx: x(item.t[3] ?? item.t[2] ?? startOf(item)).toFixed(1), cy: top + tall / 2, r: 3 }));
    }));
    noteMarks(chart, height, x);
    const at = (event) => {
      const box = chart.getBoundingClientRect();
      const members = rows[Math.floor((event.clientY - box.top - M.top) / tall)] ?? [];
      const second = x.inverse(event.clientX - box.left);
      return members.length === 1 ? members[0] : members.findLast(({ parts }) => parts[0][1] <= second);
    };
    pointing(chart, height, x, (_, event) => {
      const one = at(event);
      return one && `${nameOf(one.item)}: ${one.parts.map(([name, from, to]) => `${name === 'making' ? 'generating' : name} ${duration(to - from)}`).join(', ')}`;
    });
    chart.addEventListener('click', (event) => { const one = at(event); if (one) openViewer(one.item, null); });
    return chart;
  }, [...(isLaned ? PHASES.slice(0, 3) : PHASES), ...noteLegend()]);
}

const startOf = (item) => item.t[1] ?? item.t[0];

// Items in as few rows as there were places; null when those are too many to look at.
function lanes(known) {
  const rows = [];
  for (const { item, parts } of known) {
    const busy = parts.filter(([name]) => name !== 'waiting');
    if (!busy.length) continue;
    const [start, end] = [busy[0][1], busy.at(-1)[2]];
    let row = rows.find((one) => one.end <= start);
    if (!row) {
      if (rows.length === LANES_MAX) return null;
      rows.push(row = []);
    }
    row.push({ item, parts: busy });
    row.end = end;
  }
  return rows;
}

function histogram(model, name, spread) {
  const words = `${plural(spread.count, 'item')}: half within ${duration(spread.median)}, 95 of 100 within ${duration(spread.p95)}.`;
  return figure(`${model}, ${name}`, words, (width) => {
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
      bar.addEventListener('pointermove', (event) => tell(`${plural(count, 'item')} between ${duration(spread.low + (bin * range) / spread.bins.length)} and ${duration(spread.low + ((bin + 1) * range) / spread.bins.length)}`, event));
      bar.addEventListener('pointerleave', () => tell(''));
      chart.append(bar);
    });
    chart.append(svg('line', { class: 'floor', x1: M.left, x2: width - M.right, y1: floor, y2: floor }));
    chart.append(svg('text', { class: 'tick', x: M.left - 8, y: M.top + 6, 'text-anchor': 'end' }, number(high)));
    if (spread.bins.length > 1) [['median', spread.median], ['p95', spread.p95]].forEach(([word, second]) => chart.append(
      svg('line', { class: `quantile ${word}`, x1: x(second), x2: x(second), y1: M.top - 6, y2: floor })));
    [[spread.low, 'start'], [spread.high, 'end']].forEach(([second, anchor]) => chart.append(svg('text', { class: 'tick', x: anchor === 'start' ? M.left : width - M.right, y: height - 8, 'text-anchor': anchor }, duration(second))));
    return chart;
  }, spread.bins.length > 1 ? [['median', 'median'], ['p95', '95 of 100']] : []);
}

function drawCharts() {
  const across = page.times.reduce((sum, one) => sum + one.across, 0);
  const view = $('#view-charts');
  put(view,
    burnDown(), crowd(), page.notes.length > 0 && notes(page.notes), timeline(),
    el('div', { class: 'small-ones' }, page.times.flatMap((one) => [
      one.making && histogram(one.model, 'generating', one.making), one.waiting && histogram(one.model, 'waiting', one.waiting)])),
    across > 0 && el('p', { class: 'hint' }, `${plural(across, 'item')} went on in a later life and ${across === 1 ? 'is' : 'are'} not in these times.`),
    noticing(page.times),
    moneyTable('Credits by model', page.money.models), page.money.jobs.length > 1 && moneyTable('Credits by job', page.money.jobs));
  $$('.plot', view).forEach(fit); // at once: a page that is short for a moment loses its place
}

function noticing(models) {
  const rows = models.filter((one) => one.noticed);
  if (rows.length === 0) return null;
  return el('section', { class: 'noticing' }, el('h2', {}, 'How soon ends were noticed'), el('div', { class: 'scroll' }, el('table', { class: 'plain' },
    el('thead', {}, el('tr', {}, ['', 'ends', 'polls each', 'noticed after'].map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, rows.map(({ model, noticed }) => el('tr', {}, el('th', { scope: 'row' }, model),
      [number(noticed.ends), noticed.polls.toFixed(1), duration(noticed.delay)].map((value) => el('td', {}, value))))))));
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
