import { firstValueFrom } from 'rxjs';

import { ask$ } from '../status/ask.ts';
import { socketPaths } from '../status/socket.ts';
import type { Status } from '../status/status.ts';
import { asciiJson, statusLines } from '../status/text.ts';
import { complain } from '../terminal.ts';

const NOBODY = 2;

const parsed = (text: string): Status | undefined => {
  try {
    const data: unknown = JSON.parse(text);
    return typeof data === 'object' && data !== null && 'troubles' in data ? (data as Status) : undefined;
  } catch {
    return undefined;
  }
};

/** `vhostmd status`: asks the running daemon. Exit status 0 it is well, 1 it is not, 2 there is none to ask. */
export const status = async ({
  json,
  socket,
}: {
  readonly json: boolean;
  readonly socket?: string;
}): Promise<number> => {
  const paths = socket === undefined ? socketPaths(process.env, process.getuid?.()) : [socket];
  const answer = await firstValueFrom(ask$(paths));
  if (!answer.ok) {
    complain(`vhostmd: No daemon answers (${answer.problems.join('; ')}). Does it run? See also --socket.`);
    return NOBODY;
  }
  const found = parsed(answer.text);
  if (found === undefined) {
    console.error('vhostmd: What answers is not vhostmd, or another version of it. See also --socket.');
    return NOBODY;
  }
  console.log(json ? asciiJson(found, 2) : statusLines(found).join('\n'));
  return found.well ? 0 : 1;
};
