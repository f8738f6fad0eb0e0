import { firstValueFrom } from 'rxjs';

import { ask$ } from '../../client/status-request.ts';
import { socketPaths } from '../../daemon/status/socket.ts';
import { parsedStatus } from '../../daemon/status/status.ts';
import { asciiJson, statusLines } from '../../daemon/status/text.ts';
import { complain } from '../../system/safe-output.ts';

const NOBODY = 2;

/** `vhostmd status`: prints the status of the running daemon. Exit status 0 well, 1 not well, 2 no daemon answers. */
export const status = async ({
  json,
  socket,
}: {
  readonly json: boolean;
  readonly socket: string | undefined;
}): Promise<number> => {
  const paths = socket === undefined ? socketPaths(process.env, process.getuid?.()) : [socket];
  const answer = await firstValueFrom(ask$(paths));
  if (!answer.ok) {
    complain(`vhostmd: No daemon answers (${answer.error.join('; ')}). Is it running? See also --socket.`);
    return NOBODY;
  }
  const found = parsedStatus(answer.value);
  if (found === undefined) {
    console.error('vhostmd: The answer is not from vhostmd, or from another version of it. See also --socket.');
    return NOBODY;
  }
  console.log(json ? asciiJson(found, 2) : statusLines(found).join('\n'));
  return found.well ? 0 : 1;
};
