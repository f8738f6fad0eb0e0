import { firstValueFrom } from 'rxjs';

import { reasonOf } from '../../model/reason.ts';
import type { DomainConfigScope } from '../../sources/libvirt/domain-devices.ts';
import { escapeForLog } from '../../model/value.ts';
import { hasSerialController, devOf, isWritable, type Step } from './device-plan.ts';
import { type Done, fileProblem, nameOf, placeOf, sentence, type Session } from './attach-context.ts';

const REMEDIES = {
  'shared-disk': 'start vhostmd with this configuration first',
  'private-disk': 'vhostmd makes it for each domain that libvirt knows: start vhostmd with this configuration first',
} as const;

const NO_CONTROLLER = 'The running domain has no virtio-serial controller, and libvirt cannot plug one in';

// Error of QEMU's machine q35, whose PCI ports are fixed at the start.
const NO_PORT = /no more available pci/i;
const NO_PORT_ADVICE =
  'The running domain has no free PCI port: add some to its definition (virt-xml DOMAIN --add-device --controller type=pci,model=pcie-root-port), or wait for its next start (--config)';

const sayThere = ({ note }: Session, step: Step, where: DomainConfigScope): void => {
  const element = step.there.find((presence) => presence.where === where)?.element;
  const dev = element && devOf(element);
  const as = dev === undefined ? '' : `, as ${escapeForLog(dev)}`;
  note(`${sentence(nameOf(step.device))} is already in ${placeOf(where)}${as}`);
  if (element !== undefined && isWritable(element)) {
    note(`There it is not read-only: the guest can overwrite the metrics. Detach it, and attach it again`);
  }
};

const lacksController = ({ definitions }: Session, { device }: Step): boolean =>
  device.kind === 'channel' &&
  definitions.some((definition) => definition.where === 'live' && !hasSerialController(definition));

/** Prints the XML of a device, unless all definitions have it already. */
export const printXml = (session: Session, step: Step, print: (xml: string) => void): Done => {
  const { definitions, note } = session;
  for (const { where } of step.there) sayThere(session, step, where);
  const missing = definitions.filter(({ where }) => !step.there.some((presence) => presence.where === where));
  if (missing.length === 0) return 'nothing';
  const closed = lacksController(session, step) ? missing.filter(({ where }) => where === 'live') : [];
  const open = missing.filter((definition) => !closed.includes(definition));
  if (closed.length > 0) {
    const later = open.length > 0 ? ': it can have the channel from its next start on only (--config)' : '';
    note(`${NO_CONTROLLER}${later}`);
  }
  if (open.length === 0) return 'failed';
  print(step.xml);
  const problem = step.device.kind === 'channel' ? undefined : fileProblem(step.device);
  const once = problem === undefined ? '' : ', once its file is there';
  note(
    `${sentence(nameOf(step.device))} can be attached to ${open.map(({ where }) => placeOf(where)).join(' and ')}${once}`,
  );
  if (step.device.kind !== 'channel' && problem !== undefined) {
    note(`The file ${problem}, and QEMU needs it: ${REMEDIES[step.device.kind]}`);
  }
  return 'done';
};

/** Attaches a device to one definition of the domain, unless that has it already. */
export const attachTo = async (session: Session, step: Step, where: DomainConfigScope): Promise<Done> => {
  const { access, domain, note, tell } = session;
  if (step.there.some((presence) => presence.where === where)) {
    sayThere(session, step, where);
    return 'nothing';
  }
  const { device } = step;
  const problem = fileProblem(device);
  if (device.kind !== 'channel' && problem !== undefined) {
    if (where === 'live') {
      note(`${sentence(nameOf(device))} ${problem}, and QEMU needs it: ${REMEDIES[device.kind]}`);
      return 'failed';
    }
    note(`${sentence(nameOf(device))} ${problem}: the domain cannot start before it does; ${REMEDIES[device.kind]}`);
  }
  try {
    await firstValueFrom(access.attach$(domain, step.xml, where));
  } catch (error) {
    const reason = session.reason(escapeForLog(reasonOf(error), 1024));
    note(`${sentence(nameOf(device))} cannot be attached to ${placeOf(where)}${reason}`);
    if (where === 'live' && lacksController(session, step)) note(NO_CONTROLLER);
    if (where === 'live' && NO_PORT.test(reasonOf(error))) note(NO_PORT_ADVICE);
    const later = session.definitions.some((definition) => definition.where === 'persistent');
    if (where === 'live' && later && !session.places.includes('persistent')) {
      note('--config attaches it for the next start of the domain');
    }
    return 'failed';
  }
  tell(`Attached ${nameOf(device)} to ${placeOf(where)}${step.dev === undefined ? '' : ` as ${step.dev}`}`);
  return 'done';
};
