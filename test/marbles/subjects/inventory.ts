import { NEVER, type Observable } from 'rxjs';

import { type Inventory, inventory$ } from '../../../src/streams/inventory.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';
import { domainEventOf } from './domains.ts';

const show = ({ connected, domains }: Inventory): string => {
  const names = domains.map(({ uuid }) => uuid).join(' ');
  return `${connected ? '' : 'away: '}${names === '' ? 'none' : names}`;
};

/** `> inventory`: from `domains` to `inventory`, shown as letters `a b`, `none` or `away: a b`. */
export const inventorySubject = (on: Stage): Observable<unknown> =>
  on.watch$('inventory', inventory$(on.input$('domains', domainEventOf), NEVER, on.scheduler), ({ inventory }) =>
    show(inventory),
  );
