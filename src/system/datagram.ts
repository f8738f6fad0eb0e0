import { getSystemErrorName } from 'node:util';

import { cLibrary } from './libc.ts';

// <sys/socket.h>, <sys/un.h>
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MOST = 108;

type Sendto = (fd: number, data: Buffer, size: number, flags: number, address: Buffer, length: number) => number;

/** Result of sending. `full`: the receiver's queue is full; `code`: name of the error, such as `ECONNREFUSED`. */
export type Sent = 'sent' | 'full' | { readonly code: string };

/**
 * Returns a function that sends datagrams to a unix socket without waiting, which Node cannot. A name that starts with
 * `@` is in the abstract namespace (unix(7)).
 */
export const datagrams = (name: string): ((text: string) => Sent) => {
  const { koffi, self } = cLibrary();
  const open = self.func('int socket(int domain, int type, int protocol)') as (...args: number[]) => number;
  const sendto = self.func(
    'long sendto(int fd, const uint8_t *data, size_t size, int flags, const uint8_t *address, uint length)',
  ) as Sendto;
  const failed = (): Sent => {
    const code = getSystemErrorName(-koffi.errno());
    return code === 'EAGAIN' || code === 'ENOBUFS' ? 'full' : { code };
  };
  // struct sockaddr_un: the family in the machine's byte order, then the name; only a path ends in a NUL.
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer);
  const address = Buffer.concat([family, Buffer.from(name.startsWith('@') ? `\0${name.slice(1)}` : `${name}\0`)]);
  let fd = -1;
  return (text) => {
    if (address.length > family.length + MOST) return { code: 'ENAMETOOLONG' };
    if (fd < 0) fd = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return failed();
    const data = Buffer.from(text);
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return sendto(fd, data, data.length, flags, address, address.length) < 0 ? failed() : 'sent';
  };
};
