import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

// Milliseconds for reading an answer; a scraper is faster.
const ANSWER_TIMEOUT_MS = 30_000;
// Connections at a time. Another one closes the oldest, so that idle connections cannot lock a scraper out.
const MAX_CONNECTIONS = 32;
// Requests that may wait for an earlier answer; each costs some KiB.
const MAX_WAITING_REQUESTS = 8;

/** Answers a request. Returns before the answer is sent. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Connection {
  busy: boolean;
  readonly waiting: (() => void)[];
}

/** Limits the connections of a server, each with one request at a time. Returns a function that closes all. */
export const limited = (server: Server, answer: Answer): (() => void) => {
  const connections = new Map<Socket, Connection>();
  server.on('connection', (socket) => {
    connections.set(socket, { busy: false, waiting: [] });
    socket.once('close', () => connections.delete(socket));
    const [oldest] = connections.keys();
    if (connections.size > MAX_CONNECTIONS) oldest?.destroy();
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const connection = connections.get(socket);
    // All requests of one packet arrive here, even after the connection was closed.
    if (connection === undefined || socket.destroyed) return;
    const begin = (): void => {
      connection.busy = true;
      const late = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT_MS).unref();
      response.once('close', () => {
        clearTimeout(late);
        connection.busy = false;
        if (!socket.destroyed) connection.waiting.shift()?.();
      });
      answer(request, response);
    };
    if (!connection.busy) return begin();
    connection.waiting.push(begin);
    if (connection.waiting.length > MAX_WAITING_REQUESTS) {
      connection.waiting.length = 0;
      socket.destroy();
    }
  });
  return () => {
    for (const socket of connections.keys()) socket.destroy();
  };
};
