// The page: buttons, video, counters. With `?script=interop` it runs a scripted session and posts a report.
import { Session, synthetic } from '/session.js';

const $ = id => document.getElementById(id);
const parameters = new URLSearchParams(location.search);
let stream = null;
let session = null;
let began = performance.now();
let serverEvents = 0;

const buttons = {
  connect: async () => {
    stream ??= synthetic($('drawn'));
    $('timeline').replaceChildren();
    serverEvents = 0;
    began = performance.now();
    session = new Session(stream, { setup: $('setup').value });
    session.addEventListener('said', ({ detail }) => note(detail.at - began, 'browser', detail.what));
    $('echoed').srcObject = session.echo;
    await session.connect();
  },
  restart: () => session.restart(),
  rotate: () => session.restart({ rotate: true }),
  revoke: () => session.revoke(),
  close: async () => { const ended = session; session = null; $('status').textContent = statuses.closed; await ended.close(); },
};

for (const [name, press] of Object.entries(buttons)) {
  $(name).onclick = async () => {
    try { await press(); } catch (error) { note(performance.now() - began, 'browser', error.message, 'bad'); }
    enable();
  };
}
$('audible').onchange = event => { $('echoed').muted = !event.target.checked; };

function enable() {
  for (const name of Object.keys(buttons)) $(name).disabled = (name === 'connect') === Boolean(session);
  $('setup').disabled = Boolean(session);
}

function note(at, who, what, tone = toneOf(what)) {
  const row = document.createElement('li');
  const cells = [['time', `${(at / 1000).toFixed(2)} s`, ''], ['span', who, 'who'], ['span', what, tone]];
  row.append(...cells.map(([tag, text, style]) => Object.assign(document.createElement(tag), { textContent: text, className: style })));
  row.dataset.at = at;
  // The server's events arrive later than the browser's, so all are sorted by time, the newest first.
  const earlier = [...$('timeline').children].find(other => Number(other.dataset.at) <= at);
  $('timeline').insertBefore(row, earlier ?? null);
}

function toneOf(what) {
  if (/failed|refused|disconnected|lost/.test(what)) return 'bad';
  return /\bconnected|completed|selected|keys/.test(what) ? 'good' : '';
}

function rows(body, table) {
  body.replaceChildren(...table.map(cells => {
    const row = document.createElement('tr');
    row.append(...cells.map((text, at) => Object.assign(document.createElement(at ? 'td' : 'th'), { textContent: text || text === 0 ? text : '\u2013' })));
    return row;
  }));
}

/** The DTLS versions: the browser names them by their number on the wire. */
const versions = { FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3', Dtls12: 'DTLS 1.2', Dtls13: 'DTLS 1.3' };

const statuses = {
  new: 'Connecting.',
  connecting: 'Connecting. After a restart, media continues with the previous keys.',
  connected: 'Connected. The server decrypts each packet, encrypts it again and returns it.',
  disconnected: 'The browser receives no answer to its checks. It waits for some seconds. Restart ICE to reconnect.',
  failed: 'The connection failed. Restart ICE to reconnect, or hang up.',
  closed: 'Closed. Press Connect for a new session.',
};

async function refresh() {
  const shown = session;
  if (!shown) return;
  $('status').textContent = statuses[shown.pc.connectionState];
  const [browser, server] = await Promise.all([shown.browser(), shown.server().catch(() => null)]);
  if (shown !== session || !server) return;
  const milliseconds = time => Number.isFinite(time) ? `${time.toFixed(1)} ms` : '';
  rows($('transport'), [
    ['state', browser.connection, server.state],
    ['ICE', browser.ice, server.ice],
    ['DTLS', browser.dtls, server.dtls],
    ['DTLS version', versions[browser.version] ?? browser.version, versions[server.version] ?? server.version],
    ['SRTP', browser.srtp, server.profile],
    ['hash of the keys', '', server.keys],
    ['round trip', milliseconds(browser.roundTrip * 1000), milliseconds(server.round_trip_ms)],
    ['longest silence since the restart', '', `${server.longest_silence_ms} ms`],
  ]);
  rows($('media'), server.tracks.map(track => {
    const find = direction => browser.tracks.find(row => row.direction === direction && row.kind === track.kind) ?? {};
    return [track.kind, find('out').packets, track.received, track.lost, track.echoed, find('in').packets, find('in').lost];
  }));
  for (const { at_ms, what } of server.timeline.slice(serverEvents)) note(at_ms + shown.began - began, 'server', what);
  serverEvents = server.timeline.length;
}
setInterval(() => refresh().catch(() => {}), 500);
enable();

if (parameters.get('script') === 'interop') {
  const { run } = await import('/scenario.js');
  await run($('drawn'), $('echoed'));
}
