import type { StatValue } from './typed-params.ts';

/** Makes a reader of a statistic by its name. `*` means all numbers at that place, whose values are summed. */
export const statFinder = (stat: string): ((fields: ReadonlyMap<string, StatValue>) => StatValue | undefined) => {
  if (!stat.includes('*')) return (fields) => fields.get(stat);
  const pattern = new RegExp(`^${stat.replaceAll('.', '\\.').replaceAll('*', '\\d+')}$`);
  return (fields) => {
    const found = [...fields].filter(([name]) => pattern.test(name)).map(([, value]) => value);
    if (found.length === 0) return undefined;
    if (found.some((value) => typeof value === 'string')) return found.join(',');
    return found.every((value) => typeof value === 'bigint' || Number.isInteger(value))
      ? found.reduce<bigint>((sum, value) => sum + BigInt(value), 0n)
      : found.reduce<number>((sum, value) => sum + Number(value), 0);
  };
};
