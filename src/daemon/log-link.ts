import type { MonoTypeOperatorFunction } from 'rxjs';

import { logChanges, type LoggedChange, type LogOptions } from './log-changes.ts';
import type { ConnectionState } from '../sources/libvirt/reconnect.ts';

const linkChange =
  (uri: string | undefined) =>
  (link: ConnectionState): LoggedChange => {
    const component = 'libvirt';
    if (!link.up) {
      const { reason } = link;
      const message = `Not connected, trying again: ${reason}; host metrics continue`;
      return { kind: 'down', detail: reason, level: 'warning', component, messages: [message] };
    }
    const { product, reports } = link.connection;
    const message = `Connected to ${product}${uri === undefined ? '' : ` at ${uri}`}`;
    const polled = 'The driver reports no starts and stops of domains: they are listed once a period instead';
    const messages = [message, ...(reports.lifecycle ? [] : [polled])] as const;
    return { kind: 'up', detail: product, level: 'notice', component, messages };
  };

/** Logs whether libvirt is connected. `uri`: undefined for libvirt's default. */
export const logLink = (uri: string | undefined, options: LogOptions): MonoTypeOperatorFunction<ConnectionState> =>
  logChanges(linkChange(uri), options);
