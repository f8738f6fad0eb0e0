/** Entry `vhostmd` of the package: everything a sink module needs. The guide is docs/write-a-sink.md. */
export type {
  Context,
  Domain,
  DomainMetrics,
  KnownDomain,
  MetricDefinition,
  MissingValue,
  Sample,
  Snapshot,
  Stage,
  ValueType,
} from './model/metric.ts';
export { document, escapeXml, metricsXml, type DomainXml, type MetricsXml } from './model/metrics-xml.ts';
export {
  defineSink,
  SINK_API,
  type OptionRule,
  type OptionRules,
  type OptionValues,
  type SinkContext,
  type SinkDefinition,
} from './sinks/definition.ts';
export { exhaustMapLatest } from './rx/exhaust-map-latest.ts';
export { type Backoff } from './rx/retry-with-backoff.ts';
export { deliverLatest } from './sinks/delivery.ts';
export type { Opener, Sink, SinkReport, Writer } from './sinks/sink.ts';
