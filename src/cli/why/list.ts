import { escapeForLog } from '../../model/value.ts';
import { firstCauseOf, type Observation } from './observation.ts';
import { short } from './offender-words.ts';

const NAME = 64;

const shareOf = ({ verdict }: Observation): number => verdict.findings[0]?.evidence[0]?.value ?? 0;

const cells = (seen: Observation): readonly [name: string, cause: string, share: string] => {
  const share = seen.verdict.findings[0]?.evidence[0];
  return [
    escapeForLog(seen.domain.name, NAME),
    firstCauseOf(seen),
    share === undefined ? '' : `${short(share.value)} ${share.unit}`,
  ];
};

// Those with a cause first, then those that could not be judged.
const rank = (seen: Observation): number => {
  if (seen.verdict.findings.length > 0) return 0;
  return firstCauseOf(seen) === 'unknown' ? 1 : 2;
};

/** Orders domains: those with a cause first, the greatest share first. */
export const ordered = (all: readonly Observation[]): readonly Observation[] =>
  all.toSorted(
    (one, other) =>
      rank(one) - rank(other) ||
      shareOf(other) - shareOf(one) ||
      Number(one.domain.name > other.domain.name) - Number(one.domain.name < other.domain.name),
  );

/** Returns a line for each domain, in columns. */
export const list = (all: readonly Observation[]): readonly string[] => {
  const rows = ordered(all).map(cells);
  const width = (column: 0 | 1): number => Math.max(0, ...rows.map((row) => row[column].length));
  const [name, cause] = [width(0), width(1)];
  return rows.map((row) => `${row[0].padEnd(name)}  ${row[1].padEnd(cause)}  ${row[2]}`.trimEnd());
};
