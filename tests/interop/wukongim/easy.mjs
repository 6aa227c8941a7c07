// The JSON-RPC client easyjssdk. Lines on stdin: {url, uid, token, flag, device} logs in, with {again: MS} once more so
// long after every kick, {hangup: true} leaves. What happens goes
// to stdout, a JSON document a line. It ends when stdin ends.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
globalThis.WebSocket = WebSocket;
console.log = console.warn = console.error = console.debug = () => {};
const { WKIM, WKIMEvent } = createRequire(import.meta.url)('easyjssdk');

let im;
let next;
const login = (asked) => {
  const { url, uid, token, flag, device, again } = asked;
  im?.disconnect();
  im = WKIM.init(url, { uid, token, deviceId: device, deviceFlag: flag });
  im.on(WKIMEvent.Connect, (r) => say({ what: 'connected', reasonCode: r.reasonCode }));
  im.on(WKIMEvent.Disconnect, (r) => {
    say({ what: 'disconnected', reasonCode: r?.reasonCode, code: r?.code });
    clearTimeout(next);
    if (again && r?.reasonCode === 12) next = setTimeout(() => login(asked), again);
  });
  im.connect().catch((e) => say({ what: 'refused', message: String(e?.message ?? e) }));
};
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const asked = JSON.parse(line);
    clearTimeout(next);
    if (asked.hangup) im?.disconnect();
    else login(asked);
  })
  .on('close', () => process.exit(0));
say({ what: 'ready' });
