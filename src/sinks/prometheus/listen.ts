import { isIPv6, type Server } from 'node:net';

import { Observable } from 'rxjs';

import { reasonOf } from '../../model/reason.ts';
import { type Listening, unixListening$ } from '../../system/unix-socket.ts';

/** Address of a server. */
export type Address =
  /** Without `host`: all addresses of the machine, IPv6 and IPv4. */
  | { readonly kind: 'tcp'; readonly host?: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Description of valid values of `listen`, for a message. */
export const LISTEN =
  'an address and a port like 127.0.0.1:9177, localhost:9177 or [::1]:9177, for all addresses [::]:9177, :9177 or 9177, or unix:/path';

/** Parses an address as in `LISTEN`, or `*:9177`; undefined if it is invalid. */
export const addressOf = (text: string): Address | undefined => {
  const path = /^unix:(\/.*[^/])$/s.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, six, name, digits = ''] =
    /^(?:(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([\w.-]+)|\*)?:)?(\d{1,5})$/.exec(text) ?? [];
  const host = six ?? name;
  const port = Number(digits);
  if (port < 1 || port > 65_535 || (six !== undefined && !isIPv6(six))) return undefined;
  return { kind: 'tcp', port, ...(host === undefined ? {} : { host }) };
};

/** Formats the host of an address as in a URL; `*` for all addresses. */
export const hostText = ({ host = '*' }: { readonly host?: string }): string =>
  host.includes(':') ? `[${host}]` : host;

/** True if only programs of this machine can reach the address. */
export const isLocal = (address: Address): boolean =>
  address.kind === 'unix' || /^(127\.[\d.]+|::1|localhost)$/i.test(address.host ?? '');

const explained = (error: NodeJS.ErrnoException, where: string): string => {
  const other = 'choose another with <option name="listen">';
  switch (error.code) {
    case 'EADDRINUSE':
      return `Cannot listen on ${where}: another program listens there; stop it, or ${other}`;
    case 'EADDRNOTAVAIL':
      return `Cannot listen on ${where}: this machine has no such address; ${other}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `Cannot listen on ${where}: the name of the host is not known here; ${other}`;
    case 'EACCES':
      return `Cannot listen on ${where}: not allowed for this user (ports below 1024 are root's); ${other}`;
    default:
      return `Cannot listen on ${where}: ${reasonOf(error)}; ${other}`;
  }
};

/** Lets a server listen until it is unsubscribed; emits once. Errors if it cannot listen, or stops listening. */
export const listening$ = (server: Server, address: Address): Observable<Listening> => {
  if (address.kind === 'unix') return unixListening$(server, address.path, 0o660);
  const { port } = address;
  // Without a host Node listens on IPv6 and IPv4, or only on IPv4 if the kernel has no IPv6.
  const where = address.host === undefined ? { port } : { host: address.host, port };
  return new Observable((subscriber) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      subscriber.error(new Error(explained(error, `${hostText(address)}:${port}`), { cause: error }));
    server.once('error', fail);
    server.listen(where, () => subscriber.next({ lost: () => undefined }));
    return () => {
      server.off('error', fail);
      server.on('error', () => undefined);
      server.close();
    };
  });
};
