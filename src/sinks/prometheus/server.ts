import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { CONTENT_TYPE } from './text.ts';

/** What is served: at `path`, made when it is asked for. */
export interface Pages {
  readonly path: string;
  readonly render: () => Promise<string>;
}

// Whoever needs longer than this to ask, or to take the answer, is no scraper. Milliseconds.
const ASKING = 5000;
const TAKING = 30_000;
const IDLE = 60_000;
// Connections at a time: one more, and the oldest is closed. So nobody can keep a scraper out by holding them.
const MOST = 32;
const HEADERS = 8192;

const answer = (response: ServerResponse, code: number, text: string, headers: Readonly<Record<string, string>> = {}) =>
  response
    .writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close', ...headers })
    .end(`${text}\n`);

const serve = ({ path, render }: Pages, { method, url = '' }: IncomingMessage, response: ServerResponse): void => {
  const asked = url.split('?', 1)[0];
  if (asked !== path) return void answer(response, 404, `There is nothing here; the metrics are at ${path}`);
  if (method !== 'GET' && method !== 'HEAD') {
    return void answer(response, 405, 'The metrics can only be read', { Allow: 'GET, HEAD' });
  }
  void render().then((text) => {
    const page = Buffer.from(text);
    response.writeHead(200, { 'Content-Type': CONTENT_TYPE, 'Content-Length': page.length });
    response.end(method === 'GET' ? page : undefined);
  });
};

/** A server for one page that no client can hold up or make large; it listens nowhere yet. */
export const pageServer = (pages: Pages): { readonly server: Server; readonly closeAll: () => void } => {
  const sockets = new Set<Socket>();
  const server = createServer({
    maxHeaderSize: HEADERS,
    headersTimeout: ASKING,
    requestTimeout: ASKING,
    keepAliveTimeout: IDLE,
    connectionsCheckingInterval: 1000,
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const late = setTimeout(() => socket.destroy(), TAKING);
    response.once('close', () => clearTimeout(late));
    serve(pages, request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const [oldest] = sockets;
    if (sockets.size > MOST) oldest?.destroy();
  });
  return {
    server,
    closeAll: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};
