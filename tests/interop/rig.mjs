// The reference SDK in Node, driven by lines of JSON on stdin; what happens comes back as lines of JSON on stdout.
// Audio is a sine that the rig generates, and 16-bit PCM of what it hears, written to a file on request.
import { createInterface } from "node:readline";
import { openSync, writeSync, ftruncateSync, closeSync } from "node:fs";
import wrtc from "@roamhq/wrtc";
import WebSocket from "ws";

const { RTCAudioSource, RTCAudioSink } = wrtc.nonstandard;
const RATE = 48000;
const TEN_MS = RATE / 100;

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

class Storage {
  #items = new Map();
  getItem(key) {
    return this.#items.has(key) ? this.#items.get(key) : null;
  }
  setItem(key, value) {
    this.#items.set(key, String(value));
  }
  removeItem(key) {
    this.#items.delete(key);
  }
}

function tone(hertz) {
  const source = new RTCAudioSource();
  const track = source.createTrack();
  let position = 0;
  const timer = setInterval(() => {
    if (track.readyState === "ended") {
      clearInterval(timer);
      return;
    }
    const samples = new Int16Array(TEN_MS);
    for (let index = 0; index < TEN_MS; index++, position++) {
      samples[index] = 8000 * Math.sin((2 * Math.PI * hertz * position) / RATE);
    }
    source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: TEN_MS });
  }, 10);
  return track;
}

const element = () => ({ setAttribute() {}, play: async () => {}, pause() {}, load() {}, remove() {}, style: {} });
const target = { addEventListener() {}, removeEventListener() {}, dispatchEvent: () => true };
let hertz = 440;
const navigator = {
  userAgent: "telnyx-rtc interop",
  onLine: true,
  mediaDevices: {
    ...target,
    getUserMedia: async () => new wrtc.MediaStream([tone(hertz)]),
    enumerateDevices: async () => [],
    getSupportedConstraints: () => ({}),
  },
};
const document = {
  ...target,
  createElement: element,
  getElementById: () => null,
  body: { appendChild() {} },
  visibilityState: "visible",
};
for (const [name, value] of Object.entries({
  ...wrtc,
  WebSocket,
  navigator,
  document,
  localStorage: new Storage(),
  sessionStorage: new Storage(),
  location: { href: "http://localhost/", hostname: "localhost", protocol: "http:" },
  HTMLMediaElement: class {},
  Audio: element,
})) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
globalThis.window = globalThis;
globalThis.self = globalThis;
Object.assign(globalThis, { ...target });
globalThis.requestAnimationFrame = (run) => setTimeout(run, 16);

// The SDK logs to the console; stdout belongs to the rig.
for (const level of ["log", "info", "warn", "error", "debug", "trace", "groupCollapsed", "groupEnd"]) {
  console[level] = (...words) => process.env.RIG_VERBOSE && process.stderr.write(`${words.join(" ")}\n`);
}
// A browser reports what a listener throws and goes on; the SDK's own listeners do throw after a peer is closed.
process.on("uncaughtException", (error) => say({ event: "exception", text: String(error) }));
process.on("unhandledRejection", (reason) => say({ event: "rejection", text: String(reason) }));

const { default: sdk } = await import("@telnyx/webrtc");
const { TelnyxRTC } = sdk;

let client;
const calls = new Map();
const recordings = new Map();


const operations = {
  connect({ options, tone: pitch }) {
    hertz = pitch ?? hertz;
    client = new TelnyxRTC(options);
    for (const name of ["telnyx.ready", "telnyx.error", "telnyx.warning", "telnyx.socket.close", "telnyx.socket.open"]) {
      client.on(name, (event) => {
        const code = event?.error?.code ?? event?.warning?.code ?? event?.code;
        say({ event: name, code, text: event?.error?.message });
      });
    }
    client.on("telnyx.notification", ({ type, call }) => {
      if (type !== "callUpdate") return;
      calls.set(call.id, call);
      say({ event: "call", id: call.id, state: call.state, direction: call.direction, cause: call.cause });
    });
    client.connect();
  },
  call({ to, codec, ...options }) {
    // libwebrtc takes only what it has itself offered, to the letter.
    const all = wrtc.RTCRtpSender.getCapabilities("audio").codecs;
    const preferred_codecs = codec && all.filter(({ mimeType }) => mimeType === `audio/${codec}`);
    const call = client.newCall({ destinationNumber: to, audio: true, preferred_codecs, ...options });
    calls.set(call.id, call);
    return { id: call.id };
  },
  answer: ({ id }) => calls.get(id).answer(),
  hangup: ({ id }) => calls.get(id).hangup(),
  hold: ({ id }) => calls.get(id).hold(),
  unhold: ({ id }) => calls.get(id).unhold(),
  dtmf: ({ id, digits }) => calls.get(id).dtmf(digits),
  // The SDK's own way, which its health monitor takes.
  restartIce: ({ id }) => calls.get(id).peer.restartIce(),
  // No RTP at all, where muting sends silence.
  fallSilent: ({ id }) => Promise.all(calls.get(id).peer.instance.getSenders().map((sender) => sender.replaceTrack(null))).then(() => {}),
  states: ({ id }) => {
    const { connectionState, iceConnectionState, signalingState } = calls.get(id).peer.instance;
    return { connectionState, iceConnectionState, signalingState };
  },
  record({ id, file }) {
    const descriptor = openSync(file, "w", 0o600);
    const [track] = calls.get(id).remoteStream.getAudioTracks();
    const sink = new RTCAudioSink(track);
    let format = "";
    let position = 0;
    sink.ondata = ({ samples, sampleRate, channelCount }) => {
      if (format !== `${sampleRate}/${channelCount}`) {
        // Until the codec is known the sink delivers at a rate of its own: begin anew when that changes.
        format = `${sampleRate}/${channelCount}`;
        position = 0;
        ftruncateSync(descriptor);
        say({ event: "recording", file, rate: sampleRate, channels: channelCount });
      }
      position += writeSync(descriptor, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength), 0, undefined, position);
    };
    recordings.set(file, () => {
      sink.stop();
      closeSync(descriptor);
    });
  },
  stop({ file }) {
    recordings.get(file)?.();
    recordings.delete(file);
  },
  disconnect: () => client.disconnect(),
  exit: () => process.exit(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, seq, ...rest } = JSON.parse(line);
  Promise.resolve()
    .then(() => operations[op](rest))
    .then((value) => say({ done: seq, value: typeof value === "object" ? value : { result: value } }))
    .catch((error) => say({ done: seq, failed: String(error?.stack ?? error) }));
}
process.exit(0);
