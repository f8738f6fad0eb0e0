import type { Family, Labels, Series } from '../../model/metric-family.ts';
import type { Snapshot } from '../../model/metric.ts';
import { causeOf, type Verdict } from '../../model/verdict.ts';
import { CAUSES } from '../../verdict/causes.ts';
import { EVIDENCE, type EvidenceName } from '../../verdict/evidence.ts';
import { labelText } from './exposition.ts';

const NO_CAUSE = ['none', 'unknown'] as const;

const causeSeries = (verdict: Verdict, shared: Labels): readonly Series[] => {
  const found = new Set<string>(verdict.findings.map(({ cause }) => cause));
  if (found.size === 0) found.add(causeOf(verdict));
  return [...CAUSES.map(({ name }) => name), ...NO_CAUSE].map((cause) => ({
    labels: { cause },
    shared,
    value: found.has(cause) ? 1 : 0,
  }));
};

// Prometheus' base units: a ratio of 1, and seconds.
const evidenceSeries = (unit: '%' | 'ms', { measured }: Verdict, shared: Labels): readonly Series[] =>
  Object.entries(measured)
    .filter(([name]) => EVIDENCE[name as EvidenceName].unit === unit)
    .map(([evidence, value]) => ({ labels: { evidence }, shared, value: value / (unit === '%' ? 100 : 1000) }));

/** Returns why each VM is slow, and by what evidence; nothing if the snapshot has no verdicts. */
export const verdictFamilies = ({ domainMetrics }: Snapshot): readonly Family[] => {
  const judged = domainMetrics.flatMap(({ domain, verdict }) =>
    verdict === undefined
      ? []
      : [{ verdict, shared: { domain: labelText(domain.name), uuid: labelText(domain.uuid) } }],
  );
  if (judged.length === 0) return [];
  const family = (name: string, help: string, seriesOf: (verdict: Verdict, shared: Labels) => readonly Series[]) => ({
    name,
    help,
    type: 'gauge' as const,
    series: judged.flatMap(({ verdict, shared }) => seriesOf(verdict, shared)),
  });
  return [
    family(
      'vhostmd_vm_slow_cause',
      '1 if this makes the VM slow, by the last two collections (docs/why.md)',
      causeSeries,
    ),
    family('vhostmd_vm_slow_evidence_ratio', 'Evidence of causes, as a share', (verdict, shared) =>
      evidenceSeries('%', verdict, shared),
    ),
    family('vhostmd_vm_slow_evidence_seconds', 'Evidence of causes, as a time', (verdict, shared) =>
      evidenceSeries('ms', verdict, shared),
    ),
  ];
};
