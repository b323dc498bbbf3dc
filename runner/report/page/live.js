// The same page while the run is at work: what has changed arrives whole, item by item.

function startLive() {
  if (!page.live) return;
  const feed = new EventSource(`events?from=${page.version}`);
  feed.addEventListener('change', (event) => receive(JSON.parse(event.data)));
  feed.addEventListener('reload', () => location.reload()); // away for longer than the server remembers
  feed.addEventListener('open', () => document.body.classList.remove('cut'));
  feed.addEventListener('error', () => document.body.classList.add('cut'));
}

function receive(news) {
  const changed = new Set(news.items.map((item) => item.id));
  for (const [place, item] of news.items.entries()) {
    const known = byId.get(item.id);
    if (!known) { items.push(item); continue; }
    for (const name of Object.keys(known)) delete known[name];
    Object.assign(known, news.items[place]);
  }
  for (const [name, value] of Object.entries(news.page)) page[name] = value;
  if (news.order) { // the manifest has other items now
    const place = new Map(news.order.map((id, number) => [id, number]));
    items.splice(0, items.length, ...items.filter((item) => place.has(item.id)).sort((one, other) => place.get(one.id) - place.get(other.id)));
  }
  index();
  keepingFocus($('#head'), drawHead);
  keepingFocus($('#tabs'), drawTabs);
  listeners.forEach((listener) => listener(news.order ? null : changed));
  redrawView();
}
