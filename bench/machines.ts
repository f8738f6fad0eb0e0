import { type PrivateLibvirtd, startLibvirtd } from '../test/support/libvirtd.ts';

/** A private libvirtd with paused QEMU domains, started when the first row needs it. */
export interface Machines {
  /** Starts domains until there are at least `count`. */
  readonly atLeast: (count: number) => Promise<PrivateLibvirtd>;
  readonly close: () => Promise<void>;
}

export const machines = (say: (text: string) => void): Machines => {
  let libvirtd: PrivateLibvirtd | undefined;
  let created = 0;
  return {
    atLeast: async (count) => {
      if (libvirtd === undefined) say('starting a private libvirtd');
      libvirtd ??= await startLibvirtd();
      if (created < count) say(`starting ${count - created} QEMU domains`);
      for (; created < count; created += 1) await libvirtd.create(`background-${created}`);
      return libvirtd;
    },
    close: async () => {
      await libvirtd?.close();
      libvirtd = undefined;
    },
  };
};
