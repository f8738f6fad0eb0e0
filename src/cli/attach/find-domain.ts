import { firstValueFrom } from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import { didYouMean } from '../../model/suggest.ts';
import { escapeForLog } from '../../model/value.ts';
import type { DomainAccess } from '../../sources/libvirt/domain-devices.ts';
import { complain } from '../../system/safe-output.ts';

/** Prints a line on stderr. */
export const note = (line: string): void => complain(`vhostmd: ${line}`);

const quoted = (name: string): string => `"${escapeForLog(name, 128)}"`;

/** What to do if libvirt cannot be reached. */
export const NOT_THERE =
  'Is libvirt running there? systemctl start libvirtd (or virtqemud, of a libvirt with one daemon for each driver) starts it; --connect URI names another';

const KEYS = { id: 'id', uuid: 'UUID', name: 'name' } as const;

/**
 * Finds a domain by id, name or UUID, in the order of virsh. Prints which one it is, `always` or only `ifDoubtful`: if
 * the word means another domain, too. Without such a domain prints that, and resolves to undefined.
 */
export const findDomain = async (
  access: DomainAccess,
  word: string,
  names: 'always' | 'ifDoubtful',
): Promise<Domain | undefined> => {
  const [match, ...all] = await firstValueFrom(access.find$(word));
  if (match === undefined) {
    const known = await firstValueFrom(access.names$());
    note(`There is no domain ${quoted(word)}${didYouMean(word, known, quoted)}`);
    return undefined;
  }
  const { by, domain } = match;
  const others = all.filter((one) => one.domain.uuid !== domain.uuid);
  if (names === 'always' || others.length > 0) {
    const state = domain.id < 0 ? 'it does not run' : `it runs with id ${domain.id}`;
    note(`Domain ${quoted(domain.name)}, UUID ${domain.uuid}, found by its ${KEYS[by]}; ${state}`);
  }
  for (const other of others) {
    const whose = `the ${KEYS[other.by]} of another domain as well, ${quoted(other.domain.name)}`;
    note(`${quoted(word)} is ${whose}; to select that one, give its UUID, ${other.domain.uuid}`);
  }
  return domain;
};
