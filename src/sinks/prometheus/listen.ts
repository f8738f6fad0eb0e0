import type { Server } from 'node:net';

import { Observable } from 'rxjs';

import { reasonOf } from '../../reason.ts';
import { type Listening, unixListening$ } from '../../unix-socket.ts';

/** Where a server listens. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** `127.0.0.1:9177`, `[::1]:9177`, `localhost:9177` or `unix:/run/vhostmd/metrics.sock`; undefined if it is none. */
export const addressOf = (text: string): Address | undefined => {
  const path = /^unix:(\/.*[^/])$/s.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, six, name, digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = six ?? name;
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { kind: 'tcp', host, port };
};

/** Whether programs of this machine only can reach it. */
export const isLocal = (address: Address): boolean =>
  address.kind === 'unix' || /^(127\.[\d.]+|::1|localhost)$/.test(address.host);

const explained = (error: NodeJS.ErrnoException, where: string): string => {
  const other = 'choose another with <option name="listen">';
  switch (error.code) {
    case 'EADDRINUSE':
      return `Cannot listen on ${where}: another program listens there; stop it, or ${other}`;
    case 'EADDRNOTAVAIL':
      return `Cannot listen on ${where}: this machine has no such address; ${other}`;
    case 'EACCES':
      return `Cannot listen on ${where}: not allowed for this user (ports below 1024 are root's); ${other}`;
    default:
      return `Cannot listen on ${where}: ${reasonOf(error)}; ${other}`;
  }
};

/** Lets a server listen until it is unsubscribed; emits once, errors if it cannot or cannot any more. */
export const listening$ = (server: Server, address: Address): Observable<Listening> => {
  if (address.kind === 'unix') return unixListening$(server, address.path, 0o660);
  const { host, port } = address;
  return new Observable((subscriber) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      subscriber.error(new Error(explained(error, `${host}:${port}`), { cause: error }));
    server.once('error', fail);
    server.listen({ host, port }, () => subscriber.next({ lost: () => undefined }));
    return () => {
      server.off('error', fail);
      server.on('error', () => undefined);
      server.close();
    };
  });
};
