// Making and finding elements. Text is only ever set as text, and addresses only come from the page's own data.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// What would steer, hide or reorder what is read is shown as its code.
const HAZARDS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const shown = (text) => String(text).replace(HAZARDS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? '' : shown(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : shown(child));
  }
  return made;
}

const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const put = (holder, ...children) => {
  holder.replaceChildren();
  return fill(holder, {}, children);
};
const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

// A file's or poster's address. It is percent-encoded and relative, or data of this page: nothing that runs.
function source(element, address) {
  if (/^(?:\.\.?\/|data:(?:image|video|audio)\/)/.test(address)) element.setAttribute('src', address);
  return element;
}

// To who listens; what a person did that shows nowhere else is also told to who looks.
function say(text) {
  $('#said').textContent = shown(text);
}

let toasting = 0;
function toast(text) {
  say(text);
  const box = $('#toast');
  box.textContent = shown(text);
  box.hidePopover?.();
  box.showPopover?.(); // anew: over a dialog that has opened since
  clearTimeout(toasting);
  toasting = setTimeout(() => box.hidePopover?.(), 3500);
}

// Draw a part of the page anew, and leave who is in it with the keyboard where they were.
const STOPS = 'button, a[href], input, select, [tabindex]';
function keepingFocus(part, draw) {
  const place = $$(STOPS, part).indexOf(document.activeElement);
  draw();
  if (place >= 0) $$(STOPS, part)[place]?.focus({ preventScroll: true });
}

// Rows are made when they come near the window, some at a time: a thousand cells nobody has scrolled to cost nothing.
const growing = new WeakMap();
const near = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => growing.get(entry.target)?.()),
  { rootMargin: '1200px' },
);

function grow(container, count, make, batch) {
  let made = 0;
  const end = el(container.tagName === 'TBODY' ? 'tr' : container.tagName === 'UL' ? 'li' : 'div', { class: 'end', 'aria-hidden': 'true' });
  const more = (until = made + batch) => {
    const part = document.createDocumentFragment();
    for (; made < Math.min(until, count); made += 1) part.append(make(made));
    end.before(part);
    near.unobserve(end);
    if (made < count) near.observe(end);
    else end.remove();
  };
  container.replaceChildren(end);
  growing.set(end, () => more());
  more();
  return { upTo: (place) => place >= made && more(place + 1), all: () => made < count && more(count) };
}

function select(label, options, chosen, change) {
  const made = el('select', { 'aria-label': label, change: () => change(made.value) },
    options.map(([value, text]) => el('option', { value, selected: String(value) === String(chosen) }, text)));
  return made;
}

const button = (text, click, attributes = {}) => el('button', { type: 'button', click, ...attributes }, text);

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    const area = el('textarea', { class: 'unseen', readonly: true });
    area.value = text;
    ($('dialog[open]') ?? document.body).append(area);
    area.select();
    toast(document.execCommand('copy') ? `${what} copied` : `${what} cannot be copied here`);
    area.remove();
  }
}

function download(name, text, next) {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const link = el('a', { download: name });
  link.href = address;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  toast(`${name} is in your downloads; next: ${next}`);
}
