// What went wrong, by code, with the ids that support asks for; and what happened to the run as a whole.

function drawTrouble() {
  const view = $('#view-trouble');
  const lost = items.filter((item) => item.state === 'succeeded' && why(item));
  const open = items.filter((item) => ['planned', 'submitting', 'accepted'].includes(item.state));
  put(view,
    page.failures.map((group) => troubleCard(group.code, group.count, group.messages, group.items.map((place) => items[place]))),
    lost.length > 0 && troubleCard('no file to show', lost.length, [], lost),
    open.length > 0 && troubleCard(page.run.state === 'alive' ? 'under way' : 'not finished', open.length, [[page.run.state === 'alive' ? 'The run is at work on these.' : 'The same run command goes on with these.', open.length]], open),
    page.notes.length > 0 && notes(),
    !page.failures.length && !lost.length && !open.length && el('p', { class: 'fine' }, 'Nothing went wrong.'));
}

function troubleCard(code, count, messages, members) {
  const tone = members[0] ? STATES[members[0].state].tone : 'idle';
  const list = el('tbody');
  const row = (place) => {
    const item = members[place];
    return el('tr', {}, el('td', {}, button(nameOf(item), () => openViewer(item, null), { class: 'link' })),
      el('td', {}, STATES[item.state].word), el('td', {}, cost(item)), el('td', { class: 'id' }, item.request ?? ''), el('td', { class: 'id' }, item.task ?? ''));
  };
  grow(list, members.length, row, 25);
  const ids = members.map((item) => item.request).filter(Boolean);
  return el('section', { class: `trouble ${tone}` },
    el('div', { class: 'row' }, el('h2', {}, code), el('span', { class: `pill ${tone}` }, number(count)), el('span', { class: 'space' }),
      ids.length > 0 && button('Copy request ids', () => copy(ids.join('\n'), plural(ids.length, 'request id')), { class: 'quiet' })),
    messages.filter(([text]) => text).map(([text, times]) => el('p', { class: 'message' }, text, count > times || messages.length > 1 ? el('small', {}, ` × ${number(times)}`) : null)),
    el('div', { class: 'scroll' }, el('table', { class: 'plain' }, el('thead', {}, el('tr', {}, ['item', 'state', 'credits', 'request id', 'task'].map((head) => el('th', { scope: 'col' }, head)))), list)),
    members.length < count && el('p', { class: 'hint' }, `and ${number(count - members.length)} more: rivya-batch results`));
}

function notes() {
  return el('section', { class: 'notes' }, el('h2', {}, 'What happened to the run'), el('ol', {}, page.notes.map((note) => el('li', {},
    el('time', { title: moment(note.at) }, `+${duration(note.t)}`), el('span', {}, note.text)))));
}
