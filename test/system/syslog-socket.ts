import koffi from 'koffi';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MOST = 65_536;

/** A unix datagram socket in place of syslog's; `received` returns the messages that have arrived. */
export const syslogSocket = (
  file: string,
): { readonly received: () => readonly string[]; readonly close: () => void } => {
  mkdirSync(path.dirname(file), { recursive: true });
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)') as (...args: number[]) => number;
  const bind = libc.func('int bind(int fd, const uint8_t *address, uint length)') as (...args: unknown[]) => number;
  const recv = libc.func('long recv(int fd, _Out_ uint8_t *data, size_t size, int flags)') as (
    ...args: unknown[]
  ) => number;
  const close = libc.func('int close(int fd)') as (fd: number) => number;
  const address = Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), Buffer.from(`${file}\0`)]);
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (bind(fd, address, address.length) !== 0) throw new Error(`cannot bind ${file}`);
  const received = (): readonly string[] => {
    const lines: string[] = [];
    const data = Buffer.alloc(MOST);
    for (;;) {
      const length = recv(fd, data, MOST, MSG_DONTWAIT);
      if (length < 0) return lines;
      lines.push(data.toString('utf8', 0, length));
    }
  };
  return { received, close: () => void close(fd) };
};
