import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One line of the line protocol, parsed strictly. */
export interface Point {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string | number | bigint>>;
  readonly time: bigint;
}

// Returns the text up to the next unescaped character of `ends`, and its end; only these characters may be escaped.
const readText = (line: string, from: number, ends: string): readonly [string, number] => {
  let text = '';
  let at = from;
  for (; at < line.length && !ends.includes(line[at] ?? ''); at += 1) {
    if (line[at] !== '\\') text += line[at];
    else if (', ='.includes(line[at + 1] ?? 'none')) text += line[(at += 1)];
    else throw new Error(`a backslash that escapes nothing, at ${at}: ${line}`);
  }
  if (text === '') throw new Error(`an empty name or tag at ${from}: ${line}`);
  return [text, at];
};

const readValue = (line: string, from: number): readonly [string | number | bigint, number] => {
  const quoted = /"((?:[^"\\\n]|\\["\\])*)"/y;
  quoted.lastIndex = from;
  const [all, text] = quoted.exec(line) ?? [];
  if (all !== undefined && text !== undefined) return [text.replaceAll(/\\(.)/g, '$1'), from + all.length];
  const number = /(-?\d+)([iu])|-?\d+(\.\d+)?(e[+-]?\d+)?/y;
  number.lastIndex = from;
  const [digits, integer, kind] = number.exec(line) ?? [];
  if (digits === undefined) throw new Error(`no value at ${from}: ${line}`);
  if (integer === undefined) return [Number(digits), from + digits.length];
  const value = BigInt(integer);
  const fits = kind === 'i' ? BigInt.asIntN(64, value) === value : BigInt.asUintN(64, value) === value;
  if (!fits) throw new Error(`out of range: ${digits}`);
  return [value, from + digits.length];
};

const expectAt = (line: string, at: number, character: string): void => {
  if (line[at] !== character) throw new Error(`expected "${character}" at ${at}: ${line}`);
};

/** Parses one line by InfluxDB's grammar; throws if it is invalid. */
export const readPoint = (line: string): Point => {
  const tags: Record<string, string> = {};
  const fields: Record<string, string | number | bigint> = {};
  let [measurement, at] = readText(line, 0, ', ');
  while (line[at] === ',') {
    const [name, equals] = readText(line, at + 1, ',= ');
    expectAt(line, equals, '=');
    const [value, end] = readText(line, equals + 1, ',= ');
    if (name in tags) throw new Error(`tag ${name} twice: ${line}`);
    tags[name] = value;
    at = end;
  }
  expectAt(line, at, ' ');
  do {
    const [name, equals] = readText(line, at + 1, ',= ');
    expectAt(line, equals, '=');
    [fields[name], at] = readValue(line, equals + 1) as [string | number | bigint, number];
  } while (line[at] === ',');
  expectAt(line, at, ' ');
  if (!/^\d{1,19}$/.test(line.slice(at + 1))) throw new Error(`no time at ${at}: ${line}`);
  return { measurement, tags, fields, time: BigInt(line.slice(at + 1)) };
};

/** Returns the points of a text. */
export const readPoints = (text: string): readonly Point[] => text.split('\n').map(readPoint);

/** Starts an HTTP server that accepts points as InfluxDB does: 204 for valid points, unless `answer` is replaced. */
export const influxServer = async () => {
  const bodies: string[] = [];
  const requests: { readonly url: string; readonly authorization: string | undefined }[] = [];
  const accept = (response: ServerResponse, body: string): void => {
    try {
      readPoints(body);
      bodies.push(body);
      response.writeHead(204).end();
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
  };
  const state = { answer: accept };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (data: string) => (body += data));
    request.on('end', () => {
      requests.push({ url: request.url ?? '', authorization: request.headers.authorization });
      state.answer(response, body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/write?db=vhostmd`,
    bodies,
    requests,
    points: (): readonly Point[] => bodies.flatMap(readPoints),
    accept,
    state,
    close: (): void => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const bound = async (port: number, take: (text: string) => void): Promise<Socket> => {
  const socket = createSocket('udp4');
  socket.on('message', (data) => take(data.toString('utf8')));
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
};

/** Opens a UDP socket that accepts points; while it is paused, the port is closed. */
export const influxSocket = async (at = 0) => {
  const datagrams: string[] = [];
  const take = (text: string): number => datagrams.push(text);
  let socket: Socket | undefined = await bound(at, take);
  const { port } = socket.address();
  let resuming: Promise<void> | undefined;
  const pause = (): void => {
    socket?.close();
    socket = undefined;
  };
  return {
    url: `udp://127.0.0.1:${port}`,
    datagrams,
    points: (): readonly Point[] => datagrams.flatMap(readPoints),
    pause,
    resume: (): void => {
      resuming = bound(port, take).then((again) => {
        socket = again;
      });
    },
    close: async (): Promise<void> => {
      await resuming;
      pause();
    },
  };
};
