import type { Outcome, Sample, ValueType } from '../../model/metric.ts';
import { type Checked, escapeForLog } from '../../model/value.ts';

/** Makes the failure of output that is not a value. */
export const failed = (reason: string): Outcome => ({ ok: false, stage: 'output', reason });

/** Makes a sample, with `unit` only if there is one. */
export const sample = (
  { name, unit }: { readonly name: string; readonly unit?: string | undefined },
  type: ValueType,
  value: string,
): Sample => (unit === undefined || unit === '' ? { name, type, value } : { name, type, unit, value });

/** Makes the outcome of an action. `printed`: its checked numbers, of which the first with a unit causes a note. */
export const measured = (samples: readonly Sample[], printed: readonly Checked[]): Outcome => {
  const found = printed.find((checked) => checked.ok && checked.unit !== undefined);
  if (found?.ok !== true || found.unit === undefined) return { ok: true, samples };
  const unit = escapeForLog(found.unit, 64);
  const note =
    `printed "${unit}" behind the number ${escapeForLog(found.value, 64)}, which is published without it; ` +
    `print the number alone, and write the unit into the configuration: unit="${unit}"`;
  return { ok: true, samples, note };
};
