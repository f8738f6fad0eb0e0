const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** Formats milliseconds for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 d 4 h`. */
export const duration = (ms: number): string => {
  if (ms < 9950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const rounded = Math.round(ms / 1000) * 1000;
  const at = UNITS.findIndex(([, size]) => rounded >= size);
  const unit = UNITS[at];
  if (unit === undefined) return `${rounded / 1000} s`;
  const [name, size] = unit;
  const [smaller, smallerSize] = UNITS[at + 1] ?? ['s', 1000];
  const rest = Math.floor((rounded % size) / smallerSize);
  return `${Math.floor(rounded / size)} ${name}${rest === 0 ? '' : ` ${rest} ${smaller}`}`;
};

/** Formats a count with its noun: `1 VM`, `2 VMs`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Formats the number of published VMs. `running`: last reported by libvirt; `away`: true while it is unreachable. */
export const vmsText = (published: number, running: number, away: boolean): string => {
  if (published < running) return `${published} of ${counted(running, 'VM')} with values`;
  return `${counted(published, 'VM')}${away && published > 0 ? ' with values from before' : ''}`;
};
