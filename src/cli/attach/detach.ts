import { defer, firstValueFrom, map } from 'rxjs';

import { reasonOf } from '../../model/reason.ts';
import type { DomainConfigScope } from '../../sources/libvirt/domain-devices.ts';
import { escapeForLog } from '../../model/value.ts';
import { waitUntilDetached$ } from './wait-until-detached.ts';
import { definitionOf, findDevice, type Step } from './device-plan.ts';
import { type Done, nameOf, placeOf, sentence, type Session } from './attach-context.ts';

const sayMissing = ({ note }: Session, { device }: Step, places: readonly DomainConfigScope[]): void =>
  note(`${sentence(nameOf(device))} is not in ${places.map(placeOf).join(', nor in ')}`);

/** Prints the element of a device from the domain's XML. */
export const printElement = (session: Session, step: Step, print: (xml: string) => void): Done => {
  const [first] = step.there;
  if (first === undefined) {
    sayMissing(
      session,
      step,
      session.definitions.map(({ where }) => where),
    );
    return 'nothing';
  }
  // Removes the indentation of the domain's XML.
  print(`${first.element.xml.replaceAll('\n    ', '\n')}\n`);
  session.note(
    `${sentence(nameOf(step.device))} is in ${step.there.map(({ where }) => placeOf(where)).join(' and in ')}`,
  );
  return 'done';
};

/** Detaches a device from one definition of the domain. The guest of a running domain must release it. */
export const detachFrom = async (session: Session, step: Step, where: DomainConfigScope): Promise<Done> => {
  const { access, domain, note, tell, scheduler } = session;
  const { device } = step;
  const element = step.there.find((presence) => presence.where === where)?.element;
  if (element === undefined) {
    sayMissing(session, step, [where]);
    return 'nothing';
  }
  try {
    await firstValueFrom(access.detach$(domain, element.xml, where));
    const there$ = defer(() => access.xml$(domain, 'live')).pipe(
      map((xml) => findDevice(device, definitionOf('live', xml)) !== undefined),
    );
    if (where === 'live' && !(await firstValueFrom(waitUntilDetached$(there$, scheduler)))) {
      note(
        `${sentence(nameOf(device))} is still in the running domain: the guest has not released it ` +
          'within 10 s. It may be paused, or lack hot-plug support; the device leaves when the guest answers or stops',
      );
      return 'failed';
    }
  } catch (error) {
    note(
      `${sentence(nameOf(device))} cannot be detached from ${placeOf(where)}: ${escapeForLog(reasonOf(error), 1024)}`,
    );
    return 'failed';
  }
  tell(`Detached ${nameOf(device)} from ${placeOf(where)}`);
  return 'done';
};
