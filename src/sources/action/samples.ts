import type { Outcome, Sample, ValueType } from '../../model/metric.ts';
import { type Checked, escapeForLog } from '../../model/value.ts';

/** Output that is no value. */
export const failed = (reason: string): Outcome => ({ ok: false, stage: 'output', reason });

/** One sample; `unit` appears only where there is one. */
export const sample = (
  { name, unit }: { readonly name: string; readonly unit?: string | undefined },
  type: ValueType,
  value: string,
): Sample => (unit === undefined || unit === '' ? { name, type, value } : { name, type, unit, value });

/** Values of an action. `printed` holds its numbers as they were checked: the first with a unit is worth a note. */
export const measured = (samples: readonly Sample[], printed: readonly Checked[]): Outcome => {
  const found = printed.find((checked) => checked.ok && checked.unit !== undefined);
  if (found?.ok !== true || found.unit === undefined) return { ok: true, samples };
  const unit = escapeForLog(found.unit, 64);
  const note =
    `printed "${unit}" behind the number ${escapeForLog(found.value, 64)}, which is published without it; ` +
    `print the number alone, and write the unit into the configuration: unit="${unit}"`;
  return { ok: true, samples, note };
};
