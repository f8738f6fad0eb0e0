import { constants } from 'node:os';

import {
  filter,
  firstValueFrom,
  fromEvent,
  from,
  map,
  merge,
  type Observable,
  of,
  race,
  switchMap,
  take,
  timer,
} from 'rxjs';

import { findDomain, note, NOT_THERE } from '../attach/find-domain.ts';
import { escapeForLog } from '../../model/value.ts';
import { reasonOf } from '../../model/reason.ts';
import { isNotAllowed, openDomains$ } from '../../sources/libvirt/domain-devices.ts';
import { bridge } from '../../system/libc.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { exitWithoutChildren } from '../../system/process/exit.ts';
import { ignoreMeaningless, TERMINAL_SIGNALS } from '../../system/process/signals.ts';
import { type Definition, definitionOf } from '../why/definition.ts';
import { type Look, type Seen, seen$ } from '../why/observe.ts';
import type { Form } from '../why/output.ts';
import { isScreen, print$ } from '../why/print.ts';

/** Options of `vhostmd why`. */
export interface WhyOptions {
  /** Undefined for all domains. */
  readonly domain: string | undefined;
  readonly connect: string | undefined;
  readonly json: boolean;
  readonly watch: boolean;
  readonly seconds: number;
}

const NOT_SEEN = 2;
// Milliseconds in which libvirt must have found the domain.
const ANSWER = 30_000;

interface Found {
  readonly uuid: string;
  readonly definition: Definition;
}

const find = async (word: string, uri: string | undefined): Promise<Found | undefined> => {
  let connected = false;
  try {
    const access = await firstValueFrom(openDomains$(uri ?? null, false));
    connected = true;
    const domain = await findDomain(access, word, 'ifDoubtful');
    if (domain === undefined) return undefined;
    if (domain.id < 0) {
      note(`Domain "${escapeForLog(domain.name, 128)}" does not run`);
      return undefined;
    }
    const definition = definitionOf(await firstValueFrom(access.xml$(domain, 'live')));
    await firstValueFrom(access.close$());
    return { uuid: domain.uuid, definition };
  } catch (error) {
    note(escapeForLog(reasonOf(error), 1024));
    if (!connected && !isNotAllowed(error)) note(NOT_THERE);
    return undefined;
  }
};

const complained = (seen: Exclude<Seen, { readonly kind: 'observed' }>): number => {
  if (seen.kind === 'ended') note('The domain has ended');
  else {
    note(`libvirt cannot be reached: ${escapeForLog(seen.reason, 1024)}`);
    note(NOT_THERE);
  }
  return NOT_SEEN;
};

const look$ = ({ connect, json, watch, seconds }: WhyOptions, found: Found | undefined): Observable<number> => {
  const definition = found?.definition;
  const target = found && {
    uuid: found.uuid,
    devices: { disks: found.definition.disks.length, interfaces: found.definition.interfaces },
  };
  const form: Form = { definition, json, watch };
  const look: Look = { connect, seconds, target, scheduler: monotonicScheduler };
  return seen$(look).pipe(
    take(watch ? Number.POSITIVE_INFINITY : 1),
    print$(form, process.stdout),
    // A log goes on when libvirt has returned.
    filter((printed, at) => {
      if (!watch || printed.kind === 'ended' || at === 0) return !watch || printed.kind !== 'observed';
      if (printed.kind === 'away' && !isScreen(form, process.stdout)) complained(printed);
      return printed.kind === 'away' && isScreen(form, process.stdout);
    }),
    map((printed) => (printed.kind === 'observed' ? printed.status : complained(printed))),
    take(1),
  );
};

const work$ = (options: WhyOptions): Observable<number> => {
  const { domain } = options;
  if (domain === undefined) return look$(options, undefined);
  const late$ = timer(ANSWER).pipe(
    map(() => {
      note(`libvirt has not answered for ${ANSWER / 1000} seconds`);
      return undefined;
    }),
  );
  return race(from(find(domain, options.connect)), late$).pipe(
    take(1),
    switchMap((found) => (found === undefined ? of(NOT_SEEN) : look$(options, found))),
  );
};

/**
 * `vhostmd why`: collects twice and prints what the host did to a domain, or to all, in between. Needs no daemon and no
 * configuration. Exit status 0 if no cause was found, 1 if one was, 2 if nothing could be looked at.
 */
export const why = async (options: WhyOptions): Promise<number> => {
  // Ends the command at once where there can be no libvirt.
  bridge();
  ignoreMeaningless();
  const stop$ = merge(
    ...TERMINAL_SIGNALS.map((signal) => fromEvent(process, signal).pipe(map(() => 128 + constants.signals[signal]))),
    // The reader of the output is gone.
    fromEvent(process.stdout, 'error').pipe(map(() => 0)),
  ).pipe(map((status) => ({ status, stopped: true })));
  const done$ = work$(options).pipe(map((status) => ({ status, stopped: false })));
  const { status, stopped } = await firstValueFrom(merge(stop$, done$));
  // A worker thread may hang in libvirt. Who has pressed Ctrl-C does not wait for a reader of the output either.
  if (stopped) exitWithoutChildren(status);
  else process.stdout.write('', () => exitWithoutChildren(status));
  return status;
};
