// The script of `cargo xtask interop chromium` and `firefox`: one session step by step, with a report of its observations.
// Does not check them: POST /report passes the report to the runner, which does.
import { Session, synthetic } from '/session.js';

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Runs the scenario once in each DTLS role. It posts the report after each step; the last one is `done`. */
export async function run(canvas, video) {
  const report = { agent: navigator.userAgent, runs: {}, done: false };
  const post = () => fetch('/report', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(report),
  });
  try {
    const stream = synthetic(canvas);
    for (const setup of ['passive', 'active']) {
      report.runs[setup] = { steps: {}, timeline: [] };
      await once(stream, video, setup, report.runs[setup], post);
    }
  } catch (error) {
    report.error = String(error.stack ?? error);
  }
  report.done = true;
  await post();
}

async function once(stream, video, setup, result, post) {
  const session = new Session(stream, { setup });
  const began = performance.now();
  session.addEventListener('said', ({ detail }) =>
    result.timeline.push({ at_ms: Math.round(detail.at - began), what: detail.what }));
  video.srcObject = session.echo;
  try {
    for (const [name, action] of Object.entries(steps)) {
      result.current = name;
      result.steps[name] = await step(session, () => action(session));
      // The longest silence of the echo without a restart, which shows how busy the machine is.
      result.steps[name].usual_silence_ms = result.steps.media?.echo.video_silence_ms ?? 0;
      await post();
    }
  } catch (error) {
    result.error = `${result.current}: ${error.message ?? error}`;
    result.last = await snapshot(session).catch(() => null);
    await post();
  }
  await session.close().catch(() => {});
}

const steps = {
  async connect(session) {
    await session.connect();
    await until(15, 'both sides to be connected', async () =>
      // Chromium's statistics show the SRTP profile a moment after the connected state.
      session.pc.connectionState === 'connected' && (await session.browser()).srtp
        && (await session.server()).state === 'connected');
  },

  async media(session) {
    await until(20, 'more than 100 video packets and ten decoded frames of the echo', async () => {
      const [browser, server] = [await session.browser(), await session.server()];
      return received(server, 'video') > 100 && track(browser, 'in', 'video').frames >= 10;
    });
  },

  async restart(session) {
    const verdicts = (await session.server()).verdicts.length;
    await session.restart();
    await until(20, 'a verdict about the restart', async () => (await session.server()).verdicts.length > verdicts);
    await pause(500);
  },

  async rotate(session) {
    const verdicts = (await session.server()).verdicts.length;
    await session.restart({ rotate: true });
    await until(20, 'a verdict about the restart', async () => (await session.server()).verdicts.length > verdicts);
    const before = track(await session.browser(), 'in', 'video').frames;
    await until(15, 'frames with the new keys', async () =>
      track(await session.browser(), 'in', 'video').frames > before + 10);
  },

  async revoke(session) {
    await session.revoke();
    await until(25, 'the browser to notice', async () =>
      ['disconnected', 'failed'].includes(session.pc.iceConnectionState));
  },
};

/** Runs `action`; returns what both sides saw before and after it, and the longest time without an echo. */
async function step(session, action) {
  const before = await snapshot(session);
  const watch = watchEcho(session);
  const began = performance.now();
  await action();
  const took_ms = Math.round(performance.now() - began);
  return { before, after: await snapshot(session), took_ms, echo: watch.stop() };
}

async function snapshot(session) {
  return { browser: await session.browser(), server: await session.server() };
}

/** Samples the packets that come back, and measures the longest time in which none did. */
function watchEcho(session) {
  const longest = { audio: 0, video: 0 };
  const last = {};
  const timer = setInterval(async () => {
    const browser = await session.browser();
    const now = performance.now();
    for (const kind of ['audio', 'video']) {
      const { packets } = track(browser, 'in', kind);
      if (last[kind]?.packets !== packets) last[kind] = { packets, at: now };
      longest[kind] = Math.max(longest[kind], now - last[kind].at);
    }
  }, 20);
  return {
    stop() {
      clearInterval(timer);
      return { audio_silence_ms: Math.round(longest.audio), video_silence_ms: Math.round(longest.video) };
    },
  };
}

async function until(seconds, what, condition) {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(50);
  }
}

function track(browser, direction, kind) {
  return browser.tracks.find(row => row.direction === direction && row.kind === kind) ?? { packets: 0, frames: 0 };
}

function received(server, kind) {
  return server.tracks.find(row => row.kind === kind)?.received ?? 0;
}
