import type { Definition } from './definition.ts';
import { firstCauseOf, type Observation } from './observation.ts';
import { offenderOf } from './offender.ts';
import { unseenOf } from './unseen.ts';

/**
 * Returns the verdict about a domain as data: `seconds`, `findings`, `unseen` and `measured` as in model/verdict.ts.
 * `definition`: that of the one domain that is looked at; without it nobody is named.
 */
export const dataOf = (seen: Observation, definition: Definition | undefined) => ({
  domain: { name: seen.domain.name, uuid: seen.domain.uuid, id: seen.domain.id },
  cause: firstCauseOf(seen),
  seconds: seen.verdict.seconds,
  findings: seen.verdict.findings.map((finding) => {
    const offender = definition === undefined ? undefined : offenderOf(finding.cause, seen, definition);
    return { ...finding, ...(offender === undefined ? {} : { offender }) };
  }),
  unseen: seen.verdict.unseen,
  reasons: Object.fromEntries(unseenOf(seen).map(({ cause, reason }) => [cause, reason])),
  measured: seen.verdict.measured,
});
