/**
 * The oracle of the law: the most calls in any half-open window, by looking at every window that
 * starts with a call. Slow and plain on purpose.
 */
export function fullestWindow(arrivals: readonly number[], windowMs: number): number {
  let most = 0
  for (const start of arrivals) {
    const inside = arrivals.filter(at => at >= start && at < start + windowMs)
    most = Math.max(most, inside.length)
  }
  return most
}
