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
  items.forEach((item, place) => {
    item.place = place;
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

// Where it stands, in place of a picture; null when there is one to show.
function why(item) {
  const file = fileOf(item);
  if (item.state === 'succeeded') {
    if (!file) return { head: 'no result', text: 'It succeeded without one.' };
    if (file.src && !file.dead) return null;
    return { head: file.dead ? FILES.missing : FILES[file.state] ?? file.state, text: file.name ?? '' };
  }
  return { head: item.error ? item.error.code : STATES[item.state].word, text: item.error?.message ?? '' };
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
