/**
 * How long something takes when nothing disturbs it: the quickest of several tries, so that a bound
 * on it says something about the code and not about who else uses the machine.
 */
export function quickestMs(run: () => void): number {
  const tries = Array.from({ length: 7 }, () => {
    const started = performance.now()
    run()
    return performance.now() - started
  })
  return Math.min(...tries)
}
