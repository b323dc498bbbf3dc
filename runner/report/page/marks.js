// Marks: the cells a person chose. They stay in this browser, for this run, until they are taken off.

const SHELF = `rivya-batch-marks:${page.run.id}`;
const marks = new Set(remembered());

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(SHELF) ?? '[]').filter((id) => byId.has(id));
  } catch {
    return [];
  }
}

function mark(item, on = !marks.has(item.id)) {
  if (on) marks.add(item.id);
  else marks.delete(item.id);
  marksChanged();
  say(`${item.key} ${on ? 'picked' : 'no longer picked'}; ${marks.size} in all`);
}

function marksChanged() {
  try {
    localStorage.setItem(SHELF, JSON.stringify([...marks]));
  } catch { /* a browser that keeps nothing: the marks last as long as the page */ }
  $$('[data-id]').forEach((cell) => {
    cell.classList.toggle('picked', marks.has(cell.dataset.id));
    $('.pick', cell)?.setAttribute('aria-pressed', marks.has(cell.dataset.id));
  });
  $('#viewer [data-do=pick]')?.pickedAnew();
  drawTray();
}

const picked = () => items.filter((item) => marks.has(item.id));

// A line is a pattern: what would mean something else in one is written so that it means itself.
const pattern = (key) => key.replace(/[[*?]/g, '[$&]').replace(/[\n-\r\u001c-\u001e\u0085\u2028\u2029]|^\s|\s$/g, '?').replace(/^#/, '[#]');

function picksText() {
  const lines = picked().map((item) => pattern(item.key));
  return `# ${lines.length} picked of ${shown(page.run.id)}: ${PICKS_NEXT}, or run MANIFEST with the same\n${lines.join('\n')}\n`;
}

const PICKS_NEXT = `rivya-batch retry ${quoted(shown(page.run.id))} --select @picks.txt`;
const savePicks = () => download('picks.txt', picksText(), PICKS_NEXT);

function drawTray() {
  const tray = $('#tray');
  tray.hidden = marks.size === 0;
  document.body.classList.toggle('with-tray', marks.size > 0);
  if (tray.hidden) return;
  put(tray,
    el('strong', {}, `${plural(marks.size, 'pick')}`),
    el('span', { class: 'thumbs', 'aria-hidden': 'true' }, picked().slice(0, 8).map((item) => small(item))),
    button('picks.txt', savePicks, { title: 'A file for --select @picks.txt', 'data-do': 'picks' }),
    button('Next manifest…', openFollow, { class: 'primary', title: 'These cells, at a higher resolution, say', 'data-do': 'follow' }),
    marks.size === 2 && button('Compare', () => openCompare(...picked()), { 'data-do': 'compare' }),
    button('Clear', () => { marks.clear(); marksChanged(); say('no picks'); }, { class: 'quiet', 'data-do': 'clear' }),
  );
}
