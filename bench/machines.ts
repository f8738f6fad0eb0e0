import { type PrivateLibvirtd, startLibvirtd } from '../test/support/libvirtd.ts';

/** A private libvirtd with paused QEMU domains, started when the first row needs it. */
export interface Machines {
  /** At least that many domains; the rows ask for more and more. */
  readonly atLeast: (count: number) => Promise<PrivateLibvirtd>;
  readonly close: () => Promise<void>;
}

export const machines = (say: (text: string) => void): Machines => {
  let libvirtd: PrivateLibvirtd | undefined;
  const created: string[] = [];
  return {
    atLeast: async (count) => {
      if (libvirtd === undefined) say('starting a private libvirtd');
      libvirtd ??= await startLibvirtd();
      if (created.length < count) say(`starting ${count - created.length} QEMU domains`);
      while (created.length < count) created.push(await libvirtd.create(`background-${created.length}`));
      return libvirtd;
    },
    close: async () => {
      if (libvirtd === undefined) return;
      // QEMU outlives libvirtd.
      for (const uuid of created.splice(0)) process.kill(libvirtd.qemuPid(uuid), 'SIGKILL');
      await libvirtd.close();
      libvirtd = undefined;
    },
  };
};
