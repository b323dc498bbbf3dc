// Pictures and clips. Nothing of a clip is loaded before somebody points at it, and one plays at a time.

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const VIDEOS_MAX = 24; // a browser holds few more; the one that was longest not played gives its place up
const videos = []; // the oldest first

function missing(item, file, stage) {
  file.dead = true;
  stage.replaceChildren(reason(item));
  apart();
}

// A page that was moved without its media finds none of them: that is said once, for all.
let isBeside = false;
function beside() {
  isBeside = true;
  $('#apart').hidden = true;
}
function apart() {
  if (isBeside || page.live) return;
  put($('#apart'), 'The clips and pictures are not beside this page. Open it where the results are, or make one that carries them: ', el('code', {}, `rivya-batch report ${quoted(page.run.id)} --embed`));
  $('#apart').hidden = false;
}

function reason(item) {
  const trouble = why(item);
  return el('div', { class: `reason ${toneOf(item)}` }, el('b', {}, trouble.head), trouble.text && el('span', {}, trouble.text));
}

function picture(item, file, stage) {
  const still = kindOf(file) === 'image';
  const address = file.poster ?? (still ? file.src : null);
  if (!address) return el('div', { class: 'blank', 'aria-hidden': 'true' }, kindOf(file) === 'audio' ? '♪' : '▶');
  const image = el('img', { loading: 'lazy', decoding: 'async', alt: '', draggable: 'false' });
  image.addEventListener('load', beside);
  image.addEventListener('error', () => {
    apart();
    if (file.poster && !file.posterDead) { // the poster is gone: the file itself may be there
      file.posterDead = true;
      if (still && image.getAttribute('src') !== file.src) source(image, file.src);
      else image.replaceWith(el('div', { class: 'blank', 'aria-hidden': 'true' }, '▶'));
    } else missing(item, file, stage);
  });
  return source(image, address);
}

// The stage of one item: its picture, or why there is none.
function stageOf(item) {
  const stage = el('div', { class: 'stage' });
  const trouble = why(item);
  const file = fileOf(item);
  if (trouble) stage.append(reason(item));
  else {
    stage.append(picture(item, file, stage));
    if (kindOf(file) === 'video') stage.append(el('span', { class: 'playable', 'aria-hidden': 'true' }, '▶'));
  }
  stage.item = item;
  return stage;
}

function small(item) {
  const file = fileOf(item);
  return file?.poster || kindOf(file) === 'image' ? source(el('img', { alt: '', loading: 'lazy' }), file.poster ?? file.src) : el('i');
}

function videoIn(stage) {
  const file = fileOf(stage.item);
  if (why(stage.item) || kindOf(file) !== 'video') return null;
  let video = $('video', stage);
  if (!video) {
    video = el('video', { playsinline: true, loop: true, preload: 'none', tabindex: '-1', 'aria-hidden': 'true', disablepictureinpicture: true });
    video.muted = true;
    video.addEventListener('error', () => missing(stage.item, file, stage));
    video.addEventListener('loadeddata', beside);
    video.addEventListener('playing', () => stage.classList.add('moving'));
    source(video, file.src);
    stage.append(video);
  } else videos.splice(videos.indexOf(video), 1);
  videos.push(video);
  while (videos.length > VIDEOS_MAX) {
    const oldest = videos.shift();
    oldest.closest('.stage')?.classList.remove('moving');
    oldest.removeAttribute('src');
    oldest.load();
    oldest.remove();
  }
  return video;
}

const DRIFT_S = 0.12; // what nobody sees; setting a clip right costs a moment

// Two clips that are compared go through the same moment, whichever was loaded first.
function keepStep([first, ...others]) {
  if (!others.length) return;
  first.ontimeupdate = () => others.forEach((other) => {
    if (Math.abs(other.currentTime - first.currentTime) > DRIFT_S && first.currentTime < (other.duration || 0)) other.currentTime = first.currentTime;
  });
}

const player = {
  alone: null,
  together: [],
  timer: 0,

  // Play one, soon: a pointer on its way elsewhere loads nothing.
  point(stages) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!calm.matches && !this.together.length) this.play(stages);
    }, 70);
  },

  async play(stages) {
    this.rest();
    this.alone = stages.map(videoIn).filter(Boolean);
    keepStep(this.alone);
    await Promise.all(this.alone.map((video) => video.play().catch(() => {})));
  },

  leave() {
    clearTimeout(this.timer);
    if (!this.together.length) this.rest();
  },

  rest() {
    (this.alone ?? []).forEach((video) => { video.pause(); video.ontimeupdate = null; });
    this.alone = null;
  },

  // Play several from the start, together, and again together when the longest has ended.
  async inStep(stages) {
    this.stop();
    const round = stages.slice(0, VIDEOS_MAX).map(videoIn).filter(Boolean);
    if (!round.length) return;
    this.together = round;
    say(`${plural(round.length, 'clip')} in step`);
    round.forEach((video) => { video.loop = false; video.preload = 'auto'; video.load(); });
    await Promise.all(round.map((video) => new Promise((ready) => {
      ['canplay', 'error'].forEach((name) => video.addEventListener(name, ready, { once: true }));
      setTimeout(ready, 4000);
    })));
    if (this.together !== round) return;
    const longest = round.reduce((one, other) => ((other.duration || 0) > (one.duration || 0) ? other : one));
    const start = () => round.forEach((video) => { video.currentTime = 0; video.play().catch(() => {}); });
    longest.addEventListener('ended', () => this.together === round && start());
    start();
  },

  stop() {
    clearTimeout(this.timer); // also what was pointed at a moment ago, and would begin only now
    this.rest();
    this.together.forEach((video) => { video.pause(); video.loop = true; });
    const any = this.together.length > 0;
    this.together = [];
    return any;
  },
};
