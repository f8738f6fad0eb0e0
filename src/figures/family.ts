/** Labels of one series; their values are any text. */
export type Labels = Readonly<Record<string, string>>;

/** One series of a family; `suffix` is that of histograms and summaries (`_sum`, `_count`, `_bucket`). */
export interface Series {
  readonly labels: Labels;
  readonly value: number | string;
  readonly suffix?: '_sum' | '_count' | '_bucket';
}

/** A metric with all its series, as Prometheus knows metrics; `untyped` where nobody knows. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'untyped' | 'histogram' | 'summary';
  readonly series: readonly Series[];
}
