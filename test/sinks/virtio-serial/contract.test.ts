import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { map, Observable } from 'rxjs';

import type { Snapshot } from '../../../src/model/metric.ts';
import { virtioSerial } from '../../../src/sinks/virtio-serial/sink.ts';
import type { Sink, SinkReport } from '../../../src/sinks/sink.ts';
import { describeSinkContract } from '../contract.ts';
import { domain, REQUEST } from './qemu.ts';

/** A guest that asks once for each snapshot, except while it is held; after a lost connection it asks again. */
const askingGuest = (socketPath: string) => {
  let received = '';
  let holding = false;
  let asked: ((reply: string) => void) | undefined;
  let client: Socket | undefined;
  let server: Server | undefined;
  const ask = (): void => {
    if (asked !== undefined && !holding) client?.write(REQUEST);
  };
  const listen = (): void => {
    server = createServer((socket) => {
      client = socket;
      let reply = '';
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        reply += bytes.toString('latin1');
        if (!reply.endsWith('</metrics>\n\n')) return;
        received += reply;
        const answered = asked;
        asked = undefined;
        answered?.(reply);
        reply = '';
      });
      ask();
    }).listen(socketPath);
  };
  listen();
  return {
    path: socketPath,
    received: (): string => received,
    ask: (answered: (reply: string) => void): void => {
      asked = answered;
      ask();
    },
    hold: () => {
      holding = true;
      return () => {
        holding = false;
        ask();
      };
    },
    fail: () => {
      server?.close();
      client?.destroy();
      return listen;
    },
    close: (): void => {
      server?.close();
      client?.destroy();
    },
  };
};

/**
 * Makes delivery visible: this sink answers only requests, so a snapshot is written when a guest has received it, and
 * has failed when the guest cannot.
 */
const asked = (sink: Sink, guest: ReturnType<typeof askingGuest>): Sink => ({
  name: sink.name,
  run: (snapshot$) =>
    new Observable<SinkReport>((subscriber) => {
      const domains = [domain(1, guest.path)];
      const taken = new Map<number, SinkReport>();
      let last: SinkReport | undefined;
      return sink.run(snapshot$.pipe(map((snapshot): Snapshot => ({ ...snapshot, domains })))).subscribe({
        next: (report) => {
          if (report.kind === 'warning') {
            if (!report.message.endsWith('again')) subscriber.next({ ...report, kind: 'failed', stage: 'write' });
            return;
          }
          if (report.kind !== 'written') return subscriber.next(report);
          taken.set(report.snapshot.tick, report);
          last = report;
          guest.ask((reply) => {
            const delivered = taken.get(Number(/tick (\d+)/.exec(reply)?.[1]));
            last = undefined;
            if (delivered !== undefined) subscriber.next(delivered);
          });
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          if (last !== undefined) subscriber.next(last);
          subscriber.complete();
        },
      });
    }),
});

describeSinkContract('the virtio-serial sink', (scheduler) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'serial-'));
  const guest = askingGuest(path.join(directory, 'socket'));
  const sink = virtioSerial({
    maxChannels: 4,
    expirationTime: Infinity,
    scheduler,
    backoff: { first: 5, most: 50 },
  });
  return {
    sink: asked(sink, guest),
    hold: guest.hold,
    fail: guest.fail,
    target: guest.received,
    dispose: () => {
      guest.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
});
