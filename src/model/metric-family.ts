/** Labels of one series. Their values may be any text. */
export type Labels = Readonly<Record<string, string>>;

/** One series of a family. `suffix` occurs in histograms and summaries only. */
export interface Series {
  readonly labels?: Labels;
  /** Labels that many series have in common, printable as they are. One object is rendered once for all of them. */
  readonly shared?: Labels;
  readonly value: number;
  readonly suffix?: '_sum' | '_count' | '_bucket';
}

/** A metric with all its series, in the terms of Prometheus; `untyped` if the type is unknown. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'untyped' | 'histogram' | 'summary';
  readonly series: readonly Series[];
}
