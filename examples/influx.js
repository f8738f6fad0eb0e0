/**
 * Sends every snapshot to InfluxDB, or to what else understands its line protocol (Telegraf, VictoriaMetrics, QuestDB):
 * one point for the host and one for each VM, with their metrics as fields. Needs no package. See README.md.
 */
import { createSocket } from 'node:dgram';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';

import { concat, map, Observable, of, throwError, timeout, timer } from 'rxjs';
import { defineSink, deliverLatest } from 'vhostmd';

// In front of a comma, versions of InfluxDB differ in what a backslash means, and no text may end in one. Nor is there any
// way to write a control character. Names of VMs are hostile, so neither gets through.
const clean = (text) => text.replaceAll('\\', '/').replaceAll(/\p{Cc}/gu, ' ');

/** The value of a tag, or the name of a field. */
const key = (text) => clean(text).replaceAll(/[,= ]/g, '\\$&');

// `time` and what starts with `_` are InfluxDB's own; a field named like a tag could not be asked for.
const fieldKey = (name) => key(/^_|^(time|host|uuid|name)$/.test(name) ? `metric_${name}` : name);

const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;

/** A sample as a field, or undefined if InfluxDB has no such number. */
const field = ({ name, type, value }, unsigned) => {
  if (type === 'string') return `${fieldKey(name)}="${value.replaceAll(/\p{Cc}/gu, ' ').replaceAll(/["\\]/g, '\\$&')}"`;
  if (type === 'real32' || type === 'real64') return `${fieldKey(name)}=${Number(value)}`;
  const number = BigInt(value);
  if (unsigned && type === 'uint64') return `${fieldKey(name)}=${number}u`;
  return number >= LEAST && number <= MOST ? `${fieldKey(name)}=${number}i` : undefined;
};

/** Joins texts to pieces of at most `most` bytes; a text that is longer is a piece of its own. */
const packed = (texts, separator, most) => {
  const pieces = [];
  let size = 0;
  for (const text of texts) {
    const bytes = Buffer.byteLength(text) + separator.length;
    if (pieces.length === 0 || size + bytes > most) {
      pieces.push([]);
      size = 0;
    }
    pieces.at(-1).push(text);
    size += bytes;
  }
  return pieces.map((piece) => piece.join(separator));
};

/** The lines of a snapshot at a time in ms since 1970. One of more than `most` bytes is divided, which means the same. */
export const toLines = ({ host, domainMetrics }, { hostName, time, unsigned = false, most = Infinity }) => {
  const stamp = `${Math.round(time)}000000`;
  const hostTag = `host=${key(hostName)}`;
  const points = [
    { start: `vhostmd_host,${hostTag}`, samples: host },
    ...domainMetrics.map(({ domain, samples }) => ({
      start: `vhostmd_vm,${hostTag},name=${key(domain.name)},uuid=${key(domain.uuid)}`,
      samples,
    })),
  ];
  return points.flatMap(({ start, samples }) => {
    const fields = samples.map((sample) => field(sample, unsigned)).filter((text) => text !== undefined);
    const room = most - Buffer.byteLength(start) - stamp.length - 2;
    return packed(fields, ',', room).map((some) => `${start} ${some} ${stamp}`);
  });
};

// Fits into one frame of any network; a longer line is sent in several, up to the limit of UDP.
const DATAGRAM = 1400;
const LONGEST_DATAGRAM = 65_507;

// How long the network may take to say that nobody listens, in milliseconds.
const REFUSAL = 100;

// Both ways to a server are opened when they are subscribed to, and emit what sends lines: it completes when they are
// delivered, as far as one can know.
const udp$ = (url, { scheduler }) =>
  new Observable((opened) => {
    const host = url.hostname.replaceAll(/[[\]]/g, '');
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    let sending;
    const send$ = (lines) =>
      new Observable((sent) => {
        const datagrams = packed(lines, '\n', DATAGRAM).filter((text) => Buffer.byteLength(text) <= LONGEST_DATAGRAM);
        sending = sent;
        for (const datagram of datagrams) socket.send(datagram, (error) => error && sent.error(error));
        sent.add(timer(REFUSAL, scheduler).subscribe(() => sent.complete()));
        return () => (sending = undefined);
      });
    let isOpen = false;
    socket.on('error', (error) => {
      if (!isOpen) opened.error(error);
      // From the network, about what has just been sent. The socket goes on.
      else sending?.error(error);
    });
    socket.connect(Number(url.port), host, () => {
      isOpen = true;
      opened.next(send$);
    });
    return () => socket.close();
  });

const http$ = (url, { where, token }) =>
  new Observable((opened) => {
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    if (token !== undefined) headers.authorization = `Token ${token}`;
    const { request } = url.protocol === 'https:' ? https : http;
    const send$ = (lines) =>
      new Observable((sent) => {
        const fail = (error) => sent.error(new Error(`${where}: ${error.message || error.code}`));
        // A connection for each snapshot: one that is kept is often closed by the server in the moment of the next.
        const post = request(url, { agent: false, method: 'POST', headers }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (some) => (text = (text + some).slice(0, 200)));
          response.on('error', fail);
          response.on('end', () => {
            const { statusCode, statusMessage } = response;
            if (statusCode >= 200 && statusCode < 300) sent.complete();
            else sent.error(new Error(`${where} answers ${statusCode} ${statusMessage}: ${text.trim()}`));
          });
        });
        post.on('error', fail);
        post.end(lines.join('\n'));
        return () => post.destroy();
      });
    opened.next(send$);
  });

const checkUrl = (text) => {
  const { protocol, port } = URL.canParse(text) ? new URL(text) : {};
  if (protocol === 'http:' || protocol === 'https:' || (protocol === 'udp:' && port !== '')) return undefined;
  return 'a URL like http://host:8086/write?db=vhostmd or udp://host:8089';
};

export default defineSink({
  name: 'influx',
  options: {
    url: { type: 'text', required: true, check: checkUrl },
    // Of InfluxDB 2 and 3.
    token: { type: 'text' },
    // The tag `host`.
    host: { type: 'text', default: os.hostname() },
    // uint64 as unsigned integers, which InfluxDB 1 does not have. Without it, values from 2^63 on are left out.
    unsigned: { type: 'boolean', default: false },
    // How long the server may take to answer.
    timeout: { type: 'seconds', default: 5000, min: 100, max: 60_000 },
  },
  make({ url: text, token, host, unsigned, timeout: patience }, context) {
    const { scheduler } = context;
    const url = new URL(text);
    const isUdp = url.protocol === 'udp:';
    // For messages: without a query or user, which may hold a password.
    const where = isUdp ? `udp://${url.host}` : url.origin + url.pathname;
    const most = isUdp ? DATAGRAM : Infinity;
    const late$ = throwError(() => new Error(`${where} does not answer within ${patience / 1000} s`));
    const writer = (send$) => ({
      opened: `Sending to ${where}`,
      write$: (snapshot) => {
        // Snapshots have the monotonic clock, InfluxDB has that of the wall.
        const time = Date.now() - (scheduler.now() - snapshot.at);
        const lines = toLines(snapshot, { hostName: host, time, unsigned, most });
        const written = { kind: 'written', snapshot, message: `${lines.length} lines` };
        return concat(send$(lines).pipe(timeout({ first: patience, scheduler, with: () => late$ })), of(written));
      },
    });
    const open$ = isUdp ? udp$(url, context) : http$(url, { where, token });
    return deliverLatest('influx', open$.pipe(map(writer)), context);
  },
});
