import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');

// <sys/socket.h>, <syslog.h>; struct sockaddr_un is the family and a path of 108 bytes.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const FACILITY_DAEMON = 3;

/**
 * Sends lines to the local syslog socket, as syslog(3) does (Node has no unix datagram sockets). A line that cannot be
 * sent is dropped: there is nowhere left to say it.
 */
export const toSyslog = (tag: string, socketPath = '/dev/log'): ((severity: number, message: string) => void) => {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const libc = koffi.load(null);
  const open = libc.func('int socket(int domain, int type, int protocol)') as (...args: number[]) => number;
  const send = libc.func(
    'ssize_t sendto(int fd, const uint8_t *data, size_t size, int flags, const uint8_t *address, uint length)',
  ) as (fd: number, data: Buffer, size: number, flags: number, address: Buffer, length: number) => number;
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(socketPath, 2);
  const fd = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return (severity, message) => {
    if (fd < 0) return;
    const data = Buffer.from(`<${FACILITY_DAEMON * 8 + severity}>${tag}[${process.pid}]: ${message}`);
    send(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
  };
};
