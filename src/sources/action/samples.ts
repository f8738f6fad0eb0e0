import type { Outcome, Sample, ValueType } from '../../metric.ts';

/** Output that is no value. */
export const failed = (reason: string): Outcome => ({ ok: false, stage: 'output', reason });

/** One sample; `unit` appears only where there is one. */
export const sample = (
  { name, unit }: { readonly name: string; readonly unit?: string | undefined },
  type: ValueType,
  value: string,
): Sample => (unit === undefined || unit === '' ? { name, type, value } : { name, type, unit, value });
