// The official JS SDK (binary protocol). One JSON line on stdin says where to log in and as whom; each change of its status goes
// to stdout, a JSON document a line. It ends when stdin ends.
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import WKSDK from 'wukongimjssdk';

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
globalThis.WebSocket = WebSocket;
// The SDK talks a lot; stdout is ours.
console.log = console.warn = console.error = console.debug = () => {};

const sdk = WKSDK.shared();
sdk.connectManager.addConnectStatusListener((status, reason) => say({ what: 'status', status, reason }));
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { url, uid, token, flag } = JSON.parse(line);
    sdk.connectManager.disconnect();
    Object.assign(sdk.config, { addr: url, uid, token, deviceFlag: flag ?? sdk.config.deviceFlag });
    sdk.connectManager.connect();
  })
  .on('close', () => process.exit(0));
say({ what: 'ready', flag: sdk.config.deviceFlag });
