/** Labels of one series; their values are any text. */
export type Labels = Readonly<Record<string, string>>;

/** One series of a family; `suffix` is that of histograms and summaries (`_sum`, `_count`, `_bucket`). */
export interface Series {
  readonly labels?: Labels;
  /** Of many series, and printable as they are: the same object for all of them is written out once. */
  readonly shared?: Labels;
  readonly value: number;
  readonly suffix?: '_sum' | '_count' | '_bucket';
}

/** A metric with all its series, as Prometheus knows metrics; `untyped` where nobody knows. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'untyped' | 'histogram' | 'summary';
  readonly series: readonly Series[];
}
