import type { SampleHost } from '../sample-host.ts';

/** Output and exit status of a command. */
export interface Ended {
  readonly output: string;
  readonly status: number;
}

/** What commands see: the sample host, and a shell for the commands that they start themselves. */
export interface Surroundings {
  readonly host: SampleHost;
  readonly shell: (text: string) => Ended;
}

/** A command: its words, its input, its surroundings. Refuses options whose effect it does not know. */
export type Tool = (args: readonly string[], input: string, around: Surroundings) => Ended;
