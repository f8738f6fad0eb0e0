import type { Measured } from '../../model/verdict.ts';
import { escapeForLog } from '../../model/value.ts';
import { type Cause, CAUSES, NOTHING } from '../../verdict/causes.ts';
import { EVIDENCE, type Evidence, type EvidenceName } from '../../verdict/evidence.ts';
import type { Definition } from './definition.ts';
import type { Observation } from './observation.ts';
import { type Offender, offenderOf } from './offender.ts';
import { short, wordsOf } from './offender-words.ts';
import { filled, type Replacements } from './shell-word.ts';
import { unseenOf } from './unseen.ts';

const NAME = 128;

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
const meaningOf = (name: string): string => {
  const all: Readonly<Record<string, Evidence>> = EVIDENCE;
  return all[name]?.meaning ?? name;
};
const evidenceLine = ({ name, value, unit, threshold, atMost }: Measured): string => {
  const limit = atMost === true ? `up to ${threshold} ${unit}` : `from ${threshold} ${unit} on`;
  return `${short(value)} ${unit} ${meaningOf(name)} (${limit})`;
};

const measuredLine = ({ verdict: { measured } }: Observation): string =>
  Object.entries(measured)
    .map(([name, value]) => `${name} ${short(value)} ${EVIDENCE[name as EvidenceName].unit}`)
    .join(', ');

const causeOf = (name: string): Cause | undefined => CAUSES.find((one) => one.name === name);

const replacementsOf = ({ domain }: Observation, offender: Offender | undefined): Replacements => ({
  domain,
  ...(offender?.kind === 'disk' || offender?.kind === 'limit' ? { disk: offender.disk } : {}),
  ...(offender?.kind === 'interface' ? { interface: offender.interface } : {}),
});

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);
const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...indented(lines)];

// Causes with the same reason in one line.
const unseenLines = (seen: Observation): readonly string[] => {
  const titles = new Map<string, readonly string[]>();
  for (const { cause, reason, help } of unseenOf(seen)) {
    const why = `${escapeForLog(reason)}${help === undefined ? '' : `; ${help}`}`;
    titles.set(why, [...(titles.get(why) ?? []), causeOf(cause)?.title ?? cause]);
  }
  return [...titles].map(([why, some]) => `${some.length === CAUSES.length ? 'All causes' : some.join('; ')}: ${why}`);
};

/** Returns the verdict in a line. */
export const headline = (seen: Observation): string => {
  const name = escapeForLog(seen.domain.name, NAME);
  const [first] = seen.verdict.findings;
  const cause = first && causeOf(first.cause);
  if (cause !== undefined) return `${name} is slow: ${lower(cause.host)}`;
  if (seen.blind) return `${name}: the host shows nothing of what could slow it down.`;
  return seen.verdict.unseen.length === 0
    ? NOTHING.host.replace('the VM', () => name)
    : `${name}: ${lower(NOTHING.unknown)}.`;
};

const foundLines = (seen: Observation, definition: Definition): readonly string[] => {
  const [first, ...others] = seen.verdict.findings;
  const cause = first && causeOf(first.cause);
  if (first === undefined || cause === undefined) return [];
  const offender = offenderOf(first.cause, seen, definition);
  const replacements = replacementsOf(seen, offender);
  const fill = (texts: readonly string[]): readonly string[] =>
    texts.map((text) => filled(text, replacements)).filter((text) => text !== undefined);
  const words = offender === undefined ? '' : wordsOf(offender);
  return [
    ...section(`Seen in ${short(seen.verdict.seconds)} seconds:`, [
      ...first.evidence.map(evidenceLine),
      ...(words === '' ? [] : [words]),
    ]),
    ...section('What to do:', fill(cause.remedy)),
    ...section('To see more:', [
      ...fill(cause.prove.filter((command) => !command.startsWith('vhostmd why'))),
      `docs/why.md, "${cause.title}"`,
    ]),
    ...section(
      'Also:',
      others.map((other) => {
        const also = causeOf(other.cause);
        const [share] = other.evidence;
        return `${also?.host ?? other.cause}${share === undefined ? '' : ` ${short(share.value)} ${share.unit} ${meaningOf(share.name)}.`}`;
      }),
    ),
  ];
};

/** Returns the verdict about a domain for people, in lines of printable ASCII. */
export const report = (seen: Observation, definition: Definition): readonly string[] => {
  const unseen = section('Not judged:', unseenLines(seen));
  if (seen.verdict.findings.length > 0) return [headline(seen), ...foundLines(seen, definition), ...unseen];
  const measured = measuredLine(seen);
  return [
    headline(seen),
    ...(measured === '' ? [] : indented([`Measured in ${short(seen.verdict.seconds)} seconds: ${measured}`])),
    ...unseen,
  ];
};
