import { firstValueFrom } from 'rxjs';

import { attachTo, printXml } from '../attach/attach.ts';
import { detachFrom, printElement } from '../attach/detach.ts';
import { deviceFor, type DeviceKind, toAttach, toDetach } from '../attach/devices.ts';
import { definitionOf, findDevice, planSteps } from '../attach/device-plan.ts';
import { findDomain, note, NOT_THERE } from '../attach/find-domain.ts';
import { type Done, once, placeOf, realPath, type Session } from '../attach/attach-context.ts';
import { formatDiagnostic, type Config } from '../../config/config.ts';
import { readConfig } from '../../config/parse.ts';
import type { Domain } from '../../model/metric.ts';
import { bridge } from '../../system/libc.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { isRoot } from '../../system/process/privileges.ts';
import { reasonOf } from '../../model/reason.ts';
import {
  type DomainAccess,
  isNotAllowed,
  openDomains$,
  type DomainConfigScope,
} from '../../sources/libvirt/domain-devices.ts';
import { isLogin } from '../../sources/libvirt/open-connection.ts';
import { complain, shownAt } from '../../system/safe-output.ts';
import { escapeForLog } from '../../model/value.ts';

export interface AttachOptions {
  readonly domain: string;
  readonly config: string;
  readonly connect: string | undefined;
  /** Devices to attach or detach; empty: all that the configuration serves. */
  readonly devices: readonly DeviceKind[];
  readonly live: boolean;
  readonly persistent: boolean;
  readonly detach: boolean;
  /** True if the domain may start without the disk. */
  readonly optional: boolean;
}

const refusal = (domain: Domain, persistent: boolean, options: AttachOptions): string | undefined => {
  if (options.live && domain.id < 0)
    return 'The domain does not run, so --live has nothing to change; use --config, for its next start';
  if (options.persistent && !persistent)
    return 'The domain is transient: it has no persistent definition that --config could change; use --live';
  return undefined;
};

const placesOf = (live: boolean, persistent: boolean): readonly DomainConfigScope[] =>
  (['live', 'persistent'] as const).filter((where) => (where === 'live' ? live : persistent));

const openSession = async (
  access: DomainAccess,
  config: Config,
  kinds: readonly DeviceKind[],
  options: AttachOptions,
): Promise<Session | undefined> => {
  const domain = await findDomain(access, options.domain, 'always');
  if (domain === undefined) return undefined;
  const persistent = await firstValueFrom(access.isPersistent$(domain));
  const refused = refusal(domain, persistent, options);
  if (refused !== undefined) {
    note(refused);
    return undefined;
  }
  const places = placesOf(options.live, options.persistent);
  const wheres = placesOf(domain.id >= 0, persistent);
  const definitions = [];
  for (const where of wheres) definitions.push(definitionOf(where, await firstValueFrom(access.xml$(domain, where))));
  const devices = kinds.map((kind) => deviceFor(kind, config, domain.uuid, realPath));
  const steps = planSteps(devices, definitions, await firstValueFrom(access.hasDac$()), options.optional);
  return {
    access,
    domain,
    definitions,
    steps,
    places,
    scheduler: monotonicScheduler,
    tell: console.log,
    ...once(note),
  };
};

const carryOut = async (session: Session, options: AttachOptions): Promise<readonly Done[]> => {
  const done: Done[] = [];
  if (session.places.length === 0) {
    const show = options.detach ? printElement : printXml;
    for (const step of session.steps)
      done.push(show(session, step, (xml) => process.stdout.write(shownAt(process.stdout, xml, 'xml'))));
    const printed = done.filter((one) => one === 'done').length;
    const what = options.detach ? 'detaches' : 'attaches';
    if (printed > 0) note(`Nothing is changed: --live ${what} it now, --config for the next start of the domain`);
    if (printed > 1) note('virsh takes one device at a time: choose it with --device');
    return done;
  }
  const change = options.detach ? detachFrom : attachTo;
  for (const step of session.steps) {
    for (const where of session.places) done.push(await change(session, step, where));
  }
  return done;
};

/** Notes that a domain with a private disk also has the shared one, which shows all other domains. */
const noteSharedDisk = ({ definitions, domain }: Session, kinds: readonly DeviceKind[], config: Config): void => {
  if (config.disk === undefined || !kinds.includes('private-disk') || kinds.includes('shared-disk')) return;
  const shared = deviceFor('shared-disk', config, domain.uuid, realPath);
  const places = definitions.filter((definition) => findDevice(shared, definition) !== undefined);
  if (places.length === 0) return;
  const where = places.map((definition) => placeOf(definition.where)).join(' and in ');
  note(`The shared disk, which shows all domains, is in ${where}: --detach --device shared-disk removes it`);
};

/**
 * `vhostmd attach`: prints, attaches or detaches the devices for metrics. Exit status 0 if something was done, 1 if
 * there was nothing to do or something failed, 2 for an invalid configuration.
 */
export const attach = async (options: AttachOptions): Promise<number> => {
  // Ends the command at once where there can be no libvirt.
  bridge();
  const read = readConfig(options.config);
  if (!read.ok) {
    for (const error of read.error) complain(formatDiagnostic(error));
    return 2;
  }
  const choice = (options.detach ? toDetach : toAttach)(read.value, options.devices);
  if (!choice.ok) {
    note(choice.error);
    return 2;
  }
  const changes = options.live || options.persistent;
  let connected = false;
  try {
    const access = await firstValueFrom(openDomains$(options.connect ?? null, changes));
    connected = true;
    const session = await openSession(access, read.value, choice.value, options);
    const done = session === undefined ? [] : await carryOut(session, options);
    if (session !== undefined && !options.detach) noteSharedDisk(session, choice.value, read.value);
    await firstValueFrom(access.close$());
    return done.includes('done') && !done.includes('failed') ? 0 : 1;
  } catch (error) {
    note(escapeForLog(reasonOf(error), 1024));
    if (!connected && !isNotAllowed(error)) note(NOT_THERE);
    if (changes && isNotAllowed(error) && !isLogin(error) && !isRoot())
      note('Changing domains needs root, or a user whom libvirt allows it');
    return 1;
  }
};
