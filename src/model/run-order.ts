import type { Domain, KnownDomain } from './metric.ts';

/** What orders lists of domains. */
export type Run = Pick<KnownDomain, 'uuid' | 'id'>;

/** Returns the run of an item that is one. */
export const itself = <T extends Run>(run: T): T => run;
/** Returns the run of an item that belongs to a domain. */
export const ofDomain = ({ domain }: { readonly domain: Domain }): Domain => domain;

/** Order of lists of domains: by id, those that do not run last, then by UUID, because libvirt uses ids again. */
export const byRun = (a: Run, b: Run): number => {
  if (a.id !== b.id) return (a.id ?? Infinity) - (b.id ?? Infinity);
  if (a.uuid < b.uuid) return -1;
  return a.uuid === b.uuid ? 0 : 1;
};

/** Returns the index of the first item that is not before `run`, from index `from` on. */
const indexIn = <T>(list: readonly T[], runOf: (item: T) => Run, run: Run, from: number): number => {
  let [low, high] = [from, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = list[middle];
    if (item !== undefined && byRun(runOf(item), run) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Finds the item of a run in a list in this order. */
export const itemOf = <T>(list: readonly T[], runOf: (item: T) => Run, run: Run): T | undefined => {
  const item = list[indexIn(list, runOf, run, 0)];
  return item !== undefined && byRun(runOf(item), run) === 0 ? item : undefined;
};

/** Makes {@link itemOf} for runs that come in this order: all of them take one pass. */
export const lookup = <T>(list: readonly T[], runOf: (item: T) => Run): ((run: Run) => T | undefined) => {
  let at = 0;
  return (run) => {
    for (; at < list.length; at += 1) {
      const item = list[at] as T;
      const order = byRun(runOf(item), run);
      if (order >= 0) return order === 0 ? item : undefined;
    }
    return undefined;
  };
};

/** Returns the items of a list that another list does not hold as the same object; both are in this order. */
export const without = <T>(list: readonly T[], other: readonly T[], runOf: (item: T) => Run): readonly T[] => {
  if (list === other) return [];
  let at = 0;
  return list.filter((item) => {
    let one = other[at];
    while (one !== undefined && byRun(runOf(one), runOf(item)) < 0) one = other[(at += 1)];
    if (one !== item) return true;
    at += 1;
    return false;
  });
};

// The longest list of arguments that is surely allowed.
const ARGUMENTS = 10_000;

// Copies whole parts, unlike a loop over the items or `flat`.
const joined = <T>(parts: readonly (readonly T[])[]): readonly T[] => {
  let all: readonly T[] = [];
  for (let at = 0; at < parts.length; at += ARGUMENTS) all = all.concat(...parts.slice(at, at + ARGUMENTS));
  return all;
};

/** Returns a list in this order with the items of some runs removed and others added. */
export const withChanges = <T>(
  list: readonly T[],
  runOf: (item: T) => Run,
  removed: readonly Run[],
  added: readonly T[],
): readonly T[] => {
  if (removed.length === 0 && added.length === 0) return list;
  const edits = [
    ...removed.map((run): { readonly run: Run; readonly item?: T } => ({ run })),
    ...added.map((item) => ({ run: runOf(item), item })),
  ].sort((a, b) => byRun(a.run, b.run));
  const parts: (readonly T[])[] = [];
  let from = 0;
  for (const edit of edits) {
    const at = indexIn(list, runOf, edit.run, from);
    if (from < at) parts.push(list.slice(from, at));
    const next = list[at];
    const isRemoved = next !== undefined && byRun(runOf(next), edit.run) === 0;
    if ('item' in edit) parts.push([edit.item]);
    from = isRemoved ? at + 1 : at;
  }
  parts.push(list.slice(from));
  return joined(parts);
};
