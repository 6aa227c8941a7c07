// Tencent's own SDK for AI bots. One JSON line on stdin says where to connect and as which bot; each of its events goes to
// stdout, a JSON document a line. It ends when stdin ends.
import { createInterface } from 'node:readline';
import * as sdk from '@wecom/aibot-node-sdk';

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
const WSClient = sdk.WSClient ?? sdk.default.WSClient;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let client;

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { url, bot, secret, heartbeat, attempts } = JSON.parse(line);
    client?.disconnect();
    client = new WSClient({
      botId: bot,
      secret,
      wsUrl: url,
      heartbeatInterval: heartbeat ?? 30000,
      reconnectInterval: 50,
      maxReconnectAttempts: 3,
      maxAuthFailureAttempts: attempts ?? 5,
      logger: quiet,
    });
    client.on('connected', () => say({ what: 'connected' }));
    client.on('authenticated', () => say({ what: 'authenticated' }));
    client.on('disconnected', (reason) => say({ what: 'disconnected', reason }));
    client.on('reconnecting', (attempt) => say({ what: 'reconnecting', attempt }));
    client.on('error', (e) => say({ what: 'error', message: e.message, code: e.code ?? null }));
    client.on('event.disconnected_event', (f) => say({ what: 'replaced', bot: f.body.aibotid }));
    client.on('message.text', (f) => say({ what: 'text', from: f.body.from.userid, text: f.body.text.content }));
    client.connect();
  })
  .on('close', () => process.exit(0));
say({ what: 'ready' });
