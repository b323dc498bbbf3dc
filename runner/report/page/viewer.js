// One result, large, with everything that is known of it; or two, one over the other.

const viewer = { item: null, from: null };

function openViewer(item, from = viewer.from) {
  player.stop();
  Object.assign(viewer, { item, from });
  const box = $('#viewer');
  put(box,
    el('div', { class: 'show' }, large(item)),
    el('div', { class: 'story' },
      el('div', { class: 'row' },
        el('span', { class: `pill ${STATES[item.state].tone}` }, STATES[item.state].word),
        el('span', { class: 'space' }),
        button('‹', () => step(-1), { 'aria-label': 'Previous', class: 'quiet' }),
        button('›', () => step(1), { 'aria-label': 'Next', class: 'quiet' }),
        button('×', () => box.close(), { 'aria-label': 'Close', class: 'quiet' })),
      el('h2', {}, nameOf(item)),
      item.error && el('p', { class: `told ${STATES[item.state].tone}` }, el('b', {}, item.error.code), ' ', item.error.message),
      promptOf(item) && el('p', { class: 'prompt' }, promptOf(item)),
      el('div', { class: 'row' },
        button(marks.has(item.id) ? 'Picked ✓' : 'Pick', () => { mark(item); openViewer(item); }, { class: 'primary', 'data-do': 'pick' }),
        promptOf(item) && button('Copy prompt', () => copy(promptOf(item), 'Prompt')),
        button('Copy command', () => copy(`rivya-batch show ${quoted(item.id)}`, 'Command'), { title: `rivya-batch show ${item.id}` })),
      known(item)));
  if (!box.open) box.showModal();
  $('video', box)?.play().catch(() => {});
}

function large(item) {
  const file = fileOf(item);
  if (why(item)) return reason(item);
  const kind = kindOf(file);
  const broken = (event) => { file.dead = true; event.target.replaceWith(reason(item)); };
  const all = filesOf(item).filter((one) => one.src);
  const made = all.map((one) => {
    if (kind === 'video') {
      const video = el('video', { controls: true, loop: true, playsinline: true, error: broken, 'aria-label': describe(item) });
      video.muted = true;
      if (one.poster && !one.posterDead) video.poster = one.poster;
      return source(video, one.src);
    }
    if (kind === 'audio') return source(el('audio', { controls: true, error: broken, 'aria-label': describe(item) }), one.src);
    if (kind === 'image') return source(el('img', { alt: describe(item), error: broken }), one.src);
    return el('p', {}, one.name ?? '');
  });
  return made.length === 1 ? made[0] : el('div', { class: 'several-files' }, made);
}

function known(item) {
  const job = jobs.get(item.job);
  const rows = [
    ...(item.axes ?? []).map((value, axis) => [short(job.axes[axis].name), value === null ? null : job.axes[axis].values[value].text]),
    ['model', item.model],
    ...Object.entries(paramsOf(item)).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
    ['repeat', item.repeat > 1 ? item.repeat : null],
    ['cost', cost(item)],
    ['waited', item.waited === undefined ? null : duration(item.waited)],
    ['generated in', item.made === undefined ? null : duration(item.made)],
    ['attempts', item.attempts > 1 ? item.attempts : null],
    ['job', page.jobs.length > 1 ? item.job : null],
    ['tags', item.tags?.join(', ')],
    ...filesOf(item).map((file) => ['file', [file.name ?? '', file.bytes === undefined ? null : size(file.bytes), file.state === 'verified' ? null : FILES[file.state] ?? file.state].filter(Boolean).join(' · ')]),
    ['task', item.task],
    ['request', item.request],
    ['item', item.key],
    ['identity', item.id],
  ];
  return el('dl', {}, rows.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))]));
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
  const slider = el('input', { type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'Where the two are divided', input: () => area.style.setProperty('--split', `${slider.value}%`) });
  area.addEventListener('pointermove', (event) => {
    const { left: edge, width } = area.getBoundingClientRect();
    slider.value = String(((event.clientX - edge) / width) * 100);
    area.style.setProperty('--split', `${slider.value}%`);
  });
  viewer.item = null;
  put(box, area, el('div', { class: 'story' },
    el('div', { class: 'row' }, el('span', { class: 'space' }), button('×', () => box.close(), { 'aria-label': 'Close', class: 'quiet' })),
    el('div', { class: 'versus' }, el('span', {}, nameOf(left)), slider, el('span', {}, nameOf(right)))));
  if (!box.open) box.showModal();
  const clips = $$('video', box);
  clips.forEach((clip) => { clip.controls = false; clip.currentTime = 0; clip.play().catch(() => {}); });
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
