import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');

// <sys/socket.h>, <syslog.h>
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const FACILITY_DAEMON = 3;

type Sendto = (fd: number, data: Buffer, size: number, flags: number, address: Buffer, length: number) => number;

/**
 * Sends lines to the local syslog socket, as syslog(3) does (Node has no unix datagram sockets). A line that cannot be
 * sent is dropped: there is nowhere left to say it.
 */
export const toSyslog = (tag: string, socketPath = '/dev/log'): ((severity: number, message: string) => void) => {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const libc = koffi.load(null);
  const open = libc.func('int socket(int domain, int type, int protocol)') as (...args: number[]) => number;
  const sendto = libc.func(
    'long sendto(int fd, const uint8_t *data, size_t size, int flags, const uint8_t *address, uint length)',
  ) as Sendto;
  // struct sockaddr_un: the family, in the machine's byte order, and the path.
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer);
  const address = Buffer.concat([family, Buffer.from(`${socketPath}\0`)]);
  const fd = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return (severity, message) => {
    if (fd < 0) return;
    const data = Buffer.from(`<${FACILITY_DAEMON * 8 + severity}>${tag}[${process.pid}]: ${message}`);
    sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
  };
};
