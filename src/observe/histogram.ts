/**
 * Durations sorted into buckets, as Prometheus reads them: one comparison per bucket and one
 * addition for each, and nothing allocated, because every answer passes here.
 */

export class Histogram {
  /** Upper ends in seconds, ascending; what is longer counts in the last bucket, without an end. */
  readonly bounds: readonly number[]
  /** Not cumulative. */
  readonly counts: Float64Array
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** Seconds. */
  get sum(): number {
    return this.#sum
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  observe(seconds: number): void {
    let at = 0
    while (at < this.bounds.length && seconds > this.bounds[at]!) at++
    this.counts[at]!++
    this.#sum += seconds
  }
}
