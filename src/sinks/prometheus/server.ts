import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';

import { type Variant, variantOf } from './content-negotiation.ts';
import { limited } from './connections.ts';
import { CONTENT_TYPES } from './exposition.ts';

/** The served page: made at each request for `path`. */
export interface Pages {
  readonly path: string;
  readonly render: (variant: Variant) => Promise<Buffer>;
}

// Milliseconds for sending a request; a scraper is faster.
const REQUEST_TIMEOUT_MS = 5000;
const IDLE_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 8192;

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || !['0', undefined].includes(headers['content-length']);

const send = (
  { method }: IncomingMessage,
  response: ServerResponse,
  code: number,
  body: Buffer,
  headers: OutgoingHttpHeaders,
): void => {
  response.writeHead(code, { 'Content-Length': body.length, 'X-Content-Type-Options': 'nosniff', ...headers });
  response.end(method === 'HEAD' ? undefined : body);
};

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' };
const HTML = { 'Content-Type': 'text/html; charset=utf-8' };

// The path needs no escaping, because the option is checked.
const landing = (path: string): string =>
  `<!doctype html>\n<html lang="en"><title>vhostmd</title><h1>vhostmd</h1><p><a href="${path}">Metrics</a></p></html>\n`;

const answer = ({ path, render }: Pages, request: IncomingMessage, response: ServerResponse): void => {
  const { method, url = '', headers } = request;
  const said = (code: number, text: string, more: OutgoingHttpHeaders = {}): void =>
    send(request, response, code, Buffer.from(`${text}\n`), { ...TEXT, ...more });
  const asked = url.split('?', 1)[0];
  if (asked !== path && asked !== '/') return said(404, `There is nothing here; the metrics are at ${path}`);
  if (method !== 'GET' && method !== 'HEAD') {
    return said(405, 'The metrics can only be read', { Allow: 'GET, HEAD' });
  }
  // A body is not read, so later requests of the connection cannot be parsed.
  const last = hasBody(request) ? { Connection: 'close' } : {};
  if (asked !== path) return send(request, response, 200, Buffer.from(landing(path)), { ...HTML, ...last });
  const variant = variantOf(headers.accept, headers['accept-encoding']);
  void render(variant).then((page) => {
    send(request, response, 200, page, {
      'Content-Type': CONTENT_TYPES[variant.format],
      Vary: 'Accept, Accept-Encoding',
      ...(variant.gzip ? { 'Content-Encoding': 'gzip' } : {}),
      ...last,
    });
  });
};

/** Makes a server for one page, whose memory and time no client can exhaust. It does not listen yet. */
export const pageServer = (pages: Pages): { readonly server: Server; readonly closeAll: () => void } => {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    connectionsCheckingInterval: 1000,
  });
  return { server, closeAll: limited(server, (request, response) => answer(pages, request, response)) };
};
