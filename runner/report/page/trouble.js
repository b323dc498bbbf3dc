// What went wrong, by code, with the ids that support asks for, what to type next, and what the run has to say itself.

function drawTrouble() {
  const view = $('#view-trouble');
  const lost = items.filter((item) => stateOf(item) === 'lost');
  const warnings = page.notes.filter((note) => noteKind(note) === 'noted');
  const open = items.filter((item) => ['planned', 'submitting', 'accepted'].includes(item.state));
  put(view,
    page.failures.map((group) => troubleCard(group.code, group.count, group.messages, group.items.map((place) => items[place]))),
    lost.length > 0 && troubleCard('no file to show', lost.length, [], lost),
    open.length > 0 && troubleCard(page.run.state === 'alive' ? 'under way' : 'not finished', open.length, [[page.run.state === 'alive' ? 'The run is at work on these.' : 'The same run command goes on with these.', open.length]], open),
    warnings.length > 0 && notes(warnings),
    !page.failures.length && !lost.length && !open.length && el('p', { class: 'fine' }, 'Nothing went wrong.'));
}

function troubleCard(code, count, messages, members) {
  const tone = members[0] ? toneOf(members[0]) : 'idle';
  const list = el('tbody');
  const row = (place) => {
    const item = members[place];
    return el('tr', {}, el('td', {}, button(nameOf(item), () => openViewer(item, null), { class: 'link' })),
      el('td', {}, STATES[stateOf(item)].word), el('td', {}, cost(item)), el('td', { class: 'id' }, item.request ?? ''), el('td', { class: 'id' }, item.task ?? ''));
  };
  grow(list, members.length, row, 25);
  const ids = members.map((item) => item.request).filter(Boolean);
  return el('section', { class: `trouble ${tone}` },
    el('div', { class: 'row' }, el('h2', {}, code), el('span', { class: `pill ${tone}` }, number(count)), el('span', { class: 'space' }),
      button(members.length === 1 ? 'Pick it' : `Pick these ${number(members.length)}`, () => { members.forEach((item) => marks.add(item.id)); marksChanged(); toast(`${plural(marks.size, 'pick')} in all`); }, { class: 'quiet' }),
      ids.length > 0 && button('Copy request ids', () => copy(ids.join('\n'), plural(ids.length, 'request id')), { class: 'quiet' })),
    messages.filter(([text]) => text).map(([text, times]) => el('p', { class: 'message' }, text, count > times || messages.length > 1 ? el('small', {}, ` × ${number(times)}`) : null)),
    el('div', { class: 'scroll' }, el('table', { class: 'plain' }, el('thead', {}, el('tr', {}, ['item', 'state', 'credits', 'request id', 'task'].map((head) => el('th', { scope: 'col' }, head)))), list)),
    nextLine(members),
    members.length < count && el('p', { class: 'hint' }, `and ${number(count - members.length)} more: rivya-batch results`));
}

// One command for all of them, where there is one; else that of the first.
function nextLine(members) {
  const next = members[0] && nextOn(members[0]);
  if (!next) return null;
  if (members.length === 1 || !['failed', 'rejected'].includes(members[0].state)) return commandLine(next);
  return commandLine({ words: 'Buy again what failed, or what of it you pick:', command: `rivya-batch retry ${quoted(page.run.id)} --failed` });
}

const commandLine = ({ words, command }) => el('p', { class: 'next' }, el('span', {}, words), ' ', el('code', {}, command), ' ',
  button('Copy', () => copy(command, 'Command'), { class: 'quiet', 'aria-label': `Copy ${command}` }));
