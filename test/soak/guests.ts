import { createServer, type Server, type Socket } from 'node:net';

/** Kinds of behaviour of a guest at its channel. */
export const KINDS = ['asks', 'floods', 'never-reads', 'sends-garbage', 'disconnects', 'half-closes'] as const;
export type Kind = (typeof KINDS)[number];

/** The guest's end of a channel: a server in QEMU's place. */
export interface Guest {
  readonly kind: Kind;
  readonly answers: () => number;
  readonly connections: () => number;
  /** Returns received text that is no answer. */
  readonly wrong: () => string | undefined;
  readonly close: () => void;
}

const REQUEST = 'GET /metrics/XML\n\n';
const TURN = 200;
// Turns between two losses of a connection: connecting again takes longer after each failure.
const LEAVES_EVERY = 15;
const ANSWER = /^(?:<metrics>\n[^]*?<\/metrics>\n\n|INVALID REQUEST\n\n)/;
const BEGINNINGS = ['<metrics>\n', 'INVALID REQUEST\n\n'];
const LONGEST = 1 << 20;

const act = (kind: Kind, peer: Socket, turn: number): void => {
  const leaves = turn % LEAVES_EVERY === LEAVES_EVERY - 1;
  if (kind === 'floods' || kind === 'never-reads') peer.write(REQUEST.repeat(20));
  else if (kind === 'sends-garbage') peer.write(Buffer.alloc(8192, turn % 2 === 0 ? 0 : 'x\n'));
  else if (turn % 5 === 0) peer.write(REQUEST);
  if (kind === 'never-reads' && turn === 0) peer.pause();
  if (kind === 'disconnects' && leaves) peer.destroy();
  if (kind === 'half-closes' && leaves) peer.end();
};

export const openGuest = async (kind: Kind, socket: string): Promise<Guest> => {
  const peers = new Set<Socket>();
  let [answers, connections] = [0, 0];
  let wrong: string | undefined;
  const serve = (peer: Socket): void => {
    peers.add(peer);
    connections += 1;
    let [text, turn] = ['', 0];
    const turns = setInterval(() => {
      // Bytes that the daemon does not read must not fill the memory of this process.
      if (peer.writable && peer.writableLength < LONGEST) act(kind, peer, turn);
      turn += 1;
    }, TURN);
    peer.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      for (let answer = ANSWER.exec(text); answer !== null; answer = ANSWER.exec(text)) {
        answers += 1;
        text = text.slice(answer[0].length);
      }
      // The rest is the beginning of an answer.
      const begins = BEGINNINGS.some((beginning) => beginning.startsWith(text.slice(0, beginning.length)));
      if (!begins || text.length > LONGEST) wrong ??= text.slice(0, 200);
    });
    peer.on('error', () => undefined);
    peer.on('close', () => {
      clearInterval(turns);
      peers.delete(peer);
    });
  };
  const server: Server = createServer({ allowHalfOpen: false }, serve);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    kind,
    answers: () => answers,
    connections: () => connections,
    wrong: () => wrong,
    close: () => {
      server.close();
      for (const peer of peers) peer.destroy();
    },
  };
};
