// Figures and states in words.

const STATES = {
  succeeded: { word: 'done', tone: 'good' },
  lost: { word: 'no file', tone: 'doubt' }, // succeeded, and nothing of it can be looked at any more
  saving: { word: 'saving', tone: 'busy' }, // succeeded, and not saved yet
  failed: { word: 'failed', tone: 'bad' },
  rejected: { word: 'refused', tone: 'bad' },
  uncertain: { word: 'uncertain', tone: 'doubt' },
  vanished: { word: 'vanished', tone: 'doubt' },
  stalled: { word: 'stalled', tone: 'doubt' },
  accepted: { word: 'generating', tone: 'busy' },
  submitting: { word: 'sending', tone: 'busy' },
  skipped: { word: 'skipped', tone: 'idle' },
  planned: { word: 'not bought', tone: 'idle' },
};
const FILES = {
  verified: 'saved',
  unverified: 'saved, not verified',
  missing: 'file missing',
  elsewhere: 'in a bucket',
  wanted: 'not saved yet',
  partial: 'saved in part',
  quarantined: 'quarantined: damaged, or no media',
  gone: 'gone: paid for, and the service has it no more',
};

const number = (value) => value.toLocaleString('en');
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const credits = (value) => plural(value, 'credit');

function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, '0')}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
  return `${Math.floor(whole / 86400)}d ${Math.floor((whole % 86400) / 3600)}h`;
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB'];
  let amount = bytes / 1000;
  while (amount >= 1000 && units.length > 1) { amount /= 1000; units.shift(); }
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${units[0]}`;
}

const moment = (seconds) =>
  new Date(seconds * 1000).toLocaleString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

const cost = (item) =>
  item.settled ? `${number(item.settled)} cr` : item.held ? `${number(item.held)} cr held` : item.bought ? 'bought before' : '0 cr';

// One word for a shell: as it is, or in quotes.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
