import type { Command } from './command.ts';
import { attach } from './commands/attach.ts';
import { check } from './commands/check.ts';
import { completion } from './commands/completion.ts';
import { dump } from './commands/dump.ts';
import { once } from './commands/once.ts';
import { prepare } from './commands/prepare.ts';
import { run } from './commands/run.ts';
import { status } from './commands/status.ts';
import { watch } from './commands/watch.ts';
import { why } from './commands/why.ts';

/** The daemon, which runs without the name of a command. */
export const DAEMON: Command = run;

/** The commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [check, prepare, once, attach, dump, watch, why, status, completion];
