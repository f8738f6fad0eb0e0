import { probeDescriptors, SPARE_DESCRIPTORS } from '../../system/process/descriptors.ts';

const LOT = 256;

/** Descriptors that may be opened beside those that the rest of the daemon needs. */
export interface DescriptorLots {
  /** @throws the error of the open that failed, such as EMFILE, if there are not so many. */
  readonly take: (count: number) => void;
  /** Forgets what is left: others may have opened files meanwhile. */
  readonly renew: () => void;
}

/** Probes for many descriptors at once: a probe before each file would take longer than all work with the file. */
export const descriptorLots = (): DescriptorLots => {
  let left = 0;
  return {
    take: (count) => {
      if (left < count) {
        left = 0;
        try {
          probeDescriptors(SPARE_DESCRIPTORS + count + LOT);
          left = count + LOT;
        } catch {
          probeDescriptors(SPARE_DESCRIPTORS + count);
          left = count;
        }
      }
      left -= count;
    },
    renew: () => {
      left = 0;
    },
  };
};
