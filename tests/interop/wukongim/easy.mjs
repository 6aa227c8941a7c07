// The JSON-RPC client easyjssdk. Lines on stdin: {url, uid, token, flag, device} logs in, {hangup: true} leaves. What happens goes
// to stdout, a JSON document a line. It ends when stdin ends.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
globalThis.WebSocket = WebSocket;
console.log = console.warn = console.error = console.debug = () => {};
const { WKIM, WKIMEvent } = createRequire(import.meta.url)('easyjssdk');

let im;
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { url, uid, token, flag, device, hangup } = JSON.parse(line);
    im?.disconnect();
    if (hangup) return;
    im = WKIM.init(url, { uid, token, deviceId: device, deviceFlag: flag });
    im.on(WKIMEvent.Connect, (r) => say({ what: 'connected', reasonCode: r.reasonCode }));
    im.on(WKIMEvent.Disconnect, (r) => say({ what: 'disconnected', reasonCode: r?.reasonCode, code: r?.code }));
    im.connect().catch((e) => say({ what: 'refused', message: String(e?.message ?? e) }));
  })
  .on('close', () => process.exit(0));
say({ what: 'ready' });
