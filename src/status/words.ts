const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** Milliseconds for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 d 4 h`. */
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
