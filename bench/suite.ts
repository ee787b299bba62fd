/**
 * What a suite of the bench is: it starts everything it needs by itself, leaves nothing running,
 * and returns numbers twice, as a table for people and as JSON for machines.
 */

export interface SuiteOptions {
  /** How many windows of the upstream's allowance, or repetitions, each run lasts; at least 2. */
  readonly windows: number
  /** Names everything random that a suite makes up by itself. */
  readonly seed: number
  /** Parts of the names of those to be measured; by default all that a suite knows. */
  readonly only?: readonly string[]
}

interface SuiteReport {
  /** Ready to print, without a newline at the end. */
  readonly table: string
  /** Becomes `bench/results/<suite>.json`. */
  readonly results: object
  /** What the service promises and the numbers deny: one line each; none if all is well. */
  readonly broken: readonly string[]
}

export type Suite = (options: SuiteOptions) => Promise<SuiteReport>
