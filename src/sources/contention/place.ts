import type { DescriptorLots } from './descriptor-lots.ts';
import { type KernelFile, openKernelFile } from './kernel-file.ts';
import type { ThreadDelays } from './thread-delays.ts';

/** Why there is nothing to read. */
export interface Missing {
  readonly reason: string;
}

/** What a place holds now; a reason if the host does not have it; undefined if the domain has ended. */
export type Content = readonly string[] | ThreadDelays | number | Missing | undefined;

/** What statistics are read from, while it is open. */
export interface Place {
  /** Returns the same object as long as nothing has changed. */
  readonly read: () => Exclude<Content, Missing>;
  readonly close: () => void;
}

/** Opens files that are read together. Throws what open(2) throws. */
export const filesAt = (paths: readonly string[], descriptors: DescriptorLots): Place => {
  descriptors.take(paths.length);
  const files: KernelFile[] = [];
  const close = (): void => files.forEach((file) => file.close());
  try {
    for (const path of paths) files.push(openKernelFile(path));
  } catch (error) {
    close();
    throw error;
  }
  let texts: readonly string[] = files.map(() => '');
  return {
    read: () => {
      let at = 0;
      for (const file of files) {
        const text = file.read();
        if (text === undefined) return undefined;
        if (text !== texts[at]) texts = texts.with(at, text);
        at += 1;
      }
      return texts;
    },
    close,
  };
};
