import { expect, it, vi } from 'vitest';

import { loadSetup } from '../../src/daemon/load-setup.ts';
import { load } from '../../src/daemon/reload.ts';
import { PartNotLoaded } from '../../src/system/load-part.ts';

vi.mock(import('../../src/daemon/load-setup.ts'), () => ({ loadSetup: vi.fn<typeof loadSetup>() }));

const loading = async (error: unknown): Promise<{ readonly result: unknown; readonly said: readonly string[] }> => {
  vi.mocked(loadSetup).mockRejectedValue(error);
  const said: string[] = [];
  const disks = { opened: () => undefined, sayHangs: () => undefined, openEarly: async () => undefined };
  const result = await load(
    'vhostmd.conf',
    () => [],
    disks,
    (level, _source, message) => said.push(`${level}: ${message}`),
  );
  return { result, said };
};

it('a configuration for which a part of the program cannot be loaded is refused, with the reason and the remedy', async () => {
  const reason = 'A part of vhostmd cannot be loaded, raise LimitNOFILE of its service: EMFILE';
  expect(await loading(new PartNotLoaded('EMFILE'))).toEqual({
    result: { kind: 'refused', reason },
    said: [`err: ${reason}`],
  });
});

it.each([new TypeError('x is undefined'), Object.assign(new Error('ENOENT'), { code: 'ENOENT', errno: -2 })])(
  'any other error is a bug, and not called anything else: %s',
  async (error) => {
    await expect(loading(error)).rejects.toBe(error);
  },
);
