import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';

import { afterEach } from 'vitest';

import { until } from '../support/daemon.ts';

export interface Channel {
  /** A terminal that behaves as a virtio-serial port with a connected host. */
  readonly device: string;
  /** Returns all requests so far. */
  readonly asked: () => string;
  readonly send: (text: string) => void;
}

type Answer = (request: string, count: number) => string | undefined;

/** Returns a function that opens a channel whose host side answers each request, passed without its blank line. */
export const channelStage = (folder: () => string): ((answer: Answer) => Promise<Channel>) => {
  let number = 0;
  const left: (() => void)[] = [];
  afterEach(() => {
    for (const undo of left.splice(0)) undo();
  });
  const openChannel = async (answer: Answer): Promise<Channel> => {
    const device = path.join(folder(), `port${(number += 1)}`);
    const socket = `${device}.sock`;
    let all = '';
    let count = 0;
    let client: Socket | undefined;
    const server: Server = createServer((connection) => {
      client = connection;
      let text = '';
      connection.on('data', (data) => {
        all += data.toString('latin1');
        text += data.toString('latin1');
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const reply = answer(text.slice(0, end), (count += 1));
          text = text.slice(end + 2);
          if (reply !== undefined) connection.write(reply);
        }
      });
      connection.on('error', () => undefined);
    });
    server.listen(socket);
    const socat = spawn('socat', [`pty,raw,echo=0,link=${device}`, `unix-connect:${socket}`], { stdio: 'ignore' });
    left.push(() => {
      socat.kill();
      client?.destroy();
      server.close();
    });
    await until('the terminal', () => existsSync(device) && client !== undefined);
    return { device, asked: () => all, send: (text) => void client?.write(text) };
  };
  return openChannel;
};
