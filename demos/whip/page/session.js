// One WHIP session (RFC 9725): signalling over HTTP, media over WebRTC.
// Does not know the page.

/** Everything that the browser tells about one session. */
export class Session extends EventTarget {
  #answer = '';
  #location = '';
  #etag = '';
  #unsent = [];
  #negotiating = Promise.resolve();

  /** `setup` is the DTLS role that the server shall take: "passive" or "active". */
  constructor(stream, { setup = 'passive' } = {}) {
    super();
    this.setup = setup;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    for (const track of stream.getTracks()) {
      const transceiver = this.pc.addTransceiver(track, { direction: 'sendrecv', streams: [stream] });
      preferEchoedCodec(transceiver, track.kind);
    }
    this.echo = new MediaStream();
    this.pc.ontrack = ({ track }) => this.echo.addTrack(track);
    this.pc.onicecandidate = ({ candidate }) => candidate && this.#trickle(candidate);
    this.pc.onconnectionstatechange = () => this.#say(`connection ${this.pc.connectionState}`);
    this.pc.oniceconnectionstatechange = () => this.#say(`ICE ${this.pc.iceConnectionState}`);
  }

  /** Offers, and applies the answer. Resolves when both descriptions are set. */
  async connect() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const asked = performance.now();
    const response = await request('POST', `/whip?setup=${this.setup}`, {
      type: 'application/sdp', body: this.pc.localDescription.sdp,
    });
    /** The start of the session on the page's clock, as an estimate. */
    this.began = (asked + performance.now()) / 2;
    this.#location = response.headers.get('Location');
    this.#etag = response.headers.get('ETag');
    this.#answer = await response.text();
    this.#say('received the answer');
    await this.pc.setRemoteDescription({ type: 'answer', sdp: this.#answer });
    const dtls = this.dtls();
    if (dtls) dtls.onstatechange = () => this.#say(`DTLS ${dtls.state}`);
    await this.#sendCandidates();
  }

  /** Restarts ICE (RFC 9725 section 4.3.3). `rotate` asks the server for a new certificate as well. */
  async restart({ rotate = false } = {}) {
    this.#say(rotate ? 'ICE restart, new certificate' : 'ICE restart, same certificate');
    await this.pc.setLocalDescription(await this.pc.createOffer({ iceRestart: true }));
    await gathered(this.pc, 300);
    this.#unsent = [];
    const response = await request('PATCH', `${this.#location}${rotate ? '?certificate=rotate' : ''}`, {
      type: 'application/trickle-ice-sdpfrag', match: '*', body: fragment(this.pc.localDescription.sdp),
    });
    this.#etag = response.headers.get('ETag');
    this.#answer = renewed(this.#answer, await response.text());
    await this.pc.setRemoteDescription({ type: 'answer', sdp: this.#answer });
    await this.#sendCandidates();
  }

  /** The server answers consent checks with 403 from now on. */
  async revoke() {
    this.#say('consent revoked');
    await request('DELETE', `${this.#location}/consent`);
  }

  /** Ends the session on both sides. */
  async close() {
    this.#say('hung up');
    this.pc.close();
    if (this.#location) await request('DELETE', this.#location);
  }

  dtls() {
    return this.pc.getSenders().find(sender => sender.transport)?.transport;
  }

  /** What the server saw of this session. */
  async server() {
    return this.#location ? (await request('GET', `${this.#location}/stats`)).json() : null;
  }

  /** What the browser saw, reduced to what is compared. */
  async browser() {
    const stats = [...(await this.pc.getStats()).values()];
    const transport = stats.find(row => row.type === 'transport') ?? {};
    const pair = stats.find(row => row.id === transport.selectedCandidatePairId);
    const tracks = stats.filter(row => row.type === 'inbound-rtp' || row.type === 'outbound-rtp').map(row => ({
      direction: row.type === 'inbound-rtp' ? 'in' : 'out', kind: row.kind, ssrc: row.ssrc,
      packets: row.packetsReceived ?? row.packetsSent ?? 0, lost: row.packetsLost ?? 0,
      frames: row.framesDecoded ?? row.framesEncoded ?? 0,
      retransmitted: row.retransmittedPacketsSent ?? 0, keyFrameRequests: row.pliCount ?? 0,
    }));
    const remote = stats.find(row => row.id === transport.remoteCertificateId);
    // Chromium keeps outdated rows for a moment, and certificates with the transport, so read the transport first.
    return {
      connection: this.pc.connectionState, ice: this.pc.iceConnectionState,
      dtls: this.dtls()?.state, dtlsRole: transport.dtlsRole, version: transport.tlsVersion,
      cipher: transport.dtlsCipher, srtp: transport.srtpCipher, remoteFingerprint: await fingerprint(this.dtls()) ?? remote?.fingerprint,
      roundTrip: pair?.currentRoundTripTime, pairChanges: transport.selectedCandidatePairChanges, tracks,
    };
  }

  #trickle(candidate) {
    this.#unsent.push(candidate);
    if (this.#location) this.#negotiating = this.#negotiating.then(() => this.#sendCandidates());
  }

  async #sendCandidates() {
    const candidates = this.#unsent.splice(0).filter(candidate => candidate.candidate);
    if (!candidates.length || this.pc.signalingState !== 'stable') {
      this.#unsent.unshift(...candidates);
      return;
    }
    const sdp = this.pc.localDescription.sdp;
    const lines = candidates.map(candidate => `a=${candidate.candidate}`);
    await request('PATCH', this.#location, {
      type: 'application/trickle-ice-sdpfrag', match: this.#etag, body: fragment(sdp, lines),
    }).catch(error => this.#say(`the server refused candidates: ${error.message}`));
  }

  #say(what) {
    this.dispatchEvent(new CustomEvent('said', { detail: { at: performance.now(), what } }));
  }
}

/** A moving picture and a tone, without camera or microphone. */
export function synthetic(canvas) {
  const context = canvas.getContext('2d');
  let frame = 0;
  const draw = () => {
    const { width, height } = canvas;
    frame += 1;
    context.fillStyle = '#000';
    context.fillRect(0, 0, width, height);
    for (let ring = 0; ring < 24; ring += 1) {
      const angle = frame / 40 + ring * 0.55;
      const reach = 60 + ring * 6;
      context.fillStyle = `hsl(${(ring * 15 + frame) % 360} 80% 60%)`;
      context.beginPath();
      context.arc(width / 2 + Math.cos(angle) * reach, height / 2 + Math.sin(angle * 1.3) * reach * 0.8, 9, 0, 7);
      context.fill();
    }
    context.fillStyle = '#e4e8f1';
    context.font = '28px ui-monospace, monospace';
    context.fillText(`frame ${frame}`, 24, 44);
  };
  draw();
  setInterval(draw, 1000 / 30);
  const stream = canvas.captureStream(30);
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: 330 });
  const volume = new GainNode(audio, { gain: 0.1 });
  const destination = audio.createMediaStreamDestination();
  tone.connect(volume).connect(destination);
  tone.start();
  audio.resume();
  stream.addTrack(destination.stream.getAudioTracks()[0]);
  return stream;
}

/** The echo forwards what it does not understand, so it takes one codec of a kind. */
function preferEchoedCodec(transceiver, kind) {
  const wanted = kind === 'audio' ? 'audio/opus' : 'video/VP8';
  const codecs = RTCRtpSender.getCapabilities(kind).codecs;
  const first = codecs.filter(codec => codec.mimeType.toLowerCase() === wanted.toLowerCase());
  transceiver.setCodecPreferences([...first, ...codecs.filter(codec => !first.includes(codec))]);
}

/** SHA-256 of the certificate that the server showed; only where the page may compute it. */
async function fingerprint(dtls) {
  const [certificate] = dtls?.getRemoteCertificates?.() ?? [];
  if (!certificate || !crypto.subtle) return undefined;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', certificate));
  return [...hash].map(byte => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
}

async function request(method, path, { type, match, body } = {}) {
  const headers = {};
  if (type) headers['Content-Type'] = type;
  if (match) headers['If-Match'] = match;
  const response = await fetch(path, { method, headers, body });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

function gathered(pc, patience) {
  if (pc.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise(resolve => {
    setTimeout(resolve, patience);
    pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && resolve());
  });
}

/** The transport of a description as a fragment (RFC 8840), with these candidates or with its own. */
function fragment(sdp, candidates) {
  const lines = sdp.split(/\r?\n/);
  const first = lines.findIndex(line => line.startsWith('m='));
  const end = lines.findIndex((line, at) => at > first && line.startsWith('m='));
  const section = lines.slice(first, end < 0 ? undefined : end);
  const pick = prefix => section.filter(line => line.startsWith(prefix));
  return [
    ...lines.filter(line => line.startsWith('a=group:BUNDLE')).slice(0, 1),
    section[0], ...pick('a=mid:'), ...pick('a=ice-ufrag:'), ...pick('a=ice-pwd:'), ...pick('a=ice-options:'),
    ...(candidates ?? pick('a=candidate:')),
  ].join('\r\n') + '\r\n';
}

/** The answer as it stands after the server's fragment: what describes the transport is replaced. */
function renewed(answer, fragment) {
  const fresh = fragment.split(/\r?\n/).filter(line => line.startsWith('a='));
  const of = name => fresh.filter(line => line.startsWith(`a=${name}:`));
  const replaced = ['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup', 'tls-id'].filter(name => of(name).length);
  const gone = line => [...replaced, 'candidate'].some(name => line.startsWith(`a=${name}:`));
  const lines = answer.split(/\r?\n/).filter(line => !gone(line) && line !== 'a=end-of-candidates');
  let section = 0;
  return lines.flatMap(line => {
    if (line.startsWith('o=')) {
      return line.replace(/^(o=\S+ \S+ )(\d+)/, (_, before, version) => before + (Number(version) + 1));
    }
    if (!line.startsWith('a=mid:')) return [line];
    section += 1;
    const candidates = section === 1 ? [...of('candidate'), 'a=end-of-candidates'] : [];
    return [line, ...replaced.flatMap(of), ...candidates];
  }).join('\r\n');
}
