import { describe, expect, it } from 'vitest';

import type { Snapshot } from '../../../src/model/metric.ts';
import type { Verdict } from '../../../src/model/verdict.ts';
import { familiesText } from '../../../src/sinks/prometheus/exposition.ts';
import { snapshotFamilies } from '../../../src/sinks/prometheus/snapshot-families.ts';
import { verdictFamilies } from '../../../src/sinks/prometheus/verdict-families.ts';
import { ofDomain, snapshot } from '../../../src/testing/snapshots.ts';
import { CAUSES } from '../../../src/verdict/causes.ts';

const verdict = (more: Partial<Verdict> = {}): Verdict => ({
  seconds: 5,
  findings: [],
  unseen: [],
  measured: { quota: 12.5, latency: 40 },
  ...more,
});
const QUOTA: Verdict['findings'][number] = {
  cause: 'quota',
  evidence: [{ name: 'quota', value: 12.5, unit: '%', threshold: 5 }],
};
const shown = (verdicts: readonly (Verdict | undefined)[]): Snapshot => ({
  ...snapshot(0),
  domainMetrics: verdicts.map((one, at) => ({ ...ofDomain(at + 1), ...(one === undefined ? {} : { verdict: one }) })),
});
const causesIn = (one: Verdict): readonly string[] =>
  (verdictFamilies(shown([one]))[0]?.series ?? []).flatMap(({ labels, value }) =>
    value === 1 ? [labels?.['cause'] ?? ''] : [],
  );

describe('The verdict for Prometheus', () => {
  it('is a series for each cause, 1 for those that were found', () => {
    expect(causesIn(verdict({ findings: [QUOTA, { ...QUOTA, cause: 'network' }] }))).toEqual(['quota', 'network']);
    expect(causesIn(verdict())).toEqual(['none']);
    expect(causesIn(verdict({ unseen: ['memory'] }))).toEqual(['unknown']);
    expect(verdictFamilies(shown([verdict()]))[0]?.series).toHaveLength(CAUSES.length + 2);
  });

  it('has its evidence in base units', async () => {
    const text = await familiesText(verdictFamilies(shown([verdict()])));
    expect(text).toMatch(/^vhostmd_vm_slow_evidence_ratio\{.*evidence="quota".*\} 0\.125$/m);
    expect(text).toMatch(/^vhostmd_vm_slow_evidence_seconds\{.*evidence="latency".*\} 0\.04$/m);
    expect(text).toMatch(/^vhostmd_vm_slow_cause\{.*cause="none".*\} 1$/m);
  });

  it('is of the VMs that have one, and counts as no value that is left out', () => {
    const one = shown([verdict(), undefined]);
    expect(
      new Set(verdictFamilies(one).flatMap(({ series }) => series.map(({ shared }) => shared?.['uuid']))).size,
    ).toBe(1);
    expect(snapshotFamilies(one).leftOut).toBe(0);
    expect(verdictFamilies(shown([undefined]))).toEqual([]);
  });
});
