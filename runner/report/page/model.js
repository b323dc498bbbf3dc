// The run's data, and what the views ask of it.

const page = JSON.parse($('#data').textContent);
const items = page.items;
const byId = new Map();
const jobs = new Map();
const listeners = new Set(); // views that draw themselves anew when items have changed

function index() {
  byId.clear();
  jobs.clear();
  page.jobs.forEach((job) => jobs.set(job.id, { ...job, items: [] }));
  items.forEach((item) => {
    byId.set(item.id, item);
    jobs.get(item.job).items.push(item);
  });
}
index();

const promptOf = (item) => (item.prompt === undefined ? '' : page.prompts[item.prompt]);
const paramsOf = (item) => (item.params === undefined ? {} : page.params[item.params]);
const filesOf = (item) => item.files ?? [];
const fileOf = (item) => filesOf(item).find((file) => file.src && !file.dead) ?? filesOf(item)[0];
const kindOf = (file) => (file?.type ?? '').split('/')[0];
const label = (job, axis, value) => job.axes[axis].values[value]?.label ?? 'none';
const short = (name) => name.replace(/\b(?:vars|params|options)\./g, '').replace(/\breferences\.(\d)/g, 'reference $1');

// Where an item stands for who looks at it: its state, or of a success that it is not saved yet, or lost.
function stateOf(item) {
  if (item.state !== 'succeeded') return item.state;
  const file = fileOf(item);
  if (!file || file.dead || ['missing', 'gone', 'quarantined'].includes(file.state)) return 'lost';
  return ['wanted', 'partial'].includes(file.state) ? 'saving' : 'succeeded';
}
const toneOf = (item) => STATES[stateOf(item)].tone;
const isTrouble = (item) => ['bad', 'doubt'].includes(toneOf(item));

// Where it stands, in place of a picture; null when there is one to show.
function why(item) {
  const file = fileOf(item);
  if (item.state === 'succeeded') {
    if (!file) return { head: 'no result', text: 'It succeeded without one.' };
    if (file.src && !file.dead) return null;
    return { head: file.dead ? FILES.missing : FILES[file.state], text: file.name ?? '' };
  }
  return { head: item.error ? item.error.code : STATES[item.state].word, text: item.error?.message ?? '' };
}

// What a person may type next about an item that did not come out well; null where nothing is to be done by hand.
function nextOn(item) {
  const run = quoted(page.run.id);
  const one = quoted(pattern(item.key));
  switch (item.state) {
    case 'failed': case 'rejected': return { words: 'Buy it again:', command: `rivya-batch retry ${run} --select ${one}` };
    case 'uncertain': return { words: 'What is known of it; then say with rivya-batch resolve what became of it:', command: `rivya-batch show ${item.id} --run ${run}` };
    case 'vanished': case 'stalled': return { words: 'What is known of it; rivya-batch resolve --write-off gives it up:', command: `rivya-batch show ${item.id} --run ${run}` };
    default: return null;
  }
}

function describe(item) {
  const job = jobs.get(item.job);
  const values = (item.axes ?? []).map((value, axis) => (value === null ? '' : `${short(job.axes[axis].name)} ${label(job, axis, value)}`));
  const trouble = why(item);
  const parts = [...values.filter(Boolean), item.model, STATES[item.state].word, trouble && trouble.head, cost(item)];
  if (marks.has(item.id)) parts.push('picked');
  return parts.filter(Boolean).join(', ') || item.key;
}

// Width over height, from the file, or from what was asked for.
function ratioOf(item) {
  const told = fileOf(item)?.ratio;
  if (told) return told;
  for (const value of Object.values(paramsOf(item))) {
    const found = /^(\d{1,2}):(\d{1,2})$/.exec(value);
    if (found) return Number(found[1]) / Number(found[2]);
  }
  return kindOf(fileOf(item)) === 'video' ? 16 / 9 : 1;
}

// One shape for all cells of a view: the most frequent one, so that most pictures fill their cell.
function commonRatio(members) {
  const counts = new Map();
  members.forEach((item) => {
    const ratio = ratioOf(item).toFixed(2);
    counts.set(ratio, (counts.get(ratio) ?? 0) + 1);
  });
  const [best] = [...counts].sort((one, other) => other[1] - one[1]);
  return best ? Math.min(Math.max(Number(best[0]), 0.5), 2.4) : 1;
}
