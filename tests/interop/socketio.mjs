// The official Socket.IO client. One JSON line on stdin says where to listen; what happens goes to stdout, a JSON document a line.
// It ends when stdin ends.
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
const lines = createInterface({ input: process.stdin });
let socket;

lines.on('line', (line) => {
  const { url, namespace = '', key } = JSON.parse(line);
  socket?.disconnect();
  socket = io(url + namespace, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    timeout: 5000,
    query: key === undefined ? {} : { apikey: key },
  });
  socket.on('connect', () => say({ what: 'connected', id: typeof socket.id }));
  socket.on('connect_error', (e) => say({ what: 'refused', message: e.message }));
  socket.on('disconnect', (reason) => say({ what: 'disconnected', reason }));
  socket.onAny((event, body) => say({ what: 'event', event, body }));
});
lines.on('close', () => {
  socket?.disconnect();
  process.exit(0);
});
say({ what: 'ready' });
