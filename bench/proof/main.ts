import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

import { cpuTimeOf } from '../../src/sources/libvirt/qemu-process.ts';
import { CAUSES } from '../../src/verdict/causes.ts';
import { type Injection, INJECTIONS } from './injections.ts';
import { type Machine, startMachine } from './machine.ts';
import { proofOf, type Run, withProof } from './report.ts';

const PROGRAM = fileURLToPath(new URL('../../../../dist/vhostmd.cjs', import.meta.url));
const PAGE = fileURLToPath(new URL('../../../../docs/why.md', import.meta.url));
// Milliseconds from the beginning of an injection, or its end, to the next reading.
const SETTLE = 1000;
// CPUs that other programs may use, this one included; more often than so many times in a row it is not tried.
const MOST_OTHERS = 0.5;
const MOST_TRIES = 10;

const USAGE = `Usage: npm run why:proof [-- [--runs N] [--quiet N] [--only CAUSE] [--write]]
Makes a real VM slow in known ways, and counts how often \`vhostmd why\` names the right cause.
  --runs N      runs of each cause (10)
  --quiet N     runs in which nothing is wrong (50)
  --only CAUSE  only these: none, ${CAUSES.map(({ name }) => name).join(', ')}
  --write       writes the result to docs/why.md`;

const say = (text: string): void => console.error(`why:proof: ${text}`);

/** The answer of \`vhostmd why --json\`. */
interface Answer {
  readonly cause: string;
  readonly findings: readonly { readonly cause: string }[];
  readonly measured: Readonly<Record<string, number>>;
}

// The exit status says whether a cause was found.
const ask = async ({ libvirtd, uuid }: Machine): Promise<Answer> =>
  await new Promise((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, 'why', uuid, '-c', libvirtd.uri, '--json', '--seconds', '5'], (error, out) => {
      if (out !== '') resolve(JSON.parse(out) as Answer);
      else reject(error ?? new Error('no answer'));
    });
  });

const runOnce = async (machine: Machine, injection: Injection): Promise<Omit<Run, 'tries'>> => {
  machine.work(injection.work);
  const end = await injection.begin(machine);
  try {
    await sleep(SETTLE);
    const { cause, findings, measured } = await ask(machine);
    return { injection, cause, also: findings.slice(1).map((finding) => finding.cause), measured };
  } finally {
    await end();
    machine.work('idle');
    await sleep(SETTLE);
  }
};

const busyTime = (): number => {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1').split(/ +/, 9).map(Number);
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / 100;
};
const timeOf = (pid: number): number => Number(cpuTimeOf(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? 0n) / 1e9;

/** Runs it again if the machine was not quiet: something else used its CPUs. */
const runInQuiet = async (machine: Machine, injection: Injection): Promise<Run> => {
  const pid = machine.libvirtd.qemuPid(machine.uuid);
  for (let tries = 1; ; tries += 1) {
    const [start, busy, own] = [performance.now(), busyTime(), timeOf(pid)];
    const result = await runOnce(machine, injection);
    const others = (1000 * (busyTime() - busy - (timeOf(pid) - own))) / (performance.now() - start);
    if (injection.cause === 'neighbours' || others < MOST_OTHERS || tries === MOST_TRIES) return { ...result, tries };
    say(`not quiet: other programs used ${(100 * others).toFixed()} % of a CPU; again`);
  }
};

const shuffled = <T>(all: readonly T[]): readonly T[] =>
  all
    .map((one) => ({ one, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one);

const planOf = (runs: number, quiet: number, only: string | undefined): readonly Injection[] => {
  const causes = [...new Set(INJECTIONS.map(({ cause }) => cause))].filter(
    (cause) => only === undefined || cause === only,
  );
  return shuffled(
    causes.flatMap((cause) => {
      const ways = INJECTIONS.filter((injection) => injection.cause === cause);
      return Array.from({ length: cause === 'none' ? quiet : runs }, (_, at) => ways[at % ways.length]!);
    }),
  );
};

const versionOf = (file: string, ...args: readonly string[]): string =>
  /\d+(?:\.\d+)+/.exec(execFileSync(file, args, { encoding: 'utf8' }))?.[0] ?? '';

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10' },
      quiet: { type: 'string', default: '50' },
      only: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (process.getuid?.() !== 0) {
    say('It makes control groups and a network interface, so it needs root. Run: sudo npm run why:proof');
    return 1;
  }
  const plan = planOf(Number(values.runs), Number(values.quiet), values.only);
  say(`starting a VM for ${plan.length} runs of about 10 s`);
  const machine = await startMachine();
  const stop = (): void => void machine.close().finally(() => process.exit(1));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const runs: Run[] = [];
  try {
    for (const injection of plan) {
      const run = await runInQuiet(machine, injection);
      runs.push(run);
      const verdict = run.cause === injection.cause ? 'right' : `WRONG: ${run.cause} ${JSON.stringify(run.measured)}`;
      say(`${runs.length} of ${plan.length}: ${injection.cause} (${injection.how}): ${verdict}`);
    }
  } finally {
    await machine.close();
  }
  const about =
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} CPUs, Linux ${release().split('-')[0] ?? ''}, ` +
    `QEMU ${versionOf('qemu-system-x86_64', '--version')} without KVM, libvirt ${versionOf('virsh', '--version')}`;
  const proof = proofOf(runs, about);
  console.log(proof.text);
  if (values.write) writeFileSync(PAGE, withProof(readFileSync(PAGE, 'utf8'), proof.text));
  return proof.isReached ? 0 : 1;
};

process.exitCode = await main();
