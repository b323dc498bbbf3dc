// One result, large, with everything that is known of it; or two, one over the other.

const viewer = { item: null, from: null };

function openViewer(item, from = viewer.from) {
  player.stop();
  Object.assign(viewer, { item, from });
  const box = $('#viewer');
  const next = nextOn(item);
  put(box,
    el('div', { class: 'show' }, large(item)),
    el('div', { class: 'story' },
      el('div', { class: 'row' },
        el('span', { class: `pill ${toneOf(item)}` }, STATES[stateOf(item)].word),
        el('span', { class: 'space' }),
        from && button('‹', () => step(-1), { 'aria-label': 'Previous', title: 'Previous (←)', class: 'quiet' }),
        from && button('›', () => step(1), { 'aria-label': 'Next', title: 'Next (→)', class: 'quiet' }),
        closing(box)),
      el('h2', {}, nameOf(item)),
      item.error && el('p', { class: `told ${toneOf(item)}` }, el('b', {}, item.error.code), ' ', item.error.message),
      next && commandLine(next),
      promptOf(item) && el('p', { class: 'prompt' }, promptOf(item)),
      el('div', { class: 'row' },
        pickButton(item),
        promptOf(item) && button('Copy prompt', () => copy(promptOf(item), 'Prompt')),
        button('Copy command', () => copy(`rivya-batch show ${quoted(item.id)}`, 'Command'), { title: `rivya-batch show ${item.id}` })),
      facing(known(item))));
  if (!box.open) box.showModal();
  $('video', box)?.play().catch(() => {});
}

const closing = (box) => button('×', () => box.close(), { 'aria-label': 'Close', title: 'Close (Esc)', class: 'quiet' });

function pickButton(item) {
  const word = () => (marks.has(item.id) ? 'Picked ✓' : 'Pick');
  const made = button(word(), () => mark(item), { class: 'primary', 'data-do': 'pick', title: 'Pick (x)' });
  made.pickedAnew = () => { made.textContent = word(); };
  return made;
}

function large(item) {
  if (why(item)) return reason(item);
  const made = filesOf(item).filter((one) => one.src).map((one) => {
    const broken = (event) => { one.dead = true; event.target.replaceWith(el('div', { class: 'reason doubt' }, el('b', {}, FILES.missing), el('span', {}, one.name ?? ''))); };
    switch (kindOf(one)) {
      case 'video': {
        const video = el('video', { controls: true, loop: true, playsinline: true, error: broken, 'aria-label': describe(item) });
        video.muted = true;
        if (one.poster && !one.posterDead) video.poster = one.poster;
        return source(video, one.src);
      }
      case 'audio': return source(el('audio', { controls: true, error: broken, 'aria-label': describe(item) }), one.src);
      case 'image': return source(el('img', { alt: describe(item), error: broken }), one.src);
      default: return el('p', {}, one.name ?? '');
    }
  });
  return made.length === 1 ? made[0] : el('div', { class: 'several-files' }, made);
}

// What was asked for, by name; what two results differ in is among it.
function asked(item) {
  const job = jobs.get(item.job);
  const axes = (item.axes ?? []).map((value, axis) => [short(job.axes[axis].name), value === null ? null : job.axes[axis].values[value].text]);
  const told = new Map(axes);
  const params = Object.entries(paramsOf(item)).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  return [...axes, ['model', item.model], ...params.filter(([name, value]) => told.get(name) !== value), ['repeat', item.repeat > 1 ? item.repeat : null]];
}

const came = (item) => [
  ['cost', cost(item)],
  ['waited', item.waited === undefined ? null : duration(item.waited)],
  ['generated in', item.made === undefined ? null : duration(item.made)],
];

function known(item) {
  return [
    ...asked(item), ...came(item),
    ['attempts', item.attempts > 1 ? item.attempts : null],
    ['job', page.jobs.length > 1 ? item.job : null],
    ['tags', item.tags?.join(', ')],
    ...filesOf(item).map((file) => ['file', [file.name ?? '', file.bytes === undefined ? null : size(file.bytes), file.state === 'verified' ? null : FILES[file.state]].filter(Boolean).join(' · ')]),
    ['task', item.task],
    ['request', item.request],
    ['item', item.key],
    ['identity', item.id],
  ];
}

const isTold = (value) => value !== null && value !== undefined && value !== '';
const facing = (rows) => el('dl', {}, rows.filter(([, value]) => isTold(value)).map(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))]));

// Only what is not the same of both.
function differences(left, right) {
  const [one, other] = [left, right].map((item) => new Map([...asked(item), ...came(item)]));
  const names = [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
  return el('table', { class: 'plain versus' },
    el('thead', {}, el('tr', {}, ['', 'left', 'right'].map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, names.map((name) => el('tr', {}, el('th', { scope: 'row' }, name), [one, other].map((facts) => el('td', {}, isTold(facts.get(name)) ? String(facts.get(name)) : '–'))))));
}

// The neighbour in the view that it was opened from.
function step(by) {
  const cells = $$('.cell[data-id]', $('main > section:not([hidden])'));
  const here = cells.findIndex((cell) => cell.stack?.includes(viewer.item));
  const next = cells[here + by];
  if (!next) return;
  next.scrollIntoView({ block: 'nearest' });
  openViewer(itemIn(next), next);
}

function openCompare(left, right) {
  player.stop();
  const box = $('#viewer');
  const area = el('div', { class: 'show compare' }, large(left), large(right));
  const slider = el('input', { type: 'range', class: 'wide', min: 0, max: 100, value: 50, 'aria-label': 'Where the two are divided', input: () => area.style.setProperty('--split', `${slider.value}%`) });
  area.addEventListener('pointermove', (event) => {
    const { left: edge, width } = area.getBoundingClientRect();
    slider.value = String(((event.clientX - edge) / width) * 100);
    area.style.setProperty('--split', `${slider.value}%`);
  });
  Object.assign(viewer, { item: null, from: null });
  put(box, area, el('div', { class: 'story' },
    el('div', { class: 'row' }, el('h2', {}, 'Two, one over the other'), el('span', { class: 'space' }), closing(box)),
    slider,
    el('div', { class: 'row' }, [left, right].map((item, side) => button(`Keep ${['left', 'right'][side]} alone`, () => { marks.clear(); mark(item, true); box.close(); }))),
    differences(left, right)));
  if (!box.open) box.showModal();
  const clips = $$('video', box);
  clips.forEach((clip) => { clip.controls = false; clip.currentTime = 0; clip.play().catch(() => {}); });
  keepStep(clips);
}

function startViewer() {
  const box = $('#viewer');
  box.addEventListener('close', () => {
    $$('video, audio', box).forEach((one) => one.pause());
    box.replaceChildren();
    viewer.from?.focus();
  });
  box.addEventListener('click', (event) => event.target === box && box.close());
}
