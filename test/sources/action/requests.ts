import type { Domain, MetricDefinition } from '../../../src/model/metric.ts';

/** Returns a metric with an action, as parsed from the configuration. */
export const actionMetric = (command: string, rest: Partial<MetricDefinition> = {}): MetricDefinition => ({
  index: 0,
  name: 'Test',
  type: 'string',
  context: 'host',
  source: { kind: 'action', command },
  variables: [],
  every: 1,
  timeout: 5000,
  place: { file: 'vhostmd.conf', line: 1, column: 1 },
  ...rest,
});

export const UUID = '6be3fdb8-bef5-6fec-b1b7-e61bbceab708';
export const domainOf = (name: string, rest: Partial<Domain> = {}): Domain => ({ uuid: UUID, id: 7, name, ...rest });

export const PATH = '/usr/local/bin:/usr/bin:/bin';
