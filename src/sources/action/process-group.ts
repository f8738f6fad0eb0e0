/** Milliseconds between SIGTERM and SIGKILL. */
export const GRACE = 500;

// Groups that may still have members. Ended with the daemon, however it ends by itself.
const alive = new Set<number>();
const ending = new Map<number, NodeJS.Timeout>();
process.on('exit', () => alive.forEach((leader) => signal(leader, 'SIGKILL')));

/** A new process group, named by its leader's pid. */
export const addGroup = (leader: number): void => void alive.add(leader);

/** Ends what there is of a group: SIGTERM, after the grace SIGKILL. Returns at once; a second call changes nothing. */
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

/** The leader has exited: ends what it left behind, and forgets an empty group, whose number may be given anew. */
export const endLeftovers = (leader: number): void => {
  if (signal(leader, 0)) endGroup(leader);
  else forget(leader);
};

const forget = (leader: number): void => {
  clearTimeout(ending.get(leader));
  ending.delete(leader);
  alive.delete(leader);
};

// False if there is no such group, or none of its members may be signalled.
const signal = (leader: number, name: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(-leader, name);
  } catch {
    return false;
  }
};
