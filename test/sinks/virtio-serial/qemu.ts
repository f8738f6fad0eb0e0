import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { asyncScheduler, Subject } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Domain, DomainMetrics, KnownDomain, Sample, Snapshot } from '../../../src/model/metric.ts';
import { virtioSerial } from '../../../src/sinks/virtio-serial/sink.ts';
import type { VirtioSerialOptions } from '../../../src/sinks/virtio-serial/sink.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';
import { ofDomain, sample } from '../../../src/testing/snapshots.ts';

export const REQUEST = 'GET /metrics/XML\n\n';

/** QEMU's end of a channel, and the guest behind it. */
export interface Qemu {
  readonly path: string;
  /** The guest writes to its port; the bytes wait until a client is connected. */
  readonly send: (bytes: string | Uint8Array) => void;
  /** Returns all bytes that the guest has read. */
  readonly received: () => string;
  /** Returns the number of the guest's bytes that QEMU has passed on. */
  readonly taken: () => number;
  readonly connections: () => number;
  readonly connected: () => boolean;
  /** The guest stops reading. */
  readonly stopReading: () => void;
  readonly startReading: () => void;
  /** QEMU closes its connection. */
  readonly drop: (how?: 'end' | 'reset') => void;
  /** If true, QEMU closes each connection at once. */
  readonly refuse: (refuse: boolean) => void;
  readonly close: () => Promise<void>;
}

/** Listens on a socket as QEMU does. */
export const startQemu = async (socketPath: string): Promise<Qemu> => {
  let client: Socket | undefined;
  let unsent: Uint8Array[] = [];
  let refusing = false;
  let reading = true;
  let connections = 0;
  const chunks: Buffer[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    if (refusing) return void socket.destroy();
    client = socket;
    socket.on('data', (chunk) => chunks.push(chunk));
    if (!reading) socket.pause();
    socket.on('close', () => {
      if (client === socket) client = undefined;
    });
    socket.on('end', () => socket.destroy());
    for (const bytes of unsent.splice(0)) socket.write(bytes);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    path: socketPath,
    send: (bytes) => {
      const sent = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
      if (client === undefined) unsent = [...unsent, sent];
      else client.write(sent);
    },
    received: () => Buffer.concat(chunks).toString('latin1'),
    taken: () => (client === undefined ? 0 : client.bytesWritten - client.writableLength),
    connections: () => connections,
    connected: () => client !== undefined,
    stopReading: () => {
      reading = false;
      client?.pause();
    },
    startReading: () => {
      reading = true;
      client?.resume();
    },
    drop: (how = 'end') => {
      if (how === 'end') client?.end();
      else client?.destroy();
    },
    refuse: (refuse) => {
      refusing = refuse;
      if (refuse) client?.destroy();
    },
    close: () => {
      client?.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
};

/** Returns a running domain of a snapshot, by its id; `ofDomain(id)` has its metrics. */
export const domain = (id: number, channel?: string | null): KnownDomain & Domain => ({
  ...ofDomain(id).domain,
  persistent: true,
  ...(channel === undefined ? {} : { channel }),
});

/** Returns a snapshot of now. */
export const snapshotOf = (
  domains: readonly KnownDomain[] | undefined,
  {
    host = [sample('Host', 'h')],
    domainMetrics = domains?.flatMap(({ id }) => (id === undefined ? [] : [ofDomain(id, sample('Guest', `g${id}`))])) ??
      [],
    tick = 0,
    at = asyncScheduler.now(),
    cause = 'tick',
  }: {
    host?: readonly Sample[];
    domainMetrics?: readonly DomainMetrics[];
    tick?: number;
    at?: number;
    cause?: Snapshot['cause'];
  } = {},
): Snapshot => ({ cause, tick, at, host, domainMetrics, missing: [], ...(domains === undefined ? {} : { domains }) });

/** Starts a sink, and collects its reports; `close` ends it and its channels, and removes the files. */
export const stage = (options: Partial<VirtioSerialOptions> = {}) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'serial-'));
  const snapshots = new Subject<Snapshot>();
  const reports: SinkReport[] = [];
  const qemus: Qemu[] = [];
  const scheduler: SchedulerLike = asyncScheduler;
  const sink = virtioSerial({
    channelPath: path.join(directory, 'channels'),
    maxChannels: 1024,
    expirationTime: 15_000,
    scheduler,
    backoff: { first: 10, most: 80 },
    ...options,
  });
  const subscription = sink.run(snapshots).subscribe((report) => reports.push(report));
  return {
    directory,
    reports,
    socket: (name: string): string => path.join(directory, name),
    qemu: async (name: string): Promise<Qemu> => {
      const qemu = await startQemu(path.join(directory, name));
      qemus.push(qemu);
      return qemu;
    },
    publish: (snapshot: Snapshot): void => snapshots.next(snapshot),
    troubles: (): readonly (string | undefined)[] =>
      reports.flatMap((report) => (report.kind === 'written' ? [report.trouble] : [])),
    said: (kind: SinkReport['kind']): readonly string[] =>
      reports.filter((report) => report.kind === kind).map(({ message }) => message),
    stop: (): void => subscription.unsubscribe(),
    close: async (): Promise<void> => {
      subscription.unsubscribe();
      for (const qemu of qemus) await qemu.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
export type SerialStage = ReturnType<typeof stage>;
