import type { CauseName } from '../../model/verdict.ts';
import { findStat } from '../../model/statistics.ts';
import { type Cause, CAUSES } from '../../verdict/causes.ts';
import { EVIDENCE, type Evidence } from '../../verdict/evidence.ts';
import type { Observation } from './observation.ts';

/** Why a cause could not be judged, and a command or a change that would help. */
export interface Unseen {
  readonly cause: CauseName;
  readonly reason: string;
  readonly help?: string;
}

/** Advice about a reason of the sources; `reason`: its words for this command, where they differ. */
interface Advice {
  readonly of: RegExp;
  readonly reason?: string;
  readonly help: string;
}

const ADVICE: readonly Advice[] = [
  {
    of: /local qemu:/,
    reason: 'this is not the host of the VM, or its driver is not QEMU',
    help: 'run this command on the host, with -c qemu:///system',
  },
  { of: /\/proc hides|descriptors are short|EACCES|permission denied/i, help: 'run this command as root' },
  {
    of: /has made no control group/,
    help: 'the libvirt of a user (qemu:///session) makes none; that of the system (qemu:///system) does',
  },
  {
    of: /no unified hierarchy|cannot be opened: .*(?:ENOENT|no such file)/i,
    help: 'see whether the kernel shows pressure: cat /proc/pressure/memory; if not, boot with psi=1 and cgroup v2',
  },
];
const NOT_MEASURED = 'this version of vhostmd does not measure it';
const NO_ANSWER = 'libvirt, or the QEMU of the VM, has not answered in time';
const TOO_SHORT = 'the two readings do not cover it';

const statisticsOf = ({ when }: Cause): readonly string[] =>
  when
    .filter(({ ifAbsent }) => ifAbsent === 'unseen')
    .flatMap(({ evidence }) => {
      const { plus, of, each }: Evidence = EVIDENCE[evidence];
      return [...plus, ...of, ...(each === undefined ? [] : [each])];
    });

// Without this clock nothing can be judged.
const CLOCK = 'contention.time';

/** Returns why causes could not be judged. */
export const unseenOf = ({
  verdict,
  now,
  missing,
}: Pick<Observation, 'verdict' | 'now' | 'missing'>): readonly Unseen[] =>
  verdict.unseen.flatMap((name): readonly Unseen[] => {
    const cause = CAUSES.find((one) => one.name === name);
    const needed = cause === undefined || !now.has(CLOCK) ? [CLOCK] : statisticsOf(cause);
    const absent = needed.filter((stat) => !now.has(stat));
    const given = absent.map((stat) => missing.get(stat)).find((reason) => reason !== undefined);
    const isMeasured = absent.every((stat) => findStat('vm', stat) !== undefined);
    const silence = isMeasured ? NO_ANSWER : NOT_MEASURED;
    const said = given ?? (absent.length > 0 ? silence : TOO_SHORT);
    const advice = ADVICE.find(({ of }) => of.test(said));
    const reason = advice?.reason ?? said;
    return [{ cause: name, reason, ...(advice === undefined ? {} : { help: advice.help }) }];
  });
