/** Milliseconds between SIGTERM and SIGKILL. */
export const GRACE = 500;

// Groups that may still have members. An exit of the daemon ends them.
const alive = new Set<number>();
const ending = new Map<number, NodeJS.Timeout>();
process.on('exit', () => alive.forEach((leader) => signal(leader, 'SIGKILL')));

/** Registers a new process group by its leader's pid. */
export const addGroup = (leader: number): void => void alive.add(leader);

/** Ends a group: SIGTERM, after the grace SIGKILL. Returns at once; a second call has no effect. */
export const endGroup = (leader: number): void => {
  if (!alive.has(leader) || ending.has(leader)) return;
  signal(leader, 'SIGTERM');
  ending.set(
    leader,
    setTimeout(() => {
      signal(leader, 'SIGKILL');
      forget(leader);
    }, GRACE),
  );
};

/** Called after the leader's exit: ends the rest of its group, or forgets an empty one, whose number may be reused. */
export const endLeftovers = (leader: number): void => {
  if (signal(leader, 0)) endGroup(leader);
  else forget(leader);
};

const forget = (leader: number): void => {
  clearTimeout(ending.get(leader));
  ending.delete(leader);
  alive.delete(leader);
};

// Returns false if the group does not exist, or none of its members may be signalled.
const signal = (leader: number, name: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(-leader, name);
  } catch {
    return false;
  }
};
