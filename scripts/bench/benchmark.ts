// What a benchmark is to `npm run bench` and to docs/benchmarks.md.

/** How much of it. Each benchmark takes what it needs. */
export interface Size {
  /** Sessions of the largest network; for `records`, events to seal. */
  rows: number;
  /** Counted runs of each side. */
  repetitions: number;
  /** How long one side runs before the other has its turn. */
  seconds: number;
  /** How long a load lasts. */
  minutes: number;
  /** Told of what is found so far, by what takes long. */
  soFar?: (report: unknown) => Promise<void>;
}

export interface Benchmark<Report> {
  /** Sizes of a run for the page, of `--quick`, and the fewest rows that make sense. */
  full: Size;
  quick: Size;
  fewestRows: number;
  /** How long the full run takes, in seconds, on a quiet machine of four cores. */
  takes: number;
  run(size: Size): Promise<Report>;
  /** The report as the page says it. */
  describe(report: Report): string;
  /** Plots, by the name of their file in docs/images. */
  plots?(report: Report): Record<string, string>;
  /** What must not be so, whatever the figures: ends the command with 1. */
  fault?(report: Report): string | undefined;
}
