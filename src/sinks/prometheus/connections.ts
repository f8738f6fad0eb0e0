import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

// Milliseconds for taking an answer; whoever needs longer is no scraper.
const TAKING = 30_000;
// Connections at a time: one more, and the oldest is closed. So nobody can keep a scraper out by holding them.
const MOST = 32;
// Requests that may wait behind the one that is being answered; each costs some KiB.
const WAITING = 8;

/** Answers a request; it returns before the answer is sent. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Connection {
  busy: boolean;
  readonly waiting: (() => void)[];
}

/** Limits the connections of a server, and answers one request of a connection at a time. Returns what closes all. */
export const limited = (server: Server, answer: Answer): (() => void) => {
  const connections = new Map<Socket, Connection>();
  server.on('connection', (socket) => {
    connections.set(socket, { busy: false, waiting: [] });
    socket.once('close', () => connections.delete(socket));
    const [oldest] = connections.keys();
    if (connections.size > MOST) oldest?.destroy();
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const connection = connections.get(socket);
    // All requests of one packet arrive here, those behind a closed connection, too.
    if (connection === undefined || socket.destroyed) return;
    const begin = (): void => {
      connection.busy = true;
      const late = setTimeout(() => socket.destroy(), TAKING).unref();
      response.once('close', () => {
        clearTimeout(late);
        connection.busy = false;
        if (!socket.destroyed) connection.waiting.shift()?.();
      });
      answer(request, response);
    };
    if (!connection.busy) return begin();
    connection.waiting.push(begin);
    if (connection.waiting.length > WAITING) {
      connection.waiting.length = 0;
      socket.destroy();
    }
  });
  return () => {
    for (const socket of connections.keys()) socket.destroy();
  };
};
