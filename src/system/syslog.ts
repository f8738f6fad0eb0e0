import { datagrams } from './datagram.ts';

// <syslog.h>
const FACILITY_DAEMON = 3;

/**
 * Sends lines to the local syslog socket, as syslog(3) does. A line that cannot be sent is dropped: there is nowhere left
 * to say it.
 */
export const toSyslog = (tag: string, socketPath = '/dev/log'): ((severity: number, message: string) => void) => {
  const send = datagrams(socketPath);
  return (severity, message) => {
    send(`<${FACILITY_DAEMON * 8 + severity}>${tag}[${process.pid}]: ${message}`);
  };
};
